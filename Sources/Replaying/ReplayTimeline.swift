import CaptureIndex
import CaptureStore
import Glibc
import Synchronization
import Threads

/// The thread that reads ahead: finds the selected messages, checks every byte of them, which
/// also brings their pages into memory, and hands them over in batches.
final class ReplayTimeline: Sendable {
  /// A batch ends at whichever comes first: enough to keep hand-overs rare, little enough to start
  /// at once. With more bytes, messages of 1 KiB are sent more slowly.
  private static let batchItemsMax = 1024
  private static let batchBytesMax = 256 << 10
  /// So much is read, and checked, before the first message leaves.
  private static let firstBytes = 64 << 10
  /// Batches read ahead of the sender.
  private static let batchesAheadMax = 8
  /// A thread that waits for room is woken when there are no more than these.
  private static let batchesAheadMin = 4
  /// As much is read ahead at once as was sent before, and no less than this. The rest takes pauses:
  /// what comes behind a seek is not to hold up the message that was sought, nor the next verb, on a
  /// machine whose cores are busy.
  private static let aheadBytesMin = 256 << 10
  private static let pauseNanoseconds: Int64 = 10_000_000
  /// How often a recording that is followed is looked at.
  private static let followMicroseconds: useconds_t = 500

  /// Where a timeline begins.
  struct Start {
    /// How many loops came before.
    var loop = 0
    /// Nanoseconds of the recording; nil for the beginning of the selection.
    var position: Int64?
    /// Of recorded time, played before.
    var played: Int64 = 0
  }

