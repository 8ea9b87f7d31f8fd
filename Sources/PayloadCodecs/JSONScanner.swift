/// Checks that bytes are one JSON object or array (or any value, where that is asked for), by the grammar of RFC 8259 and nothing wider but
/// Python's three words for numbers that JSON lacks.
///
/// One pass, no recursion, no allocation: the open brackets are bits in ``JSONNesting``.
struct JSONScanner: ~Escapable {
  /// What the grammar allows next, spaces aside.
  private enum Expectation {
    case root
    case value
    case firstElement
    case firstName
    case name
    case colon
    case commaOrClosing
    case end
  }

  private let bytes: RawSpan
  private(set) var offset = 0
  private var nesting = JSONNesting()
  /// A number, a string or a word may be the whole document, as the RFC has it.
  private let allowsScalar: Bool

  /// Whether it goes on deeper than what is called JSON here.
  var isTooDeep: Bool { nesting.depth == JSONNesting.depthMax }

  /// Whether all that was scanned is in the RFC's grammar: no NaN, no infinity.
  private(set) var isStrict = true

  /// The bracket that closes the document; `nil` until the opening one was scanned.
  private(set) var rootClosing: UInt8?

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, allowsScalar: Bool = false) {
    self.bytes = bytes
    self.allowsScalar = allowsScalar
  }

  /// Scans from the first byte to the last.
  ///
  /// - Throws: ``ScanStop/cut`` if the bytes end within the document, ``ScanStop/malformed`` if
  ///   nothing that follows could make them one.
  mutating func scanDocument() throws(ScanStop) {
    var expected = Expectation.root
    while true {
      skipSpaces()
      guard offset < bytes.byteCount else { break }
      expected = try scanToken(expected)
    }
    guard expected == .end else { throw .cut }
  }

  private mutating func scanToken(_ expected: Expectation) throws(ScanStop) -> Expectation {
    let byte = bytes.byte(at: offset)
    switch expected {
    case .root where allowsScalar && byte != ASCII.openingBrace && byte != ASCII.openingBracket:
      _ = try scanValue(byte)
      return .end
    case .root:
      let next = try open(byte)
      rootClosing = closing(of: byte)
      return next
    case .firstElement where byte == ASCII.closingBracket:
      return try close(byte)
    case .value, .firstElement:
      return try scanValue(byte)
    case .firstName where byte == ASCII.closingBrace:
      return try close(byte)
    case .name, .firstName:
      guard byte == ASCII.quote else { throw .malformed }
      try scanString()
      return .colon
    case .colon:
      guard byte == ASCII.colon else { throw .malformed }
      offset += 1
      return .value
    case .commaOrClosing:
      guard byte == ASCII.comma else { return try close(byte) }
      offset += 1
      return nesting.isInObject ? .name : .value
    case .end:
      throw .malformed
    }
  }

  private mutating func scanValue(_ byte: UInt8) throws(ScanStop) -> Expectation {
    switch byte {
    case ASCII.quote:
      try scanString()
    case ASCII.openingBrace, ASCII.openingBracket:
      return try open(byte)
    case ASCII.minus, ASCII.digits:
      try scanNumber()
    case UInt8(ascii: "t"):
      try scanWord("true")
    case UInt8(ascii: "f"):
      try scanWord("false")
    case UInt8(ascii: "n"):
      try scanWord("null")
    case UInt8(ascii: "N"):
      try scanWord("NaN")
      isStrict = false
    case UInt8(ascii: "I"):
      try scanWord("Infinity")
      isStrict = false
    default:
      throw .malformed
    }
    return .commaOrClosing
  }
}

// MARK: - Brackets

extension JSONScanner {
  private mutating func open(_ byte: UInt8) throws(ScanStop) -> Expectation {
    guard byte == ASCII.openingBrace || byte == ASCII.openingBracket else { throw .malformed }
    guard nesting.depth < JSONNesting.depthMax else { throw .malformed }
    let isObject = byte == ASCII.openingBrace
    nesting.push(isObject: isObject)
    offset += 1
    return isObject ? .firstName : .firstElement
  }

  private mutating func close(_ byte: UInt8) throws(ScanStop) -> Expectation {
    guard byte == (nesting.isInObject ? ASCII.closingBrace : ASCII.closingBracket) else {
      throw .malformed
    }
    nesting.pop()
    offset += 1
    return nesting.depth == 0 ? .end : .commaOrClosing
  }

  private func closing(of opening: UInt8) -> UInt8 {
    opening == ASCII.openingBrace ? ASCII.closingBrace : ASCII.closingBracket
  }
}

// MARK: - Tokens

extension JSONScanner {
  private mutating func skipSpaces() {
    while offset < bytes.byteCount, ASCII.isSpace(bytes.byte(at: offset)) { offset += 1 }
  }

  /// Moves behind the string whose opening quote is at `offset`.
  private mutating func scanString() throws(ScanStop) {
    offset += 1
    while true {
      offset = bytes.endOfRun(from: offset, of: .stringContent)
      switch try current() {
      case ASCII.quote:
        offset += 1
        return
      case ASCII.backslash:
        try scanEscape()
      case 0x7F:
        offset += 1
      case 0x80...:
        offset += try bytes.scalarLength(at: offset)
      default:
        throw .malformed
      }
    }
  }

  /// RFC 8259 section 7. Half of a surrogate pair is within the grammar, if without meaning.
  private mutating func scanEscape() throws(ScanStop) {
    offset += 1
    let byte = try current()
    offset += 1
    switch byte {
    case ASCII.quote, ASCII.backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return
    case UInt8(ascii: "u"):
      for _ in 0..<4 {
        guard ASCII.isHexDigit(try current()) else { throw .malformed }
        offset += 1
      }
    default:
      throw .malformed
    }
  }

  /// RFC 8259 section 6. Inside brackets a number never ends the bytes, so their end is a cut.
  private mutating func scanNumber() throws(ScanStop) {
    if bytes.byte(at: offset) == ASCII.minus {
      offset += 1
      if try current() == UInt8(ascii: "I") {
        try scanWord("Infinity")
        isStrict = false
        return
      }
    }
    if try current() == UInt8(ascii: "0") {
      offset += 1
    } else {
      try scanDigits()
    }
    if try currentOrEnd() == UInt8(ascii: ".") {
      offset += 1
      try scanDigits()
    }
    let exponent = try currentOrEnd()
    guard exponent == UInt8(ascii: "e") || exponent == UInt8(ascii: "E") else { return }
    offset += 1
    let sign = try current()
    if sign == UInt8(ascii: "+") || sign == ASCII.minus { offset += 1 }
    try scanDigits()
  }

  /// One digit or more.
  private mutating func scanDigits() throws(ScanStop) {
    guard case ASCII.digits = try current() else { throw .malformed }
    while case ASCII.digits = try currentOrEnd() { offset += 1 }
  }

  /// Behind a digit the document may end, where a number may be all of it.
  private func currentOrEnd() throws(ScanStop) -> UInt8 {
    if offset == bytes.byteCount, allowsScalar, nesting.depth == 0 { return ASCII.space }
    return try current()
  }

  private mutating func scanWord(_ word: String) throws(ScanStop) {
    for letter in word.utf8 {
      guard try current() == letter else { throw .malformed }
      offset += 1
    }
  }

  private func current() throws(ScanStop) -> UInt8 {
    guard offset < bytes.byteCount else { throw .cut }
    return bytes.byte(at: offset)
  }
}
