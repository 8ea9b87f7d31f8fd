/// JSON text that is written a part at a time, within limits.
///
/// What JSON cannot say is written so, whatever the codec:
///
/// | value | JSON |
/// |---|---|
/// | NaN, infinities | `"NaN"`, `"Infinity"`, `"-Infinity"` |
/// | bytes | `{"$bytes":"BASE64"}`; cut at a limit: `{"$bytes":"BASE64","$size":N}`, N of all |
/// | integers of any size | their digits |
/// | text that is not UTF-8 | `{"$bytes":"BASE64"}` |
/// | a key that is no text | its JSON, as text: `{"1":"one","[1,2]":"pair"}` |
///
/// Doubles are written with the fewest digits that give the same double.
public struct JSONOutput: Sendable {
  public private(set) var bytes: [UInt8] = []
  public private(set) var limits: DecodingLimits
  /// Up to here it is what the payload says: behind it `closeAll` ended what an error had left open.
  public private(set) var wholeEnd = Int.max
  /// Values that were written.
  public private(set) var values = 0

  private enum Container { case array, object }

  private var open: [Container] = []
  /// The next value or key follows another one in its container.
  private var needsComma = false
  /// Keys that are values and not finished, the outermost first.
  private var openKeys: [OpenKey] = []

  /// Where the JSON of a key starts, and how many containers hold the key.
  private struct OpenKey {
    var start: Int
    var depth: Int
  }

  public init(_ limits: DecodingLimits = DecodingLimits()) { self.limits = limits }

  /// Makes it an empty one for a payload of so many bytes, which keeps its memory.
  public mutating func clear(payloadBytes: Int) {
    limits = DecodingLimits(payloadBytes: payloadBytes)
    bytes.removeAll(keepingCapacity: true)
    open.removeAll(keepingCapacity: true)
    openKeys.removeAll(keepingCapacity: true)
    needsComma = false
    values = 0
    wholeEnd = .max
  }

  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

// MARK: - Values

// Each of these throws where a limit is reached; `offset` is what the error tells: where in the payload
// the value stands.
extension JSONOutput {
  public mutating func null(at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    bytes += "null".utf8
  }

  public mutating func bool(_ value: Bool, at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    bytes += (value ? "true" : "false").utf8
  }

  public mutating func integer<Value: FixedWidthInteger>(
    _ value: Value, at offset: Int
  ) throws(DecodingError) {
    try begin(at: offset)
    if Value.bitWidth > 64 {
      bytes += String(value).utf8
    } else {
      if value < 0 { bytes.append(UInt8(ascii: "-")) }
      bytes.append(digitsOf: UInt64(value.magnitude))
    }
  }

  /// A number that the payload has as digits: `-12`, `3.5e7`; they are not checked.
  public mutating func number(digits: String, at offset: Int) throws(DecodingError) {
    try begin(at: offset, reserving: digits.utf8.count)
    bytes += digits.utf8
  }

  /// The same, where they are bytes of the payload.
  mutating func number(digits: RawSpan, at offset: Int) throws(DecodingError) {
    try begin(at: offset, reserving: digits.byteCount)
    append(digits)
  }

  public mutating func double(_ value: Double, at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    append(
      Self.text(value.description, isFinite: value.isFinite, isNaN: value.isNaN, value < 0))
  }

  /// With the fewest digits that give the same `Float`.
  public mutating func float(_ value: Float, at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    append(
      Self.text(value.description, isFinite: value.isFinite, isNaN: value.isNaN, value < 0))
  }

  private mutating func append(_ text: consuming String) {
    text.withUTF8 { unsafe bytes.append(contentsOf: $0) }
  }

  private static func text(
    _ description: String, isFinite: Bool, isNaN: Bool, _ isNegative: Bool
  ) -> String {
    if isFinite { return description }
    if isNaN { return "\"NaN\"" }
    return isNegative ? "\"-Infinity\"" : "\"Infinity\""
  }

  public mutating func string(_ value: String, at offset: Int) throws(DecodingError) {
    try quote(unsafe value.utf8.span.bytes, at: offset)
  }

  /// Text of a payload; bytes where it is no UTF-8.
  public mutating func string(utf8 value: RawSpan, at offset: Int) throws(DecodingError) {
    if try !text(utf8: value, at: offset) { try binary(value, at: offset) }
  }

  /// Text of a payload; false, and nothing is written, where it is no UTF-8.
  mutating func text(utf8 value: RawSpan, at offset: Int) throws(DecodingError) -> Bool {
    guard value.isUTF8 else { return false }
    try quote(value, at: offset)
    return true
  }

