/// An integer of any size, to be printed.
struct LongInteger {
  private let isNegative: Bool
  /// The absolute value, the lowest word first, without zeros at the end.
  private let magnitude: [UInt64]

  /// - Parameter twosComplement: little-endian; no bytes are 0.
  init(twosComplement bytes: [UInt8]) {
    isNegative = (bytes.last ?? 0) >= 0x80
    let flip: UInt8 = isNegative ? 0xFF : 0
    var words: [UInt64] = []
    for start in stride(from: 0, to: bytes.count, by: 8) {
      var word: UInt64 = 0
      for (place, byte) in bytes[start...].prefix(8).enumerated() {
        word |= UInt64(byte ^ flip) << (8 * place)
      }
      words.append(word)
    }
    if isNegative { Self.increment(&words) }
    while words.last == 0 { words.removeLast() }
    magnitude = words
  }

  private static func increment(_ words: inout [UInt64]) {
    for index in words.indices {
      words[index] &+= 1
      if words[index] != 0 { return }
    }
    words.append(1)
  }

  private var sign: String { isNegative ? "-" : "" }

  /// Costs the square of the size.
  var decimal: String {
    let digitsEach = 19
    let base: UInt64 = 10_000_000_000_000_000_000
    var words = magnitude
    var parts: [String] = []
    while !words.isEmpty {
      var remainder: UInt64 = 0
      for index in words.indices.reversed() {
        (words[index], remainder) = base.dividingFullWidth((remainder, words[index]))
      }
      while words.last == 0 { words.removeLast() }
      parts.append(words.isEmpty ? String(remainder) : Self.padded(String(remainder), digitsEach))
    }
    return parts.isEmpty ? "0" : sign + parts.reversed().joined()
  }

  /// `-0x1f`
  var hexadecimal: String {
    let top = String(magnitude.last ?? 0, radix: 16)
    let rest = magnitude.dropLast().reversed().map { Self.padded(String($0, radix: 16), 16) }
    return sign + "0x" + top + rest.joined()
  }

  private static func padded(_ digits: String, _ width: Int) -> String {
    String(repeating: "0", count: width - digits.count) + digits
  }
}
