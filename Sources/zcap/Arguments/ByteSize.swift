import ArgumentParser

/// A size on the command line: `1500`, `64MiB`, `10GB`, `1.5GiB`.
struct ByteSize: ExpressibleByArgument {
  var bytes: Int

  private static let units: [String: Double] = [
    "": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KIB": 1024, "MIB": 1_048_576, "GIB": 1_073_741_824, "TIB": 1_099_511_627_776,
    "K": 1024, "M": 1_048_576, "G": 1_073_741_824, "T": 1_099_511_627_776,
  ]

  init(bytes: Int) { self.bytes = bytes }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = argument.dropFirst(digits.count).uppercased()
    guard let number = Double(digits), let factor = Self.units[unit] else { return nil }
    let bytes = (number * factor).rounded()
    guard bytes >= 1, bytes < 9e18 else { return nil }
    self.bytes = Int(bytes)
  }

  var defaultValueDescription: String { Units.binary(bytes) }
}
