import CaptureIndex
import CaptureStore

/// One message and when it is due, prepared for the sending thread.
///
/// Plain numbers: nothing to count references of.
struct ReplayItem {
  /// Of its batch.
  fileprivate var frames: Range<Int32>
  let frameBytes: Int
  let sequence: UInt64
  /// Nanoseconds of recorded time that are played before it, over all loops and seeks.
  let timeline: Int64
  /// Where in the recording it is: nanoseconds.
  let position: Int64
  /// When it was received, on this machine's monotonic clock; far in the past for another boot.
  let monotonic: Int64
  /// The number of its capture.
  let source: Int32
  /// Which socket it goes out on.
  let socket: Int32
  /// The number of its topic, where topics are told apart.
  let topic: Int32
  /// It is not part of the timeline: the last message of its topic before where that begins.
  let isState: Bool
}

/// Messages that were read ahead, in the order in which they are sent, and where their frames lie.
@safe struct ReplayBatch {
  /// Of its messages.
  var loop = 0
  private(set) var items: [ReplayItem] = []
  private var frames: [UnsafeRawBufferPointer] = unsafe []
  /// Bytes of records.
  private(set) var bytes = 0
  /// What could not be handed over, up to here.
  var losses = Losses()
  /// Segments that nobody else keeps mapped for as long as these messages may be sent.
  private var segments: [Segment] = []

  /// What is known of a message beside its record.
  struct Details {
    var timeline: Int64
    var topic: Int32 = 0
    var isState = false
    /// Its segment is kept mapped with the batch, and no longer.
    var isHeld = false
  }

  /// Its frames have been found to lie inside their record.
  mutating func append(_ found: TimelineMessage, _ details: Details) {
    let message = found.message
    let first = Int32(unsafe frames.count)
    guard let frameBytes = unsafe message.segment.appendFrames(of: message.record, to: &frames)
    else { return }
    let isOfThisBoot = message.segment.header.clock.bootID == ClockPair.currentBootID
    items.append(
      ReplayItem(
        frames: first..<Int32(unsafe frames.count), frameBytes: frameBytes,
        sequence: message.record.sequence, timeline: details.timeline, position: found.position,
        monotonic: isOfThisBoot ? message.record.monotonicNanoseconds : 0,
        source: Int32(found.source), socket: Int32(found.socket), topic: details.topic,
        isState: details.isState))
    bytes += message.record.length
    if details.isHeld, segments.last !== message.segment { segments.append(message.segment) }
  }

  /// The frames of one of its items.
  @_lifetime(borrow self)
  func frames(of item: ReplayItem) -> Span<UnsafeRawBufferPointer> {
    unsafe frames.span.extracting(Int(item.frames.lowerBound)..<Int(item.frames.upperBound))
  }

  /// Makes it an empty one that keeps its memory.
  mutating func clear() {
    items.removeAll(keepingCapacity: true)
    unsafe frames.removeAll(keepingCapacity: true)
    segments.removeAll(keepingCapacity: true)
    bytes = 0
  }
}
