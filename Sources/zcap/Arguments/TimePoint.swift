import ArgumentParser
import CaptureIndex
import Foundation

/// A point in a capture: RFC 3339, a time as zcap prints it for people (UTC, with a space before the hours),
/// `+1m30s` from its start, `-10s` from its end.
enum TimePoint: ExpressibleByArgument {
  case unix(nanoseconds: Int64)
  case afterStart(TimeSpan)
  case beforeEnd(TimeSpan)

  init?(argument: String) {
    switch argument.first {
    case "+":
      guard let span = TimeSpan(argument: String(argument.dropFirst())) else { return nil }
      self = .afterStart(span)
    case "-":
      guard let span = TimeSpan(argument: String(argument.dropFirst())) else { return nil }
      self = .beforeEnd(span)
    default:
      guard let nanoseconds = Self.unixNanoseconds(argument) else { return nil }
      self = .unix(nanoseconds: nanoseconds)
    }
  }

  /// Foundation reads the whole seconds, we the digits behind them, all nine.
  private static func unixNanoseconds(_ text: String) -> Int64? {
    var text = text
    if let space = text.firstIndex(of: " "), text.last?.isNumber == true {
      text.replaceSubrange(space...space, with: "T")
      text += "Z"
    }
    var seconds = text
    var nanoseconds: Int64 = 0
    if let point = text.firstIndex(of: ".") {
      let digits = text[text.index(after: point)...].prefix { $0.isASCII && $0.isNumber }
      guard !digits.isEmpty else { return nil }
      let nine = (digits + "000000000").prefix(9)
      nanoseconds = Int64(nine) ?? 0
      let end = text.index(point, offsetBy: digits.count + 1)
      seconds = String(text[..<point] + text[end...])
    }
    guard let date = try? Date(seconds, strategy: .iso8601) else { return nil }
    // Nanoseconds since 1970 reach to the year 2262.
    let (whole, isTooLate) = Int64(date.timeIntervalSince1970)
      .multipliedReportingOverflow(by: 1_000_000_000)
    return isTooLate ? nil : whole.addingReportingOverflow(nanoseconds).partialValue
  }

  /// Unix nanoseconds, for a capture that holds what the overview says.
  func resolved(in overview: IndexReader.Overview) -> Int64 {
    switch self {
    case .unix(let nanoseconds): nanoseconds
    case .afterStart(let span): (overview.first ?? 0) &+ span.nanoseconds
    case .beforeEnd(let span): (overview.last ?? 0) &- span.nanoseconds
    }
  }
}
