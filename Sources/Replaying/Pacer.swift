import CaptureStore
import Glibc
import Threads

/// Waits for the deadlines of a replay: one anchor, absolute times, no drift.
struct Pacer {
  /// The kernel wakes a sleeper some tens of microseconds late; the rest is spent spinning.
  private static let spinNanoseconds: Int64 = 60_000

  /// A century: what a tiny rate makes of a timeline must fit into nanoseconds.
  private static let waitMax = 3.2e18

  private let rate: Double?
  private(set) var anchor: Int64
  private(set) var latenessNanosecondsMax: Int64 = 0

  /// Anchors the timeline at this moment.
  init(_ pace: ReplayPlan.Pace) {
    rate = if case .rate(let rate) = pace { rate } else { nil }
    anchor = CaptureClock.monotonicNanoseconds()
  }

  /// Waits until a position of the timeline is due. Returns false when a stop was requested.
  mutating func wait(for timeline: Int64, stop: StopToken) -> Bool {
    guard let rate else { return !stop.isRequested }
    let deadline = anchor + Int64(min((Double(timeline) / rate).rounded(), Self.waitMax))
    var now = CaptureClock.monotonicNanoseconds()
    if deadline - now > Self.spinNanoseconds {
      let isStopped = stop.wait(untilMonotonicNanoseconds: deadline - Self.spinNanoseconds)
      if isStopped { return false }
      now = CaptureClock.monotonicNanoseconds()
    }
    while now < deadline { now = CaptureClock.monotonicNanoseconds() }
    latenessNanosecondsMax = max(latenessNanosecondsMax, now - deadline)
    return !stop.isRequested
  }
}
