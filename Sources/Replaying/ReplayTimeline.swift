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
  /// Nanoseconds of recorded time that are played before it, over all loops and seeks.
  let timeline: Int64
  /// When it was received.
  let unixNanoseconds: Int64
  /// It is not part of the timeline: the last message of its topic before where that begins.
  let isState: Bool
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

  /// Where a timeline begins.
  struct Start {
    /// How many loops came before.
    var loop = 0
    /// Unix nanoseconds; nil for the beginning of the selection.
    var time: Int64?
    /// Of recorded time, played before.
    var played: Int64 = 0
  }

  struct Batch {
    /// Of its messages.
    var loop = 0
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

  /// Starts to read.
  init(
    _ index: IndexReader, _ plan: ReplayPlan, _ route: Route, from start: Start, pool: SegmentPool
  ) {
    let source = Source(index: index, plan: plan, start: start, route: route, pool: pool)
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
    let plan: ReplayPlan
    let start: Start
    let route: Route
    let pool: SegmentPool
  }

  private static func read(_ source: Source, into state: Guarded<State>) throws {
    var clock = TimelineClock(
      played: source.start.played, gapNanosecondsMax: source.plan.gapNanosecondsMax)
    for loop in source.start.loop..<(source.plan.loops ?? .max) {
      var selection = source.plan.selection
      let begin = loop == source.start.loop ? source.start.time : nil
      if let begin { selection.from = begin }
      var batch = Batch(loop: loop)
      var bytes = 0
      if let from = selection.from {
        batch.items = try stateItems(source, before: from, played: clock.played)
      }
      var reader = try source.index.messages(selection, pool: source.pool)
      clock.beginLoop(at: begin)
      var count = 0
      while let message = try reader.next() {
        guard let socket = source.route.socket(of: message.record) else { continue }
        count += 1
        batch.items.append(
          ReplayItem(message, socket: socket, timeline: clock.position(of: message)))
        bytes += message.record.length
        if batch.items.count >= batchItemsMax || bytes >= batchBytesMax {
          batch.take(reader)
          guard handOver(&batch, state) else { return }
          bytes = 0
        }
      }
      batch.take(reader)
      // The end of the recording can be sought to: then there are other loops.
      guard handOver(&batch, state), count > 0 || begin != nil else { return }
    }
  }

  /// The last message of each topic that the rig is to know before the timeline begins.
  private static func stateItems(
    _ source: Source, before time: Int64, played: Int64
  ) throws -> [ReplayItem] {
    guard !source.plan.stateFirst.isEmpty else { return [] }
    let messages = try source.index.lastMessages(
      source.plan.stateSelection, before: time, pool: source.pool)
    return messages.compactMap { message in
      source.route.socket(of: message.record).map {
        ReplayItem(message, socket: $0, timeline: played, isState: true)
      }
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
    batch = Batch(loop: batch.loop)
    batch.items.reserveCapacity(batchItemsMax)
    return isWanted
  }
}

extension ReplayItem {
  fileprivate init(
    _ message: RecordedMessage, socket: Int, timeline: Int64, isState: Bool = false
  ) {
    self.init(
      segment: message.segment, record: message.record, socket: socket,
      frameBytes: message.frameBytes, timeline: timeline,
      unixNanoseconds: message.unixNanoseconds, isState: isState)
  }
}
