/// Shows a JSON document as it is, on one line: without the spaces between its parts.
///
/// Numbers keep their digits, strings their escapes, names their order, also those that are there
/// twice. Python's NaN and infinities are written as every codec writes them: see ``JSONOutput``.
public struct JSONDocumentDecoder: Decoder {
  public init() {}

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    let document = payload.withoutTerminator.withoutByteOrderMark
    let start = payload.withoutTerminator.byteCount - document.byteCount
    // Who says that it is JSON may mean a number.
    var scanner = JSONScanner(document, allowsScalar: true)
    do throws(ScanStop) {
      try scanner.scanDocument()
    } catch {
      if error == .cut {
        throw DecodingError(.truncated, at: payload.byteCount, "the document goes on")
      }
      throw scanner.isTooDeep
        ? DecodingError(.limit, at: start + scanner.offset, "nested too deep")
        : DecodingError(.malformed, at: start + scanner.offset, "this is no JSON")
    }
    var copy = JSONCopy(document, start: start)
    try copy.write(to: &output)
  }
}

/// A walk over a document that was found to be one.
private struct JSONCopy: ~Escapable {
  private let bytes: RawSpan
  /// Of the document in its payload.
  private let start: Int
  private var offset = 0
  /// Whether each open container is an object, the outermost first.
  private var isObject: [Bool] = []
  private var isNameNext = false

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, start: Int) {
    self.bytes = bytes
    self.start = start
  }

  mutating func write(to output: inout JSONOutput) throws(DecodingError) {
    while offset < bytes.byteCount {
      let place = start + offset
      switch bytes.byte(at: offset) {
      case ASCII.openingBrace:
        try output.beginObject(at: place)
        isObject.append(true)
        isNameNext = true
        offset += 1
      case ASCII.openingBracket:
        try output.beginArray(at: place)
        isObject.append(false)
        isNameNext = false
        offset += 1
      case ASCII.closingBrace, ASCII.closingBracket:
        if isObject.removeLast() { output.endObject() } else { output.endArray() }
        offset += 1
      case ASCII.comma:
        isNameNext = isObject.last == true
        offset += 1
      case ASCII.quote:
        try string(at: place, to: &output)
      case let byte where byte == ASCII.colon || ASCII.isSpace(byte):
        offset += 1
      default:
        try word(at: place, to: &output)
      }
    }
  }

  private mutating func string(at place: Int, to output: inout JSONOutput) throws(DecodingError) {
    let first = offset + 1
    var end = first
    while bytes.byte(at: end) != ASCII.quote {
      end += bytes.byte(at: end) == ASCII.backslash ? 2 : 1
    }
    offset = end + 1
    let text = bytes.extracting(first..<end)
    if isNameNext {
      try output.key(json: text, at: place)
    } else {
      try output.string(json: text, at: place)
    }
    isNameNext = false
  }

  /// A number, or a word.
  private mutating func word(at place: Int, to output: inout JSONOutput) throws(DecodingError) {
    let first = offset
    while offset < bytes.byteCount, !isEnd(bytes.byte(at: offset)) { offset += 1 }
    switch (bytes.byte(at: first), bytes.byte(at: offset - 1)) {
    case (UInt8(ascii: "t"), _): try output.bool(true, at: place)
    case (UInt8(ascii: "f"), _): try output.bool(false, at: place)
    case (UInt8(ascii: "n"), _): try output.null(at: place)
    case (UInt8(ascii: "N"), _): try output.double(.nan, at: place)
    case (UInt8(ascii: "I"), _): try output.double(.infinity, at: place)
    case (_, UInt8(ascii: "y")): try output.double(-.infinity, at: place)
    default: try output.number(digits: bytes.extracting(first..<offset), at: place)
    }
  }

  private func isEnd(_ byte: UInt8) -> Bool {
    byte == ASCII.comma || byte == ASCII.closingBrace || byte == ASCII.closingBracket
      || ASCII.isSpace(byte)
  }
}