  private final class Awaited: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func store(_ value: Bool) { flag.store(value, ordering: .relaxed) }
  }

  private struct State {
    var ready: [ReplayBatch] = []
    /// Of records: in those, and in all that were taken.
    var bytesReady = 0
    var bytesTaken = 0
    /// Batches that were played, for their memory.
    var spent: [ReplayBatch] = []
    var isDone = false
    var isCancelled = false
    var failure: (any Error)?

    mutating func append(_ batch: ReplayBatch) {
      bytesReady += batch.bytes
      ready.append(batch)
    }

    mutating func takeFirst() -> ReplayBatch {
      let batch = ready.removeFirst()
      bytesReady -= batch.bytes
      bytesTaken += batch.bytes
      return batch
    }

    /// So much is ready that more is not urgent.
    var isAhead: Bool { bytesReady >= max(aheadBytesMin, bytesTaken) }
  }

  private let state = Guarded(State())
  /// The sender waits for a batch: then a small one at once is better than a large one.
  private let isAwaited = Awaited()
  private let thread: WorkerThread

  /// Starts to read. `topics` are those that are told apart, nil where none are.
  init(
    _ sources: [TimelineSource], _ plan: ReplayPlan, from start: Start, topics: TopicNumbers?
  ) {
    let reading = Reading(
      sources: sources, plan: plan, start: start, topics: topics, state: state,
      isAwaited: isAwaited)
    thread = WorkerThread(name: "zcap reader") { [state] in
      let result = Result { try reading.run() }
      state.withLock {
        if case .failure(let error) = result { $0.failure = error }
        $0.isDone = true
      }
    }
  }

  /// How often a wait for a batch looks whether it is to go on: a recording that is followed may be
  /// silent for hours.
  private static let lookNanoseconds: Int64 = 50_000_000

  /// What a wait for a batch ended with.
  enum Next {
    case batch
    /// Of the last loop.
    case end
    /// A stop was requested, the bell rang or the time was over before there was one.
    case interrupted
  }

  /// Exchanges a batch that was played for the next one, and waits for that, some nanoseconds at most;
  /// nil is without end. Where there is none, an empty batch of the same loop is left.
  func next(
    _ batch: inout ReplayBatch, stop: StopToken, bell: Doorbell? = nil, within limit: Int64? = nil
  ) -> Next {
    let begun = CaptureClock.monotonicNanoseconds()
    let loop = batch.loop
    var spent: ReplayBatch? = ReplayBatch()
    swap(&spent!, &batch)
    batch.loop = loop
    spent!.clear()
    while !stop.isRequested, bell?.isRung != true {
      let next = state.wait(
        nanoseconds: Self.lookNanoseconds,
        until: { state -> ReplayBatch?? in
          if let batch = spent.take() { state.spent.append(batch) }
          isAwaited.store(state.ready.isEmpty)
          if !state.ready.isEmpty { return .some(state.takeFirst()) }
          return state.isDone ? .some(nil) : nil
        },
        waking: { $0.ready.count <= Self.batchesAheadMin })
      guard let next else {
        if let limit, CaptureClock.monotonicNanoseconds() - begun > limit { break }
        continue
      }
      guard let next else { return .end }
      batch = next
      return .batch
    }
    return .interrupted
  }

  /// Ends the thread, wherever it is. Throws what went wrong on it.
  func finish() throws {
    state.withLock { $0.isCancelled = true }
    thread.join()
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  // MARK: - The thread

  /// What the thread works on; it alone, once it runs.
  private struct Reading: @unchecked Sendable {
    let sources: [TimelineSource]
    let plan: ReplayPlan
    let start: Start
    let topics: TopicNumbers?
    let state: Guarded<State>
    let isAwaited: Awaited

    func run() throws {
      var clock = TimelineClock(
        played: start.played, gapNanosecondsMax: plan.gapNanosecondsMax)
      for loop in start.loop..<(plan.loops ?? .max) {
        let position = loop == start.loop ? start.position : nil
        var batch = takeSpent()
        batch.loop = loop
        for message in try stateMessages(before: position) {
          var details = details(of: message, timeline: clock.played)
          details.isState = true
          _ = batch.append(message.message.record, of: message.message.segment, details)
        }
        clock.beginLoop(at: position)
        let begun = clock.played
        let count = try read(from: position, &clock, &batch)
        // The end of the recording can be sought to: then there are other loops.
        guard let count, count > 0 || position != nil else { return }
        if position == nil, plan.isEndlessByTime, clock.played == begun {
          throw ReplayError.noTimeToLoop
        }
      }
    }

    /// Reads one loop. Returns how many messages it has; nil when the sender wants no more.
    private func read(
      from position: Int64?, _ clock: inout TimelineClock, _ batch: inout ReplayBatch
    ) throws -> Int? {
      let isFollowing = plan.followNanoseconds != nil
      var reader = try TimelineReader(sources, from: position, following: isFollowing)
      var count = 0
      while true {
        let bytes = count == 0 ? firstBytes : batchBytesMax
        count += takeRun(of: &reader, upTo: bytes, &clock, &batch)
        if isReady(batch) {
          batch.losses = reader.losses
          guard handOver(&batch) else { return nil }
          continue
        }
        switch try reader.next() {
        case .message(let message):
          count += 1
          var details = details(of: message, timeline: clock.advance(to: message.position))
          if isFollowing { details.received = received(message) }
          _ = batch.append(message.message.record, of: message.message.segment, details)
          if isFollowing { batch.hold(message.message.segment) }
          if !isReady(batch) { continue }
        case .passed where batch.items.isEmpty:
          if state.withLock({ $0.isCancelled }) { return nil }
          continue
        case .passed: break
        case .caughtUp:
          if batch.items.isEmpty {
            usleep(followMicroseconds)
            if state.withLock({ $0.isCancelled }) { return nil }
            continue
          }
        case .end:
          batch.losses = reader.losses
          return handOver(&batch) ? count : nil
        }
        batch.losses = reader.losses
        guard handOver(&batch) else { return nil }
      }
    }

    /// Messages that follow one another, which is what there is mostly.
    private func takeRun(
      of reader: inout TimelineReader, upTo bytes: Int, _ clock: inout TimelineClock,
      _ batch: inout ReplayBatch
    ) -> Int {
      // Topics are looked for in each message.
      guard topics == nil else { return 0 }
      return reader.takeRun(
        batchItemsMax - batch.items.count, bytes: min(bytes, batchBytesMax - batch.bytes), &clock,
        into: &batch)
    }

    /// It is large enough, or somebody waits for it.
    private func isReady(_ batch: borrowing ReplayBatch) -> Bool {
      batch.items.count >= batchItemsMax || batch.bytes >= batchBytesMax
        || (isAwaited.isSet && !batch.items.isEmpty)
    }

    private func details(of found: TimelineMessage, timeline: Int64) -> ReplayBatch.Details {
      ReplayBatch.Details(
        timeline: timeline, position: found.position, socket: found.socket, source: found.source,
        topic: topics?.number(of: found.message.topic) ?? 0)
    }

    /// When a message was received, by the monotonic clock of this boot; long ago for another one.
    private func received(_ found: TimelineMessage) -> Int64 {
      let isOfThisBoot = found.message.segment.header.clock.bootID == ClockPair.currentBootID
      return isOfThisBoot ? found.message.record.monotonicNanoseconds : 0
    }

    /// The last message of each topic that the rig is to know before the timeline begins.
    private func stateMessages(before position: Int64?) throws -> [TimelineMessage] {
      let messages = try sources.enumerated().flatMap { number, source in
        try source.state(plan.stateFirst, before: position).map { message in
          TimelineMessage(
            message: message, source: number, socket: source.socket(of: message.record)!,
            position: message.unixNanoseconds &- source.origin)
        }
      }
      return sources.count == 1 ? messages : messages.sorted { $0.position < $1.position }
    }

    private func takeSpent() -> ReplayBatch {
      state.withLock { $0.spent.popLast() } ?? ReplayBatch()
    }

    /// False when the sender wants no more.
    private func handOver(_ batch: inout ReplayBatch) -> Bool {
      let loop = batch.loop
      var full: ReplayBatch? = ReplayBatch()
      swap(&full!, &batch)
      var isAhead = false
      let spent = state.wait { state -> ReplayBatch?? in
        if state.isCancelled { return .some(nil) }
        guard state.ready.count < batchesAheadMax else { return nil }
        state.append(full.take()!)
        isAhead = state.isAhead
        // Who waited for it has it now, awake or not.
        isAwaited.store(false)
        return state.spent.popLast() ?? ReplayBatch()
      }
      guard let spent else { return false }
      batch = spent
      batch.loop = loop
      guard isAhead else { return true }
      let isCancelled = state.wait(nanoseconds: pauseNanoseconds) { state -> Bool? in
        state.isCancelled || !state.isAhead ? state.isCancelled : nil
      }
      return isCancelled != true
    }
  }
}
