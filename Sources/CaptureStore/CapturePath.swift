/// The names inside a capture's directory.
public enum CapturePath {
  public static func manifest(_ capture: String) -> String { "\(capture)/capture.json" }
  public static func index(_ capture: String) -> String { "\(capture)/index.sqlite" }
  public static func schemas(_ capture: String) -> String { "\(capture)/schemas" }
  public static func segments(_ capture: String) -> String { "\(capture)/segments" }

  /// The file of a segment.
  public static func segment(_ capture: String, _ number: UInt64) -> String {
    "\(segments(capture))/\(segmentName(number))"
  }

  static let segmentSuffix = ".zseg"

  /// Twelve digits, so that names sort as numbers do.
  static func segmentName(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 12 - digits.count)) + digits + segmentSuffix
  }

  /// The number in a segment's name; nil for a file of another kind.
  static func segmentNumber(_ name: String) -> UInt64? {
    guard name.hasSuffix(segmentSuffix) else { return nil }
    let digits = name.dropLast(segmentSuffix.count)
    // What `segmentName` does not write is a file of somebody else.
    guard let number = UInt64(digits), number <= FormatLimits.countMax, segmentName(number) == name
    else {
      return nil
    }
    return number
  }

  /// The number of the segment that a kept file was torn from: `NNNNNNNNNNNN.zseg.torn`, or the
  /// same with `.2`, `.3` and so on behind it. nil for a file of another kind.
  static func tornNumber(_ name: String) -> UInt64? {
    let parts = name.split(separator: ".")
    guard parts.count >= 3, parts[2] == "torn" else { return nil }
    return segmentNumber("\(parts[0]).\(parts[1])")
  }
}
