extension PickleBytes {
  /// Bytes of the payload.
  init(_ range: Range<Int>) {
    self.init(
      start: UInt32(range.lowerBound), count: UInt32(range.count), isMade: false)
  }
}

extension PickleMachine {
  mutating func scalar(
    _ opcode: PickleOpcode, _ argument: PickleArgument, at start: Int
  ) throws(DecodingError) -> PickleValue {
    switch (opcode, argument) {
    case (.none, _): return .none
    case (.newTrue, _): return .bool(true)
    case (.newFalse, _): return .bool(false)
    case (_, .number(let number)): return .int(number)
    case (_, .double(let double)): return .double(double)
    case (.long1, .bytes(let range)), (.long4, .bytes(let range)):
      return .long(PickleBytes(significant(range)))
    case (.bytes1, .bytes(let range)), (.bytes4, .bytes(let range)),
      (.bytes8, .bytes(let range)), (.byteArray8, .bytes(let range)):
      return .bytes(PickleBytes(range))
    case (_, .bytes(let range)): return .text(PickleBytes(range))
    case (.int, .line(let line)): return try decimal(line, hasBooleans: true, at: start)
    case (.long, .line(let line)): return try decimal(line, hasBooleans: false, at: start)
    case (.float, .line(let line)): return .double(try double(line, at: start))
    case (.string, .line(let line)): return .text(try unquoted(line, at: start))
    case (.unicode, .line(let line)): return .text(try unescaped(line, at: start))
    default: preconditionFailure("all opcodes have their arguments")
    }
  }

  /// The lines of `I` and `L`: protocol 0 has booleans as `00` and `01`.
  private func decimal(
    _ line: Range<Int>, hasBooleans: Bool, at start: Int
  ) throws(DecodingError) -> PickleValue {
    var digits = line
    if !hasBooleans, let last = line.last, cursor.bytes.byte(at: last) == UInt8(ascii: "L") {
      digits.removeLast()
    } else if hasBooleans, line.count == 2, cursor.bytes.byte(at: line.lowerBound) == 0x30,
      case 0x30...0x31 = cursor.bytes.byte(at: line.lowerBound + 1)
    {
      return .bool(cursor.bytes.byte(at: line.lowerBound + 1) == 0x31)
    }
    guard isDecimal(digits) else {
      throw DecodingError(.malformed, at: start, "digits expected")
    }
    return number(digits)
  }

  /// JSON has no zeros in front of a number. They are left out once, and not each time that the
  /// number is shown: a value may be shown millions of times.
  private func number(_ digits: Range<Int>) -> PickleValue {
    let isNegative = cursor.bytes.byte(at: digits.lowerBound) == ASCII.minus
    let first = digits.lowerBound + (isNegative ? 1 : 0)
    guard
      let start = (first..<digits.upperBound).first(where: {
        cursor.bytes.byte(at: $0) != UInt8(ascii: "0")
      })
    else { return .int(0) }
    return .digits(PickleBytes(start..<digits.upperBound), isNegative: isNegative)
  }

  /// A number in two's complement without the bytes at its end that only repeat the sign, likewise.
  private func significant(_ range: Range<Int>) -> Range<Int> {
    var end = range.upperBound
    while end - range.lowerBound >= 2 {
      let last = cursor.bytes.byte(at: end - 1)
      let isNegative = cursor.bytes.byte(at: end - 2) >= 0x80
      guard last == (isNegative ? 0xFF : 0) else { break }
      end -= 1
    }
    return range.lowerBound..<end
  }

  private func isDecimal(_ line: Range<Int>) -> Bool {
    var digits = line
    if let first = digits.first, cursor.bytes.byte(at: first) == ASCII.minus {
      digits.removeFirst()
    }
    return !digits.isEmpty && digits.allSatisfy { ASCII.digits.contains(cursor.bytes.byte(at: $0)) }
  }

  func int(_ line: Range<Int>, at start: Int) throws(DecodingError) -> Int64 {
    guard let value = Int64(ascii(line)) else {
      throw DecodingError(.malformed, at: start, "a number expected")
    }
    return value
  }

  private func double(_ line: Range<Int>, at start: Int) throws(DecodingError) -> Double {
    guard line.count <= 64, let value = Double(ascii(line)) else {
      throw DecodingError(.malformed, at: start, "a number expected")
    }
    return value
  }

  private func ascii(_ line: Range<Int>) -> String {
    var text = ""
    for index in line.prefix(64) {
      text.unicodeScalars.append(Unicode.Scalar(cursor.bytes.byte(at: index)))
    }
    return text
  }
}

