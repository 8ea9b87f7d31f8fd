import ArgumentParser

/// A length of time on the command line: `10s`, `1m30s`, `500ms`, `2h`, or plain seconds `2.5`.
struct TimeSpan: ExpressibleByArgument {
  var nanoseconds: Int64

  private static let units: [(name: String, nanoseconds: Double)] = [
    ("ms", 1e6), ("us", 1e3), ("ns", 1), ("h", 3.6e12), ("m", 6e10), ("s", 1e9), ("d", 8.64e13),
  ]

  init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  init?(argument: String) {
    if let seconds = Double(argument), argument.last?.isNumber == true {
      guard seconds >= 0, seconds < 9e9 else { return nil }
      nanoseconds = Int64((seconds * 1e9).rounded())
      return
    }
    var rest = Substring(argument)
    var total = 0.0
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      rest = rest.dropFirst(digits.count)
      guard let number = Double(digits),
        let unit = Self.units.first(where: { rest.hasPrefix($0.name) })
      else { return nil }
      total += number * unit.nanoseconds
      rest = rest.dropFirst(unit.name.count)
    }
    guard !argument.isEmpty, total < 9e18 else { return nil }
    nanoseconds = Int64(total.rounded())
  }

  var defaultValueDescription: String { Units.duration(nanoseconds) }
}
