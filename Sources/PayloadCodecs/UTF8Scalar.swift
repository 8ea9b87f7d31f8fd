extension RawSpan {
  /// The number of bytes, 2 to 4, of the character beyond ASCII that starts at `offset`.
  ///
  /// Strict: no overlong forms, no surrogates, nothing above U+10FFFF. Source: the Unicode Standard,
  /// table 3-7, "Well-Formed UTF-8 Byte Sequences".
  ///
  /// - Throws: ``ScanStop/cut`` if the span ends within a character that was right so far,
  ///   ``ScanStop/malformed`` if it is none.
  func scalarLength(at offset: Int) throws(ScanStop) -> Int {
    let length: Int
    let second: ClosedRange<UInt8>
    switch byte(at: offset) {
    case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: throw .malformed
    }

    for index in 1..<length {
      guard offset + index < byteCount else { throw .cut }
      let range = index == 1 ? second : 0x80...0xBF
      guard range.contains(byte(at: offset + index)) else { throw .malformed }
    }
    return length
  }
}
