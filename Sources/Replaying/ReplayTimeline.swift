import CaptureIndex
import CaptureStore
import Threads

/// One message and when it is due, prepared for the sending thread.
struct ReplayItem {
  let segment: Segment
  let record: RecordHeader
  /// Which socket it goes out on.
  let socket: Int
  let frameBytes: Int
  /// Nanoseconds from the first message of the first loop.
  let timeline: Int64
}

/// The thread that reads ahead: finds the selected messages, checks every byte of them, which
/// also brings their pages into memory, and hands them over in batches.
final class ReplayTimeline: Sendable {
  /// A batch ends at whichever comes first: enough to keep hand-overs rare, little enough to start
  /// at once.
  private static let batchItemsMax = 512
  private static let batchBytesMax = 4 << 20
  /// Batches read ahead of the sender.
  private static let batchesAheadMax = 4

  struct Batch {
    var items: [ReplayItem] = []
    /// Places that could not be read, up to here.
    var damages = 0
    /// Messages that the index knows and that are not there any more, up to here.
    var messagesMissing: Int64 = 0
    /// Messages of a ring that made room before they were read, up to here.
    var messagesRetired: Int64 = 0

    mutating func take(_ reader: MessageReader) {
      damages = reader.damages
      messagesMissing = reader.messagesMissing
      messagesRetired = reader.messagesRetired
    }
  }

  private struct State {
    var ready: [Batch] = []
    var isDone = false
    var isCancelled = false
    var failure: String?
  }

  private let state = Guarded(State())
  private let thread: WorkerThread

  /// Starts to read. `socketByEndpoint` has nil where messages are not sent.
  init(
    _ index: IndexReader, _ selection: Selection, loops: Int?, socketByEndpoint: [Int?],
    pool: SegmentPool
  ) {
    let source = Source(
      index: index, selection: selection, loops: loops, socketByEndpoint: socketByEndpoint,
      pool: pool)
    thread = WorkerThread(name: "zcap reader") { [state] in
      do {
        try Self.read(source, into: state)
        state.withLock { $0.isDone = true }
      } catch {
        state.withLock {
          $0.failure = "\(error)"
          $0.isDone = true
        }
      }
    }
  }

  /// The next batch; nil at the end. Waits for it.
  func nextBatch() -> Batch? {
    state.wait { state -> Batch?? in
      if !state.ready.isEmpty { return .some(state.ready.removeFirst()) }
      return state.isDone ? .some(nil) : nil
    }
  }

  /// Ends the thread, wherever it is. Returns what went wrong on it.
  func finish() -> String? {
    state.withLock { $0.isCancelled = true }
    thread.join()
    return state.withLock { $0.failure }
  }

  // MARK: - The thread

  /// What the thread works on; it alone, once it runs.
  private struct Source: @unchecked Sendable {
    let index: IndexReader
    let selection: Selection
    let loops: Int?
    let socketByEndpoint: [Int?]
    let pool: SegmentPool
  }

  private static func read(_ source: Source, into state: Guarded<State>) throws {
    var batch = Batch()
    var bytes = 0
    var clock = TimelineClock()
    var loop = 0
    while loop < source.loops ?? .max {
      var reader = try source.index.messages(source.selection, pool: source.pool)
      clock.beginLoop()
      var count = 0
      while let message = try reader.next() {
        let endpoint = Int(message.record.endpoint)
        guard source.socketByEndpoint.indices.contains(endpoint),
          let socket = source.socketByEndpoint[endpoint]
        else { continue }
        count += 1
        batch.items.append(
          ReplayItem(
            segment: message.segment, record: message.record, socket: socket,
            frameBytes: message.frameBytes, timeline: clock.position(of: message)))
        bytes += message.record.length
        if batch.items.count >= batchItemsMax || bytes >= batchBytesMax {
          batch.take(reader)
          guard handOver(&batch, state) else { return }
          bytes = 0
        }
      }
      batch.take(reader)
      guard handOver(&batch, state), count > 0 else { return }
      loop += 1
    }
  }

  /// False when the sender wants no more.
  private static func handOver(_ batch: inout Batch, _ state: Guarded<State>) -> Bool {
    let isWanted = state.wait { [batch] state -> Bool? in
      if state.isCancelled { return false }
      guard state.ready.count < batchesAheadMax else { return nil }
      state.ready.append(batch)
      return true
    }
    batch = Batch()
    batch.items.reserveCapacity(batchItemsMax)
    return isWanted
  }
}

/// Turns recorded times into positions on one timeline that never runs backwards.
///
/// Within a boot the monotonic clock counts, which no one steps. From one boot to the next the
/// real-time clocks bridge the gap. A loop begins when the one before has ended.
struct TimelineClock {
  private var bootID: UInt128?
  /// What to add to monotonic times of the present boot and loop.
  private var shift: Int64 = 0
  private var position: Int64 = 0
  private var lastUnix: Int64 = 0

  mutating func beginLoop() { bootID = nil }

  mutating func position(of message: RecordedMessage) -> Int64 {
    let clock = message.segment.header.clock
    let monotonic = message.record.monotonicNanoseconds
    if bootID != clock.bootID {
      let gap = bootID == nil ? 0 : max(0, message.unixNanoseconds &- lastUnix)
      shift = position &+ gap &- monotonic
      bootID = clock.bootID
    }
    lastUnix = message.unixNanoseconds
    position = max(position, monotonic &+ shift)
    return position
  }
}
