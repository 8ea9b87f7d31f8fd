import CaptureStore
import Synchronization

/// Counts that the sending thread publishes and any thread reads.
final class ReplayCounters: Sendable {
  let peers = Atomic<Int>(0)
  private let phase = Atomic<UInt8>(0)
  private let started = Atomic<Int64>(CaptureClock.monotonicNanoseconds())
  private let messages = Atomic<UInt64>(0)
  private let bytes = Atomic<UInt64>(0)
  private let timeline = Atomic<Int64>(0)
  private let held = Atomic<Int64>(0)
  private let position = Atomic<Int64>(0)
  private let isPaused = Atomic<Bool>(false)
  /// The bits of a rate; 0 where the pace is another.
  private let rate = Atomic<UInt64>(0)
  /// 0 for none.
  private let nextDue = Atomic<Int64>(0)
  /// Kept where somebody asks for it at any time.
  private let time: Mutex<TimelineTime>?

  init(keepsTime: Bool = false) { time = keepsTime ? Mutex(TimelineTime()) : nil }

  private static let phases: [ReplayStatus.Phase] = [.waitingForPeers, .playing, .draining]

  func setPhase(_ new: ReplayStatus.Phase) {
    if new == .playing {
      started.store(CaptureClock.monotonicNanoseconds(), ordering: .relaxed)
    }
    phase.store(UInt8(Self.phases.firstIndex(of: new)!), ordering: .relaxed)
  }

  /// `next`: as `setNext` has it, at this pace.
  func setState(
    isPaused: Bool, _ pace: ReplayPlan.Pace, next: (due: Int64, position: Int64)? = nil
  ) {
    self.isPaused.store(isPaused, ordering: .relaxed)
    var bits: UInt64 = 0
    if case .rate(let value) = pace { bits = value.bitPattern }
    rate.store(bits, ordering: .relaxed)
    change { time in
      time.isPaused = isPaused
      time.next = next
      if case .rate(let value) = pace { time.rate = value } else { time.rate = nil }
    }
  }

  /// When the next message is due, on the monotonic clock, and where in the recording it is; nil while
  /// none is waited for.
  func setNext(_ due: Int64?, position next: Int64) {
    nextDue.store(due ?? 0, ordering: .relaxed)
    change { time in time.next = due.map { (due: $0, position: next) } }
  }

  /// While a message is held up: it stands where that is due.
  func setHeld(_ nanoseconds: Int64) { held.store(nanoseconds, ordering: .relaxed) }

  /// The time of the timeline at this moment; nil where it is not kept, and while nothing is played.
  var timelineTime: TimelineTime? {
    phase.load(ordering: .relaxed) == 1 ? time?.withLock { $0 } : nil
  }

  private func change(_ body: (inout TimelineTime) -> Void) {
    time?.withLock { body(&$0) }
  }

  /// A message was passed, or it goes on elsewhere.
  func publish(_ summary: borrowing ReplaySummary, position place: Int64) {
    position.store(place, ordering: .relaxed)
    messages.store(summary.messages, ordering: .relaxed)
    bytes.store(summary.bytes, ordering: .relaxed)
    timeline.store(summary.timelineNanoseconds, ordering: .relaxed)
    held.store(summary.heldNanoseconds, ordering: .relaxed)
    change { time in
      time.position = place
      time.next = nil
    }
  }

  var status: ReplayStatus {
    let now = CaptureClock.monotonicNanoseconds()
    let due = nextDue.load(ordering: .relaxed)
    let bits = rate.load(ordering: .relaxed)
    return ReplayStatus(
      phase: Self.phases[Int(phase.load(ordering: .relaxed))],
      elapsedNanoseconds: now - started.load(ordering: .relaxed),
      messages: messages.load(ordering: .relaxed),
      bytes: bytes.load(ordering: .relaxed),
      timelineNanoseconds: timeline.load(ordering: .relaxed),
      heldNanoseconds: held.load(ordering: .relaxed),
      positionNanoseconds: position.load(ordering: .relaxed),
      isPaused: isPaused.load(ordering: .relaxed),
      rate: bits == 0 ? nil : Double(bitPattern: bits),
      nextDue: due == 0 ? nil : due,
      peers: peers.load(ordering: .relaxed))
  }
}
