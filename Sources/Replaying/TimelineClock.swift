/// Turns positions in a recording into positions on the timeline that is played: over all loops and
/// seeks, long silences cut, never backwards. A loop begins when the one before has ended.
struct TimelineClock {
  /// The position of the last message: nanoseconds.
  private(set) var played: Int64
  private let gapNanosecondsMax: Int64
  /// Where in the recording the last message was, or the timeline began; nil where it begins with the
  /// first message.
  private var last: Int64?

  /// Goes on behind what was played. Gaps count as `gapNanosecondsMax` at most; nil keeps them.
  init(played: Int64 = 0, gapNanosecondsMax: Int64? = nil) {
    self.played = played
    self.gapNanosecondsMax = gapNanosecondsMax ?? .max
  }

  /// `position`: where in the recording the loop begins; nil where it does with its first message.
  mutating func beginLoop(at position: Int64? = nil) { last = position }

  /// Goes on to a message of the recording. Returns where it is on the timeline.
  mutating func advance(to position: Int64) -> Int64 {
    if let last {
      let (gap, isBeyond) = position.subtractingReportingOverflow(last)
      let time = isBeyond ? (position > last ? Int64.max : 0) : max(0, gap)
      let (sum, isTooLong) = played.addingReportingOverflow(min(time, gapNanosecondsMax))
      played = isTooLong ? .max : sum
    }
    last = max(last ?? position, position)
    return played
  }
}
