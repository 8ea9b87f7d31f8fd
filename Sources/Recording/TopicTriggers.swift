import CaptureStore

/// When messages of topics that trigger ask for the window around them.
///
/// Each of them has its window, in as few captures as that takes:
///
/// ```
///   one asks     1 s later                its window ends, and
///      |             |                    the newest that was held back asks
///   ---|-------------|--------------------|------------------------------------
///         these are       these are            from here on others ask
///         covered         held back
/// ```
struct TopicTriggers {
  /// Messages that come within this time are one trigger, whose window is that much longer. It is
  /// the least time between two windows, too: each message could make a capture otherwise.
  static let together: Int64 = 1_000_000_000

  /// A message that triggers: when it came, on the monotonic clock, and its prefix by number.
  struct Trigger: Hashable {
    var time: Int64
    var prefix: Int
  }

  let prefixes: [[UInt8]]
  /// Nanoseconds of a window behind the message that asks for it.
  let after: Int64
  /// Everything that triggers up to here has its window.
  private var coveredUntil = Int64.min
  /// The window that was asked for last ends here.
  private var windowEnd = Int64.min
  /// The newest that is not covered.
  private var heldBack: Trigger?

  /// `after`: nanoseconds that are promised behind each of them.
  init(prefixes: [[UInt8]], after: Int64) {
    self.prefixes = prefixes
    self.after = Self.sum(after, Self.together)
  }

  /// Whether what triggers at this time has its window already.
  func isCovered(_ time: Int64) -> Bool { time <= coveredUntil }

  /// The number of the prefix that a topic starts with.
  func prefix(of topic: UnsafeRawBufferPointer) -> Int? {
    prefixes.firstIndex { unsafe topic.starts(with: $0) }
  }

  /// Takes note of a message that triggers. Returns whether its window is to be asked for now.
  mutating func take(_ trigger: Trigger) -> Bool {
    guard !isCovered(trigger.time) else { return false }
    guard trigger.time >= windowEnd else {
      heldBack = trigger
      return false
    }
    open(trigger)
    return true
  }

  /// One that was held back, and whose window is to be asked for now.
  mutating func takeDue(_ now: Int64) -> Trigger? {
    guard let trigger = heldBack, now >= windowEnd else { return nil }
    heldBack = nil
    open(trigger)
    return trigger
  }

  /// The windows of those in between lie in the one before and in this one: it is the newest.
  private mutating func open(_ trigger: Trigger) {
    coveredUntil = Self.sum(trigger.time, Self.together)
    windowEnd = Self.sum(trigger.time, after)
  }

  /// Longer than any machine runs is as long as it runs.
  private static func sum(_ time: Int64, _ length: Int64) -> Int64 {
    let (sum, isOverflow) = time.addingReportingOverflow(length)
    return isOverflow ? .max : sum
  }
}
