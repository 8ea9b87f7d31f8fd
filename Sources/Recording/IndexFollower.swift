import CaptureIndex
import CaptureStore
import Synchronization
import Threads

/// How far the index has come; for any thread.
final class IndexProgress: Sendable {
  let messages = Atomic<UInt64>(0)
  /// Messages that never came, by what counters and events of this recording tell.
  let lost = Atomic<Int64>(0)
}

/// The thread that indexes a capture while it is being recorded.
///
/// It follows the segments as any reader does. It may lag or fail; recording goes on. Where the
/// machine has no time for both, recording comes first, and the index catches up later.
final class IndexFollower: Sendable {
  /// How often the index is brought up to date while there is much to index.
  private static let intervalNanoseconds: Int64 = 250_000_000
  /// And while there is not: each time writes some 30 KB at least, which are not to count beside what
  /// a slow recording writes itself.
  private static let slowIntervalNanoseconds: Int64 = 2_000_000_000
  /// So many messages in an interval are much.
  private static let messagesMany: UInt64 = 20_000

  private let failure = Guarded<String?>(nil)
  private let isSealed = StopToken()
  private let thread: WorkerThread

  /// `firstSequence`: that of the recording, which goes on with a capture that is there.
  init(
    _ capture: Capture, rule: TopicRule, sequences: [SequenceRule], firstSequence: UInt64,
    progress: IndexProgress
  ) {
    thread = WorkerThread(name: "zcap indexer", priority: .background) { [failure, isSealed] in
      do {
        let indexer = try Indexer(
          continuing: capture, rule: rule, sequences: sequences, verifying: .header)
        while indexer.nextSequence < firstSequence,
          try indexer.advance(upTo: firstSequence) == .behind
        {}
        let lostBefore = indexer.messagesLostOnTheWay
        try Self.follow(indexer, until: isSealed) {
          let messages = max(indexer.nextSequence, firstSequence) - firstSequence
          progress.messages.store(messages, ordering: .relaxed)
          progress.lost.store(indexer.messagesLostOnTheWay - lostBefore, ordering: .relaxed)
        }
      } catch {
        failure.withLock { $0 = "\(error)" }
      }
    }
  }

  /// Indexes what is left of the sealed capture and ends the thread. Returns what went wrong.
  func finish() -> String? {
    isSealed.request()
    thread.join()
    return failure.withLock { $0 }
  }

  private static func follow(
    _ indexer: Indexer, until isSealed: StopToken, progress: () -> Void
  ) throws {
    while true {
      let isLast = isSealed.isRequested
      let before = indexer.nextSequence
      while try indexer.advance() == .behind { progress() }
      progress()
      if isLast { break }
      let isBusy = indexer.nextSequence - before >= messagesMany
      let interval = isBusy ? intervalNanoseconds : slowIntervalNanoseconds
      _ = isSealed.wait(
        untilMonotonicNanoseconds: CaptureClock.monotonicNanoseconds() + interval)
    }
    try indexer.close()
  }
}
