import CaptureStore
import Synchronization

/// Counts that the recording thread publishes and any thread reads.
final class RecordingCounters: Sendable {
  let started = CaptureClock.monotonicNanoseconds()
  let refused = Atomic<UInt64>(0)
  private let messages = Atomic<UInt64>(0)
  private let bytes = Atomic<UInt64>(0)
  private let ended = Atomic<Int64>(0)
  private let byEndpoint: [Count]

  private final class Count: Sendable {
    let value = Atomic<UInt64>(0)
  }

  init(endpoints: Int) { byEndpoint = (0..<endpoints).map { _ in Count() } }

  func add(_ count: Int, endpoint: Int) {
    if count > 0 { byEndpoint[endpoint].value.wrappingAdd(UInt64(count), ordering: .relaxed) }
  }

  func messages(endpoint: Int) -> UInt64 {
    byEndpoint[endpoint].value.load(ordering: .relaxed)
  }

  func publish(messages: UInt64, bytes: UInt64) {
    self.messages.store(messages, ordering: .relaxed)
    self.bytes.store(bytes, ordering: .relaxed)
  }

  /// Recording is over: sealing and indexing do not count as its time.
  func end() { ended.store(CaptureClock.monotonicNanoseconds(), ordering: .relaxed) }

  func status(indexed: IndexProgress, possibleLosses: UInt64) -> RecordingStatus {
    let refused = refused.load(ordering: .relaxed)
    // Those that were refused are told by themselves.
    let lost = indexed.lost.load(ordering: .relaxed) - Int64(clamping: refused)
    let ended = ended.load(ordering: .relaxed)
    let now = ended > 0 ? ended : CaptureClock.monotonicNanoseconds()
    return RecordingStatus(
      elapsedNanoseconds: now - started,
      messages: messages.load(ordering: .relaxed),
      bytes: bytes.load(ordering: .relaxed),
      messagesRefused: refused,
      messagesByEndpoint: byEndpoint.map { $0.value.load(ordering: .relaxed) },
      messagesIndexed: indexed.messages.load(ordering: .relaxed),
      messagesLost: UInt64(max(0, lost)), possibleLosses: possibleLosses)
  }
}
