import Glibc

/// Numbers, sizes, times and durations as people read them.
enum Units {
  /// `1,234,567`.
  static func count(_ value: some BinaryInteger) -> String {
    let digits = String(value)
    var text = ""
    for (index, digit) in digits.enumerated() {
      let left = digits.count - index
      if index > 0 && left % 3 == 0 && text.last != "-" { text += "," }
      text.append(digit)
    }
    return text
  }

  /// `1 message`, `2,000 messages`.
  static func count(_ value: some BinaryInteger, _ one: String, _ many: String) -> String {
    value == 1 ? "1 \(one)" : "\(count(value)) \(many)"
  }

  /// The same where the plural is regular.
  static func count(_ value: some BinaryInteger, _ one: String) -> String {
    count(value, one, one + "s")
  }

  /// `960 B`, `1.5 MB`: decimal, as rates of networks and disks are.
  static func bytes(_ value: some BinaryInteger) -> String {
    scaled(Double(value), by: 1000, ["B", "kB", "MB", "GB", "TB", "PB"])
  }

  /// `256 MiB`: for sizes that are powers of two.
  static func binary(_ value: some BinaryInteger) -> String {
    scaled(Double(value), by: 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
  }

  private static func scaled(_ value: Double, by step: Double, _ units: [String]) -> String {
    var value = value
    var unit = 0
    while value >= step && unit + 1 < units.count {
      value /= step
      unit += 1
    }
    return unit == 0 || value.rounded() == value
      ? "\(Int(value)) \(units[unit])" : "\(fixed(value, 1)) \(units[unit])"
  }

  /// A number with a fixed count of decimals.
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    let factor = pow(10, Double(decimals))
    guard value.magnitude * factor < 9e18 else { return "\(value)" }
    let scaled = Int64((value.magnitude * factor).rounded())
    let sign = value < 0 && scaled != 0 ? "-" : ""
    if decimals == 0 { return "\(sign)\(scaled)" }
    let fraction = String(scaled % Int64(factor))
    let zeros = String(repeating: "0", count: decimals - fraction.count)
    return "\(sign)\(scaled / Int64(factor)).\(zeros)\(fraction)"
  }

  /// `1h02m03s`, `12.5s`, `3.2ms`.
  static func duration(_ nanoseconds: Int64) -> String {
    let seconds = Double(nanoseconds) / 1e9
    if seconds < 0.001 { return "\(nanoseconds / 1000)us" }
    if seconds < 1 { return "\(fixed(seconds * 1000, 1))ms" }
    if seconds < 60 {
      let text = fixed(seconds, 2)
      return text.hasSuffix(".00") ? "\(text.dropLast(3))s" : "\(text)s"
    }
    let whole = Int64(seconds.rounded())
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    let tail = twoDigits(whole % 60)
    return hours > 0 ? "\(hours)h\(twoDigits(minutes))m\(tail)s" : "\(minutes)m\(tail)s"
  }

  private static func twoDigits(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

  /// RFC 3339 in UTC with all nine decimals: `2026-11-23T01:02:03.123456789Z`.
  static func time(_ unixNanoseconds: Int64) -> String {
    let (seconds, nanoseconds) = split(unixNanoseconds)
    let fraction = String(nanoseconds)
    let zeros = String(repeating: "0", count: 9 - fraction.count)
    return "\(format(seconds, "%Y-%m-%dT%H:%M:%S")).\(zeros)\(fraction)Z"
  }

  /// For tables: `2026-11-23 01:02:03.123`.
  static func shortTime(_ unixNanoseconds: Int64) -> String {
    let (seconds, nanoseconds) = split(unixNanoseconds)
    let fraction = String(nanoseconds / 1_000_000)
    let zeros = String(repeating: "0", count: 3 - fraction.count)
    return "\(format(seconds, "%Y-%m-%d %H:%M:%S")).\(zeros)\(fraction)"
  }

  static func split(_ unixNanoseconds: Int64) -> (seconds: Int64, nanoseconds: Int64) {
    let (quotient, remainder) = unixNanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    return remainder < 0 ? (quotient - 1, remainder + 1_000_000_000) : (quotient, remainder)
  }

  /// Source: `gmtime_r(3)`, `strftime(3)`.
  private static func format(_ seconds: Int64, _ pattern: String) -> String {
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    var text = [CChar](repeating: 0, count: 64)
    let count = strftime(&text, text.count, pattern, &parts)
    return String(decoding: text[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
