import CaptureStore
import Foundation
import Synchronization
import Threads

/// Makes captures of windows of a ring, for all that trigger, from any thread.
///
/// Each lies beside the ring and has its name and the time in UTC; no two have the same.
final class Pinner: Sendable {
  private let plan: RecordingPlan
  private let begin: @Sendable (PinRequest) -> Bool
  /// Of the ring, whatever folder others are in.
  private let ring: String
  /// Of the latest name, since 1970.
  private let milliseconds = Atomic<Int64>(0)
  private let events = Guarded<[StoredEvent]>([])
  private let eventCount = Atomic<Int>(0)

  init(_ plan: RecordingPlan, writer: CaptureWriter) {
    self.plan = plan
    begin = writer.pinner
    ring = URL(filePath: plan.capture).path
  }

  /// Begins with the window around a time on the monotonic clock. Returns the path of the capture
  /// that is made in the background; nil where the recording has ended.
  func pin(at time: Int64, before: Int64?, after: Int64?, label: String) -> String? {
    let date = date(of: time)
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    let compact = Date.ISO8601FormatStyle(
      dateSeparator: .omitted, timeSeparator: .omitted, includingFractionalSeconds: true)
    let request = PinRequest(
      path: "\(ring).\(date.formatted(compact))", time: time,
      before: before ?? plan.triggerWindow.before, after: after ?? plan.triggerWindow.after,
      labels: ["triggered": date.formatted(style), "trigger": label])
    guard begin(request) else { return nil }
    events.withLock {
      $0.append(
        StoredEvent(
          "triggered", monotonicNanoseconds: time,
          [
            "capture": .text(request.path), "reason": .text(label),
            "before_ms": .number(request.before / 1_000_000),
            "after_ms": .number(request.after / 1_000_000),
          ]))
    }
    eventCount.wrappingAdd(1, ordering: .releasing)
    return request.path
  }

  /// What triggered since the last call, for the recording thread: it has the capture's place for
  /// events.
  func takeEvents() -> [StoredEvent] {
    guard eventCount.load(ordering: .relaxed) > 0 else { return [] }
    eventCount.store(0, ordering: .relaxed)
    return events.withLock { events in
      defer { events = [] }
      return events
    }
  }

  /// The time of day, later by milliseconds where another window has that.
  private func date(of time: Int64) -> Date {
    let now = ClockPair.now()
    let wanted = (now.unixNanoseconds - (now.monotonicNanoseconds - time)) / 1_000_000
    var last = milliseconds.load(ordering: .relaxed)
    while true {
      let next = max(wanted, last + 1)
      let (isTaken, found) = milliseconds.compareExchange(
        expected: last, desired: next, ordering: .relaxed)
      if isTaken { return Date(timeIntervalSince1970: Double(next) / 1000) }
      last = found
    }
  }
}
