import CaptureStore
import Glibc
import Threads

/// When each message of a replay is due, and the wait for it: one anchor, absolute times, no drift.
///
///     anchor                      deadline
///     |<-- of the play time ------->|        play time: what the pace makes of the position
///     origin                    position
///
/// Only who changes the timeline itself moves the anchor: a pause, a seek, another pace.
struct Pacer {
  /// Where in what is played a message is: all that came before it.
  struct Position {
    /// Nanoseconds of recorded time.
    var timeline: Int64 = 0
    var messages: UInt64 = 0
    var bytes: UInt64 = 0
  }

  /// A century: what a tiny rate makes of a timeline must fit into nanoseconds.
  private static let waitMax = 3.2e18

  private(set) var pace: ReplayPlan.Pace
  private let spinNanoseconds: Int64
  private var anchor: Int64
  private var origin: Position

  /// Anchors the beginning at this moment.
  init(_ pace: ReplayPlan.Pace, spinNanoseconds: Int64) {
    self.pace = pace
    self.spinNanoseconds = spinNanoseconds
    anchor = CaptureClock.monotonicNanoseconds()
    origin = Position()
  }

  /// On the monotonic clock; nil at full speed, when everything is due.
  func deadline(of position: Position) -> Int64? {
    let wait: Double
    switch pace {
    case .max: return nil
    case .rate(let rate):
      wait = Double(position.timeline - origin.timeline) / rate
    case .messagesPerSecond(let rate):
      wait = (Double(position.messages) - Double(origin.messages)) / rate * 1e9
    case .bytesPerSecond(let rate):
      wait = (Double(position.bytes) - Double(origin.bytes)) / rate * 1e9
    }
    return anchor &+ Int64(max(-Self.waitMax, min(wait.rounded(), Self.waitMax)))
  }

  /// Sleeps and then spins until a deadline. Returns the time then; nil when a stop was requested
  /// or the bell rang before.
  func wait(until deadline: Int64, stop: StopToken, bell: Doorbell) -> Int64? {
    var now = CaptureClock.monotonicNanoseconds()
    if deadline - now > spinNanoseconds {
      if stop.wait(untilMonotonicNanoseconds: deadline - spinNanoseconds, bell: bell) { return nil }
      now = CaptureClock.monotonicNanoseconds()
    }
    while now < deadline {
      if bell.isRung || stop.isRequested { return nil }
      now = CaptureClock.monotonicNanoseconds()
    }
    return now
  }

  /// From here on a position is due at a time, and what follows it accordingly.
  mutating func anchor(_ position: Position, at time: Int64) {
    anchor = time
    origin = position
  }

  /// Moves everything that is still due.
  mutating func delay(by nanoseconds: Int64) { anchor &+= nanoseconds }

  /// Goes on at another pace. What is left of the wait for the next message is waited at it.
  mutating func change(to new: ReplayPlan.Pace, next: Position, at now: Int64) {
    var left = max(0, (deadline(of: next) ?? now) - now)
    if case .rate(let old) = pace, case .rate(let rate) = new {
      left = Int64(min(Double(left) * (old / rate), Self.waitMax))
    }
    pace = new
    anchor(next, at: now &+ left)
  }
}
