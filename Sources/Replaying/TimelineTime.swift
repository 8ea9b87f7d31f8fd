/// What tells where in the recording a replay is at any moment, between two messages, too.
struct TimelineTime {
  /// Of the last message, or where it went on: nanoseconds of the recording.
  var position: Int64 = 0
  /// The next message, while it is waited for: when it is due on the monotonic clock, and where it is.
  var next: (due: Int64, position: Int64)?
  /// Times the recorded pace; nil at another.
  var rate: Double?
  var isPaused = false

  /// How fast it goes; 0 while it stands, nil at a pace that is no rate.
  var speed: Double? { isPaused ? 0 : rate }

  /// Where it is at a time of the monotonic clock: between two messages it goes on at its rate, in a
  /// pause it stands. At a pace that is no rate it goes from message to message.
  func position(at now: Int64) -> Int64 {
    guard let next, let rate, !isPaused else { return position }
    let left = min(Double(max(0, next.due - now)) * rate, 9e18)
    return max(position, next.position &- Int64(left))
  }
}