// MARK: - Text of protocol 0

extension PickleMachine {
  /// A Python string literal with its quotes, as Python 2's `repr` writes it.
  private mutating func unquoted(
    _ line: Range<Int>, at start: Int
  ) throws(DecodingError) -> PickleBytes {
    guard line.count >= 2, let open = line.first, let close = line.last,
      cursor.bytes.byte(at: open) == cursor.bytes.byte(at: close),
      [ASCII.quote, UInt8(ascii: "'")].contains(cursor.bytes.byte(at: open))
    else { throw DecodingError(.malformed, at: start, "a string in quotes expected") }

    try reserve(line.count, at: start)
    let first = made.count
    var index = open + 1
    while index < close {
      let byte = cursor.bytes.byte(at: index)
      index += 1
      guard byte == ASCII.backslash, index < close else {
        made.append(byte)
        continue
      }
      let letter = cursor.bytes.byte(at: index)
      index += 1
      switch letter {
      case UInt8(ascii: "n"): made.append(ASCII.lineFeed)
      case UInt8(ascii: "r"): made.append(ASCII.carriageReturn)
      case UInt8(ascii: "t"): made.append(ASCII.tab)
      case UInt8(ascii: "x"):
        guard index + 2 <= close, let value = hex(index..<index + 2) else {
          throw DecodingError(.malformed, at: index, "two hexadecimal digits expected")
        }
        made.append(UInt8(value))
        index += 2
      case ASCII.backslash, ASCII.quote, UInt8(ascii: "'"): made.append(letter)
      default: made += [ASCII.backslash, letter]
      }
    }
    return madeBytes(from: first)
  }

  /// Python's encoding `raw-unicode-escape`: Latin-1, and `\uXXXX` and `\UXXXXXXXX` for the rest.
  private mutating func unescaped(
    _ line: Range<Int>, at start: Int
  ) throws(DecodingError) -> PickleBytes {
    try reserve(line.count * 2, at: start)
    let first = made.count
    var index = line.lowerBound
    while index < line.upperBound {
      let byte = cursor.bytes.byte(at: index)
      index += 1
      guard byte == ASCII.backslash, index < line.upperBound else {
        appendCharacter(UInt32(byte))
        continue
      }
      let letter = cursor.bytes.byte(at: index)
      index += 1
      switch letter {
      case UInt8(ascii: "u"), UInt8(ascii: "U"):
        let digits = letter == UInt8(ascii: "u") ? 4 : 8
        guard index + digits <= line.upperBound, let value = hex(index..<index + digits),
          value <= 0x10FFFF
        else { throw DecodingError(.malformed, at: index, "a character's number expected") }
        appendCharacter(value)
        index += digits
      default:
        made.append(ASCII.backslash)
        appendCharacter(UInt32(letter))
      }
    }
    return madeBytes(from: first)
  }

  /// UTF-8, also of surrogates, which Python has in strings; they are shown as bytes.
  private mutating func appendCharacter(_ value: UInt32) {
    func tail(_ shift: UInt32) -> UInt8 { UInt8(value >> shift & 0x3F) | 0x80 }
    switch value {
    case 0..<0x80: made.append(UInt8(value))
    case 0x80..<0x800: made += [UInt8(value >> 6) | 0xC0, tail(0)]
    case 0x800..<0x10000: made += [UInt8(value >> 12) | 0xE0, tail(6), tail(0)]
    default: made += [UInt8(value >> 18) | 0xF0, tail(12), tail(6), tail(0)]
    }
  }

  private func hex(_ range: Range<Int>) -> UInt32? {
    var value: UInt32 = 0
    for index in range {
      let byte = cursor.bytes.byte(at: index)
      guard ASCII.isHexDigit(byte) else { return nil }
      value = value << 4 | UInt32(byte < 0x3A ? byte - 0x30 : (byte | 0x20) - 0x57)
    }
    return value
  }

  /// Asks for room for bytes that are made of those of the payload. A pickle that has them made of the
  /// same ones again and again is hostile: Python writes each once.
  ///
  /// Why four times: protocol 0 has a byte as a character of Latin-1, which is two bytes as text, and
  /// is asked for as many when it is a byte again.
  func reserve(_ count: Int, at start: Int) throws(DecodingError) {
    if made.count + count > 4 * cursor.bytes.byteCount {
      throw DecodingError(.limit, at: start, "too many bytes are made of the same")
    }
  }

  func madeBytes(from first: Int) -> PickleBytes {
    PickleBytes(start: UInt32(first), count: UInt32(made.count - first), isMade: true)
  }
}
