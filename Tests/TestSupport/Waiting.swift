import Foundation

/// Something that a test needs did not work, or did not happen in time.
public struct TestFailure: Error, CustomStringConvertible, Sendable {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Waits until `value` gives something, looking often; throws when it takes too long.
@discardableResult
public func waitFor<Value>(
  _ what: String, seconds: Double = 30, _ value: () throws -> Value?
) throws -> Value {
  let deadline = monotonicSeconds() + seconds
  while true {
    if let value = try value() { return value }
    if monotonicSeconds() > deadline { throw TestFailure("\(what): not within \(seconds) s") }
    usleep(2_000)
  }
}

/// Waits until a condition holds.
public func waitFor(
  _ what: String, seconds: Double = 30, _ condition: () throws -> Bool
) throws {
  try waitFor(what, seconds: seconds) { () throws -> Void? in try condition() ? () : nil }
}

/// The monotonic clock, in seconds. Source: `clock_gettime(2)`.
public func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