  /// What stands between the quotes of a JSON string, which is not checked.
  mutating func string(json value: RawSpan, at offset: Int) throws(DecodingError) {
    try quote(value, isEscaped: true, at: offset)
  }

  /// Bytes: see the table of this type.
  public mutating func binary(_ value: RawSpan, at offset: Int) throws(DecodingError) {
    try beginObject(at: offset)
    try binaryMembers(value, at: offset)
    endObject()
  }

  /// The members by which an object that is open shows bytes.
  public mutating func binaryMembers(_ value: RawSpan, at offset: Int) throws(DecodingError) {
    let shown = min(value.byteCount, limits.binaryBytes)
    try key("$bytes", at: offset)
    try base64(value.extracting(0..<shown), at: offset)
    if shown < value.byteCount {
      try key("$size", at: offset)
      try integer(value.byteCount, at: offset)
    }
  }

  /// Bytes as a string of base64 alone.
  public mutating func base64(_ value: RawSpan, at offset: Int) throws(DecodingError) {
    try begin(at: offset, reserving: value.byteCount / 3 * 4)
    bytes.append(UInt8(ascii: "\""))
    var index = 0
    while index < value.byteCount {
      let count = min(3, value.byteCount - index)
      var word: UInt32 = 0
      for place in 0..<3 {
        word = word << 8 | (place < count ? UInt32(value.byte(at: index + place)) : 0)
      }
      for place in 0..<4 {
        bytes.append(
          place <= count ? Self.alphabet[Int(word >> (18 - 6 * place)) & 63] : UInt8(ascii: "="))
      }
      index += 3
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}

// MARK: - Containers

extension JSONOutput {
  public mutating func beginArray(at offset: Int) throws(DecodingError) {
    try begin(.array, ASCII.openingBracket, at: offset)
  }

  public mutating func endArray() { end(ASCII.closingBracket) }

  public mutating func beginObject(at offset: Int) throws(DecodingError) {
    try begin(.object, ASCII.openingBrace, at: offset)
  }

  public mutating func endObject() { end(ASCII.closingBrace) }

  /// The name of the value that is written next.
  public mutating func key(_ name: String, at offset: Int) throws(DecodingError) {
    try quote(unsafe name.utf8.span.bytes, at: offset)
    endKey()
  }

  /// A name that the payload has as text; false, and nothing is written, where it is no UTF-8.
  public mutating func key(utf8 name: RawSpan, at offset: Int) throws(DecodingError) -> Bool {
    guard name.isUTF8 else { return false }
    try quote(name, at: offset)
    endKey()
    return true
  }

  /// A name as a JSON string has it between the quotes, which is not checked.
  mutating func key(json name: RawSpan, at offset: Int) throws(DecodingError) {
    try quote(name, isEscaped: true, at: offset)
    endKey()
  }

  /// Begins a name that is any value: the value that is written next is the key, up to
  /// ``endValueKey(at:)``, and its JSON as text is the name.
  public mutating func beginValueKey(at offset: Int) throws(DecodingError) {
    if openKeys.count >= limits.keyDepth {
      throw DecodingError(.limit, at: offset, "keys nested too deep")
    }
    openKeys.append(OpenKey(start: bytes.count, depth: open.count))
  }

  public mutating func endValueKey(at offset: Int) throws(DecodingError) {
    let key = openKeys.removeLast()
    precondition(key.depth == open.count, "a key is one value")
    // The comma before the key is no part of it.
    let start =
      key.start < bytes.count && bytes[key.start] == ASCII.comma ? key.start + 1 : key.start
    let json = Array(bytes[start...])
    bytes.removeSubrange(key.start...)
    needsComma = start > key.start
    try quote(unsafe json.span.bytes, at: offset)
    endKey()
  }

  /// A name that is any value: `write` writes it.
  public mutating func key(
    at offset: Int, _ write: (inout JSONOutput) throws(DecodingError) -> Void
  ) throws(DecodingError) {
    try beginValueKey(at: offset)
    try write(&self)
    try endValueKey(at: offset)
  }

  /// Ends what is open, after an error: the beginning of a value becomes one. A key that was not
  /// finished is left out.
  public mutating func closeAll() {
    if let key = openKeys.first {
      bytes.removeSubrange(min(key.start, bytes.count)...)
      open.removeLast(open.count - key.depth)
      openKeys.removeAll()
    }
    wholeEnd = bytes.count
    if bytes.last == ASCII.colon { bytes += "null".utf8 }
    while let container = open.last {
      end(container == .array ? ASCII.closingBracket : ASCII.closingBrace)
    }
  }
}

// MARK: - Text

extension JSONOutput {
  /// Nothing is written where it throws.
  @inline(__always)
  private mutating func begin(
    at offset: Int, reserving count: Int = 0
  ) throws(DecodingError) {
    if values >= limits.values { throw DecodingError(.limit, at: offset, "too many values") }
    // 48: a comma, and the longest number of a fixed width.
    if count > limits.outputBytes - bytes.count - 48 {
      throw DecodingError(.limit, at: offset, "too long to be shown")
    }
    values += 1
    if needsComma { bytes.append(ASCII.comma) }
    needsComma = !open.isEmpty
  }

  private mutating func begin(
    _ container: Container, _ bracket: UInt8, at offset: Int
  ) throws(DecodingError) {
    if open.count >= limits.depth { throw DecodingError(.limit, at: offset, "nested too deep") }
    try begin(at: offset)
    bytes.append(bracket)
    open.append(container)
    needsComma = false
  }

  private mutating func end(_ bracket: UInt8) {
    bytes.append(bracket)
    open.removeLast()
    needsComma = !open.isEmpty
  }

  private mutating func endKey() {
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes `text` as a string. Nothing is written where it throws.
  ///
  /// Escapes what JSON must: quotes, backslashes and control characters; DEL and the C1 controls
  /// too, since terminals take them for commands.
  ///
  /// - Parameter isEscaped: `text` has JSON's escapes: only DEL and the C1 controls are left to do.
  private mutating func quote(
    _ text: RawSpan, isEscaped: Bool = false, at offset: Int
  ) throws(DecodingError) {
    let start = bytes.count
    try begin(at: offset, reserving: text.byteCount)
    bytes.append(ASCII.quote)
    var index = 0
    while index < text.byteCount {
      let end = text.endOfRun(from: index, of: .stringContent)
      append(text.extracting(index..<end))
      guard end < text.byteCount else { break }
      index = end + appendCharacter(of: text, at: end, isEscaped: isEscaped)
      if bytes.count > limits.outputBytes {
        bytes.removeSubrange(start...)
        throw DecodingError(.limit, at: offset, "too long to be shown")
      }
    }
    bytes.append(ASCII.quote)
  }

  /// Writes the character at `index` as a string has it; returns the bytes of `text` that it took.
  private mutating func appendCharacter(of text: RawSpan, at index: Int, isEscaped: Bool) -> Int {
    let byte = text.byte(at: index)
    switch byte {
    case ASCII.quote where !isEscaped: bytes += "\\\"".utf8
    case ASCII.backslash where !isEscaped: bytes += "\\\\".utf8
    case ASCII.lineFeed: bytes += "\\n".utf8
    case ASCII.carriageReturn: bytes += "\\r".utf8
    case ASCII.tab: bytes += "\\t".utf8
    case 0..<0x20, 0x7F: escape(byte)
    case 0xC2 where index + 1 < text.byteCount && text.byte(at: index + 1) < 0xA0:
      escape(text.byte(at: index + 1))
      return 2
    default: bytes.append(byte)
    }
    return 1
  }

  private mutating func append(_ text: RawSpan) {
    unsafe text.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
  }

  private mutating func escape(_ byte: UInt8) {
    let digits = String(byte, radix: 16)
    bytes += "\\u00".utf8
    if digits.count == 1 { bytes.append(UInt8(ascii: "0")) }
    bytes += digits.utf8
  }
}

extension RawSpan {
  /// Whether these bytes are text in UTF-8.
  var isUTF8: Bool { isUTF8(upTo: byteCount) }

  /// Whether the characters that start within the first `limit` bytes are UTF-8.
  func isUTF8(upTo limit: Int) -> Bool {
    let end = Swift.min(limit, byteCount)
    // The last character may end behind the limit, by three bytes.
    let read = extracting(first: end + Swift.min(3, byteCount - end))
    var offset = 0
    while true {
      offset = read.endOfRun(from: offset, of: .printable)
      guard offset < end else { return true }
      if read.byte(at: offset) < 0x80 {
        offset += 1
      } else {
        guard let length = try? read.scalarLength(at: offset) else { return false }
        offset += length
      }
    }
  }
}

extension [UInt8] {
  /// Appends a number in decimal, with zeros in front up to `count` digits.
  public mutating func append(digitsOf number: UInt64, count: Int = 1) {
    // From the last one on; no number has more than 20.
    var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
    var start = digits.count
    var rest = number
    repeat {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      start -= 1
      digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
      rest = quotient
    } while rest > 0
    for _ in 0..<Swift.max(0, count - digits.count) { append(UInt8(ascii: "0")) }
    start = Swift.min(start, digits.count - Swift.min(count, digits.count))
    unsafe digits.span.extracting(start..<digits.count).withUnsafeBufferPointer {
      unsafe append(contentsOf: $0)
    }
  }
}
