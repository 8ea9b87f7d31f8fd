/// A time of MessagePack's extension type -1.
struct MessagePackTimestamp {
  static let extensionType: Int8 = -1

  let seconds: Int64
  let nanoseconds: UInt32

  /// - Returns: `nil` if the bytes are of none of the three sizes, or hold more nanoseconds than a
  ///   second has. Source: the MessagePack specification, "Timestamp extension type".
  init?(_ content: RawSpan) {
    switch content.byteCount {
    case 4:
      seconds = Int64(UInt32(bigEndian: content.load(UInt32.self, at: 0)))
      nanoseconds = 0
    case 8:
      let packed = UInt64(bigEndian: content.load(UInt64.self, at: 0))
      seconds = Int64(packed & 0x3_FFFF_FFFF)
      nanoseconds = UInt32(packed >> 34)
    case 12:
      nanoseconds = UInt32(bigEndian: content.load(UInt32.self, at: 0))
      seconds = Int64(bigEndian: content.load(Int64.self, at: 4))
    default:
      return nil
    }
    guard nanoseconds < 1_000_000_000 else { return nil }
  }

  /// RFC 3339, always with nine digits behind the second; `nil` outside of the years 0 to 9999, which
  /// are all that the RFC has.
  var text: String? {
    let (days, second) = seconds.dividedRoundingDown(by: 86_400)
    guard (-719_528...2_932_896).contains(days) else { return nil }
    let (year, month, day) = Self.date(daysSince1970: days)
    let time = [second / 3600, second / 60 % 60, second % 60].map { Self.padded($0, 2) }
    return "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
      + "T\(time.joined(separator: ":")).\(Self.padded(Int64(nanoseconds), 9))Z"
  }

  /// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`. Its years
  /// begin in March, so that the leap day is the last one.
  private static func date(
    daysSince1970: Int64
  ) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (daysSince1970 + 719_468).dividedRoundingDown(by: 146_097)
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension Int64 {
  /// The quotient towards minus infinity, and a remainder that is not negative.
  fileprivate func dividedRoundingDown(by divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
