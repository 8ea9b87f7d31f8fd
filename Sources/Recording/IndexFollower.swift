import CaptureIndex
import CaptureStore
import Synchronization
import Threads

/// The thread that indexes a capture while it is being recorded.
///
/// It follows the segments as any reader does. It may lag or fail; recording goes on.
final class IndexFollower: Sendable {
  /// How often the index is brought up to date: one transaction each.
  private static let intervalNanoseconds: Int64 = 250_000_000

  private final class Shared: Sendable {
    let messagesIndexed = Atomic<UInt64>(0)
    let failure = Guarded<String?>(nil)
  }

  private let shared = Shared()
  private let isSealed = StopToken()
  private let thread: WorkerThread

  /// `firstSequence`: that of the recording, which goes on with a capture that is there.
  init(_ capture: Capture, rule: TopicRule, firstSequence: UInt64) {
    thread = WorkerThread(name: "zcap indexer") { [shared, isSealed] in
      do {
        try Self.follow(capture, rule, until: isSealed) {
          shared.messagesIndexed.store(
            $0 > firstSequence ? $0 - firstSequence : 0, ordering: .relaxed)
        }
      } catch {
        shared.failure.withLock { $0 = "\(error)" }
      }
    }
  }

  var messagesIndexed: UInt64 { shared.messagesIndexed.load(ordering: .relaxed) }

  /// Indexes what is left of the sealed capture and ends the thread. Returns what went wrong.
  func finish() -> String? {
    isSealed.request()
    thread.join()
    return shared.failure.withLock { $0 }
  }

  private static func follow(
    _ capture: Capture, _ rule: TopicRule, until isSealed: StopToken,
    progress: (UInt64) -> Void
  ) throws {
    let indexer = try Indexer(continuing: capture, rule: rule, verifying: .header)
    while true {
      let isLast = isSealed.isRequested
      while try indexer.advance() == .behind { progress(indexer.nextSequence) }
      progress(indexer.nextSequence)
      if isLast { break }
      let now = CaptureClock.monotonicNanoseconds()
      _ = isSealed.wait(untilMonotonicNanoseconds: now + intervalNanoseconds)
    }
    try indexer.close()
  }
}
