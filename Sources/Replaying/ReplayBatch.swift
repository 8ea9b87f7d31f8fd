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
  /// When it was received on the monotonic clock, where that is asked for and was this boot; else 0.
  let received: Int64
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
    var position: Int64
    var socket: Int
    var source = 0
    var topic: Int32 = 0
    var received: Int64 = 0
    var isState = false
  }

  /// False where it has no frames, or they cannot lie where its record says.
  @inline(__always)
  mutating func append(
    _ record: RecordHeader, of segment: Segment, _ details: Details
  ) -> Bool {
    let first = Int32(truncatingIfNeeded: unsafe frames.count)
    guard record.frameCount > 0,
      let frameBytes = unsafe segment.appendFrames(of: record, to: &frames)
    else { return false }
    items.append(
      ReplayItem(
        frames: first..<Int32(truncatingIfNeeded: unsafe frames.count), frameBytes: frameBytes,
        sequence: record.sequence, timeline: details.timeline, position: details.position,
        received: details.received, source: Int32(truncatingIfNeeded: details.source),
        socket: Int32(truncatingIfNeeded: details.socket), topic: details.topic,
        isState: details.isState))
    bytes += record.length
    return true
  }

  /// Keeps a segment mapped with the batch, for as long as its messages may be sent.
  mutating func hold(_ segment: Segment) {
    if segments.last !== segment { segments.append(segment) }
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
