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
  public let limits: DecodingLimits
  /// Values that were written.
  public private(set) var values = 0

  private enum Container { case array, object }

  private var open: [Container] = []
  /// The next value or key follows another one in its container.
  private var needsComma = false

  public init(_ limits: DecodingLimits = DecodingLimits()) { self.limits = limits }

  /// Makes it an empty one that keeps its memory.
  public mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    open.removeAll(keepingCapacity: true)
    needsComma = false
    values = 0
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

  public mutating func integer(
    _ value: some FixedWidthInteger, at offset: Int
  ) throws(DecodingError) {
    try begin(at: offset)
    bytes += String(value).utf8
  }

  /// A number that the payload has as digits: `-12`, `3.5e7`; they are not checked.
  public mutating func number(digits: String, at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    bytes += digits.utf8
  }

  public mutating func double(_ value: Double, at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    let text = Self.text(
      value.description, isFinite: value.isFinite, isNaN: value.isNaN, value < 0)
    bytes += text.utf8
  }

  /// With the fewest digits that give the same `Float`.
  public mutating func float(_ value: Float, at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    let text = Self.text(
      value.description, isFinite: value.isFinite, isNaN: value.isNaN, value < 0)
    bytes += text.utf8
  }

  private static func text(
    _ description: String, isFinite: Bool, isNaN: Bool, _ isNegative: Bool
  ) -> String {
    if isFinite { return description }
    if isNaN { return "\"NaN\"" }
    return isNegative ? "\"-Infinity\"" : "\"Infinity\""
  }

  public mutating func string(_ value: String, at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    try quote(unsafe value.utf8.span.bytes, at: offset)
  }

  /// Text of a payload; bytes where it is no UTF-8.
  public mutating func string(utf8 value: RawSpan, at offset: Int) throws(DecodingError) {
    guard value.isUTF8 else { return try binary(value, at: offset) }
    try begin(at: offset)
    try quote(value, at: offset)
  }

  /// Bytes: see the table of this type.
  public mutating func binary(_ value: RawSpan, at offset: Int) throws(DecodingError) {
    let shown = min(value.byteCount, limits.binaryBytes)
    try beginObject(at: offset)
    try key("$bytes", at: offset)
    try base64(value.extracting(0..<shown), at: offset)
    if shown < value.byteCount {
      try key("$size", at: offset)
      try integer(value.byteCount, at: offset)
    }
    endObject()
  }

  /// Bytes as a string of base64 alone.
  public mutating func base64(_ value: RawSpan, at offset: Int) throws(DecodingError) {
    try begin(at: offset)
    try reserve(value.byteCount / 3 * 4 + 6, at: offset)
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
    try begin(.array, "[", at: offset)
  }

  public mutating func endArray() { end("]") }

  public mutating func beginObject(at offset: Int) throws(DecodingError) {
    try begin(.object, "{", at: offset)
  }

  public mutating func endObject() { end("}") }

  /// The name of the value that is written next.
  public mutating func key(_ name: String, at offset: Int) throws(DecodingError) {
    try beginKey(at: offset)
    try quote(unsafe name.utf8.span.bytes, at: offset)
    endKey()
  }

  /// A name that the payload has as text; false, and nothing is written, where it is no UTF-8.
  public mutating func key(utf8 name: RawSpan, at offset: Int) throws(DecodingError) -> Bool {
    guard name.isUTF8 else { return false }
    try beginKey(at: offset)
    try quote(name, at: offset)
    endKey()
    return true
  }

  /// A name that is any value: `write` writes it, and its JSON as text is the name.
  public mutating func key(
    at offset: Int, _ write: (inout JSONOutput) throws(DecodingError) -> Void
  ) throws(DecodingError) {
    var inner = JSONOutput(limits)
    inner.values = values
    // It counts as deep as it stands.
    inner.open = open
    let depth = open.count
    try write(&inner)
    precondition(inner.open.count == depth, "a key is one value")
    values = inner.values
    try beginKey(at: offset)
    try quote(unsafe inner.bytes.span.bytes, at: offset)
    endKey()
  }

  /// Ends what is open, after an error: the beginning of a value becomes one.
  public mutating func closeAll() {
    if bytes.last == UInt8(ascii: ":") { bytes += "null".utf8 }
    while let container = open.last { end(container == .array ? "]" : "}") }
  }
}

// MARK: - Text

extension JSONOutput {
  private mutating func begin(at offset: Int) throws(DecodingError) {
    values += 1
    if values > limits.values { throw DecodingError(.limit, at: offset, "too many values") }
    try reserve(32, at: offset)
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = !open.isEmpty
  }

  private mutating func begin(
    _ container: Container, _ bracket: Character, at offset: Int
  ) throws(DecodingError) {
    if open.count >= limits.depth { throw DecodingError(.limit, at: offset, "nested too deep") }
    try begin(at: offset)
    bytes.append(bracket.asciiValue!)
    open.append(container)
    needsComma = false
  }

  private mutating func end(_ bracket: Character) {
    bytes.append(bracket.asciiValue!)
    open.removeLast()
    needsComma = !open.isEmpty
  }

  private mutating func beginKey(at offset: Int) throws(DecodingError) { try begin(at: offset) }

  private mutating func endKey() {
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  private mutating func reserve(_ count: Int, at offset: Int) throws(DecodingError) {
    if bytes.count + count > limits.outputBytes {
      throw DecodingError(.limit, at: offset, "too long to be shown")
    }
  }

  /// Escapes what JSON must: quotes, backslashes and control characters; DEL and the C1 controls too,
  /// since terminals take them for commands.
  private mutating func quote(_ text: RawSpan, at offset: Int) throws(DecodingError) {
    try reserve(text.byteCount + 2, at: offset)
    bytes.append(UInt8(ascii: "\""))
    var index = 0
    while index < text.byteCount {
      let byte = text.byte(at: index)
      switch byte {
      case UInt8(ascii: "\""): bytes += "\\\"".utf8
      case UInt8(ascii: "\\"): bytes += "\\\\".utf8
      case 0x0A: bytes += "\\n".utf8
      case 0x0D: bytes += "\\r".utf8
      case 0x09: bytes += "\\t".utf8
      case 0..<0x20, 0x7F: escape(byte)
      case 0xC2 where index + 1 < text.byteCount && text.byte(at: index + 1) < 0xA0:
        escape(text.byte(at: index + 1))
        index += 1
      default: bytes.append(byte)
      }
      index += 1
    }
    bytes.append(UInt8(ascii: "\""))
    try reserve(0, at: offset)
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
  var isUTF8: Bool {
    unsafe withUnsafeBytes { bytes in
      unsafe String(validating: bytes, as: UTF8.self) != nil
    }
  }
}
