import Histogram

/// How far behind their deadlines messages went out: how often, and how it is distributed.
///
/// Values are nanoseconds, within a thousandth of what they were (a hundredth in rough), up to an hour.
/// Source: HdrHistogram.
public struct Lateness: Sendable {
  private static let tracked: UInt64 = 3_600_000_000_000

  /// Of these, as many were later than `limit`.
  public private(set) var lateCount: UInt64 = 0
  public private(set) var nanosecondsMax: Int64 = 0
  /// From which on a message counts as late; nil counts none.
  public let limit: Int64?
  private var histogram: Histogram<UInt32>

  /// `isRough`: in a tenth of the memory, for where there are many.
  public init(limit: Int64? = nil, isRough: Bool = false) {
    self.limit = limit
    var histogram = Histogram<UInt32>(numberOfSignificantValueDigits: isRough ? .two : .three)
    histogram.autoResize = true
    self.histogram = histogram
  }

  /// Messages that had a deadline.
  public var count: UInt64 { histogram.totalCount }

  mutating func record(_ nanoseconds: Int64) {
    let value = UInt64(max(0, nanoseconds))
    _ = histogram.record(min(value, Self.tracked))
    nanosecondsMax = max(nanosecondsMax, nanoseconds)
    if let limit, nanoseconds > limit { lateCount += 1 }
  }

  /// As late at most were this many of a hundred; nil where there are none.
  public func nanoseconds(percentile: Double) -> Int64? {
    guard count > 0 else { return nil }
    return min(Int64(clamping: histogram.valueAtPercentile(percentile)), nanosecondsMax)
  }
}
