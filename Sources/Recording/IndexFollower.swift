import CaptureIndex
import CaptureStore
import Synchronization
import Threads

/// How far the index has come; for any thread.
final class IndexProgress: Sendable {
  let messages = Atomic<UInt64>(0)
  /// Messages that never came, by what counters and events of this recording tell.
  let lost = Atomic<Int64>(0)
  /// A ring goes around so fast that nothing is indexed for now.
  let isWaiting = Atomic<Bool>(false)
}

/// The thread that indexes a capture while it is being recorded.
///
/// It follows the segments as any reader does. It may lag or fail; recording goes on. Where the
/// machine has no time for both, recording comes first, and the index catches up later. Of a ring
/// that goes around within seconds nothing is indexed until it is slower, or ends: all of it would
/// have made room before anybody asks.
final class IndexFollower: Sendable {
  /// How often the index is brought up to date while there is much to index.
  private static let intervalNanoseconds: Int64 = 250_000_000
  /// So many messages in that time are much.
  private static let messagesMany: UInt64 = 20_000
  /// While there is less, it waits for twice as long each time, up to this: each time writes some
  /// 30 KB at least, which are not to count beside what a slow recording writes itself.
  private static let intervalNanosecondsMax: Int64 = 4_000_000_000
  /// A ring that takes longer to go around is indexed.
  private static let lapNanosecondsMin: Int64 = 4_000_000_000

  private let failure = Guarded<String?>(nil)
  private let isSealed = StopToken()
  private let thread: WorkerThread

  /// `firstSequence`: that of the recording, which goes on with a capture that is there.
  init(
    _ capture: Capture, rule: TopicRule, sequences: [SequenceRule], codecs: [CodecRule],
    firstSequence: UInt64, progress: IndexProgress
  ) {
    thread = WorkerThread(name: "zcap indexer", priority: .background) { [failure, isSealed] in
      var isLast = false
      repeat {
        isLast = isSealed.isRequested
        do {
          let indexer = try Indexer(
            continuing: capture, rule: rule, sequences: sequences, codecs: codecs,
            verifying: .header)
          while indexer.nextSequence < firstSequence,
            try indexer.advance(upTo: firstSequence) == .behind
          {}
          let lostBefore = indexer.messagesLostOnTheWay
          try Self.follow(indexer, until: isSealed) { isWaiting in
            let messages = max(indexer.nextSequence, firstSequence) - firstSequence
            progress.messages.store(messages, ordering: .relaxed)
            progress.lost.store(indexer.messagesLostOnTheWay - lostBefore, ordering: .relaxed)
            progress.isWaiting.store(isWaiting, ordering: .relaxed)
          }
          failure.withLock { $0 = nil }
          return
        } catch {
          failure.withLock { $0 = "\(error)" }
        }
        // A disk that is full may have room again.
        _ = isSealed.wait(
          untilMonotonicNanoseconds: CaptureClock.monotonicNanoseconds()
            + Self.intervalNanosecondsMax)
      } while !isLast
    }
  }

  /// Indexes what is left of the sealed capture and ends the thread. Returns what went wrong.
  func finish() -> String? {
    isSealed.request()
    thread.join()
    return failure.withLock { $0 }
  }

  private static func follow(
    _ indexer: Indexer, until isSealed: StopToken, progress: (_ isWaiting: Bool) -> Void
  ) throws {
    var interval = intervalNanoseconds
    while true {
      let isLast = isSealed.isRequested
      let before = indexer.nextSequence
      var isBehind = true
      while isBehind {
        let isWaiting = try !isLast && indexer.isLapped(within: lapNanosecondsMin)
        if isWaiting { indexer.leaveRetired() }
        isBehind = try !isWaiting && indexer.advance() == .behind
        progress(isWaiting)
      }
      if isLast { break }
      let isBusy = indexer.nextSequence - before >= messagesMany
      interval = isBusy ? intervalNanoseconds : min(interval * 2, intervalNanosecondsMax)
      _ = isSealed.wait(
        untilMonotonicNanoseconds: CaptureClock.monotonicNanoseconds() + interval)
    }
    try indexer.close()
  }
}
