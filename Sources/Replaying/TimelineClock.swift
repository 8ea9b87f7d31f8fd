import CaptureIndex
import CaptureStore

/// Turns recorded times into positions on one timeline that never runs backwards.
///
/// Within a boot the monotonic clock counts, which no one steps. From one boot to the next the
/// real-time clocks bridge the gap. A loop begins when the one before has ended.
struct TimelineClock {
  /// The position of the last message.
  private(set) var played: Int64
  private let gapNanosecondsMax: Int64
  private var bootID: UInt128?
  /// What to add to monotonic times of the present boot and loop.
  private var shift: Int64 = 0
  /// When the last message was received, or where the timeline began; nil where it begins with the
  /// first message.
  private var lastUnix: Int64?

  /// Goes on behind what was played. Gaps count as `gapNanosecondsMax` at most; nil keeps them.
  init(played: Int64 = 0, gapNanosecondsMax: Int64? = nil) {
    self.played = played
    self.gapNanosecondsMax = gapNanosecondsMax ?? .max
  }

  /// `time`: where the loop begins, in Unix nanoseconds; nil where it does with its first message.
  mutating func beginLoop(at time: Int64? = nil) {
    bootID = nil
    lastUnix = time
  }

  mutating func position(of message: RecordedMessage) -> Int64 {
    let clock = message.segment.header.clock
    let monotonic = message.record.monotonicNanoseconds
    if bootID != clock.bootID {
      let gap = lastUnix.map { max(0, message.unixNanoseconds &- $0) } ?? 0
      shift = played &+ gap &- monotonic
      bootID = clock.bootID
    }
    lastUnix = message.unixNanoseconds
    let gap = monotonic &+ shift &- played
    if gap > gapNanosecondsMax { shift &-= gap - gapNanosecondsMax }
    played = max(played, monotonic &+ shift)
    return played
  }
}
