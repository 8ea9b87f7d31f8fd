/// Shows MessagePack as JSON.
///
/// | MessagePack | JSON |
/// |---|---|
/// | timestamp (extension -1) | `{"$timestamp":"2018-01-02T03:04:05.000000006Z"}` |
/// | any other extension | `{"$ext":TYPE,"$bytes":"BASE64"}` |
/// | everything else | see ``JSONOutput`` |
///
/// A timestamp that is malformed, or of no year from 0 to 9999, is shown as any other extension.
/// Keys that are there twice are shown twice.
///
/// Source: the MessagePack specification (github.com/msgpack/msgpack/blob/master/spec.md).
public struct MessagePackDecoder: Decoder {
  public init() {}

  /// - Throws: ``DecodingError/Kind/malformed`` also where bytes follow the value.
  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    var writer = MessagePackJSON(payload)
    try writer.value(to: &output)
    let rest = writer.cursor.remaining
    if rest > 0 {
      throw DecodingError(
        .malformed, at: writer.cursor.offset, "\(rest) bytes behind the value")
    }
  }
}

extension MessagePackDecoder {
  /// Recognises and shows a payload in one pass, where it is what most are: a short map that
  /// ``CodecRegistry/standard`` is certain of. False, and `output` has anything, where that takes a second
  /// look.
  public func decodeIfCertain(_ payload: RawSpan, to output: inout JSONOutput) -> Bool {
    // All of these bytes begin nothing else that is certain, but pickles of old protocols, of which a
    // stop is the last one, and PNG, of which the first key would be a number.
    guard payload.byteCount > MessagePackCodec.guessBytesMax,
      payload.byteCount <= CodecRegistry.examinedBytesMax,
      (0x81...0x8F).contains(payload.byte(at: 0)),
      payload.byte(at: payload.byteCount - 1) != UInt8(ascii: ".")
    else { return false }
    var writer = MessagePackJSON(payload)
    guard (try? writer.value(to: &output)) != nil else { return false }
    return writer.cursor.isAtEnd && writer.isPlain
  }
}

/// Recursive: a level of a payload is one of the output, which bounds the depth.
private struct MessagePackJSON: ~Escapable {
  var cursor: ByteCursor
  /// All keys are strings, and all strings are text.
  private(set) var isPlain = true

  @_lifetime(copy payload)
  init(_ payload: RawSpan) { cursor = ByteCursor(payload) }

  mutating func value(to output: inout JSONOutput) throws(DecodingError) {
    let start = cursor.offset
    switch try cursor.messagePackToken() {
    case .null: try output.null(at: start)
    case .bool(let value): try output.bool(value, at: start)
    case .unsigned(let value): try output.integer(value, at: start)
    case .signed(let value): try output.integer(value, at: start)
    case .float(let value): try output.float(value, at: start)
    case .double(let value): try output.double(value, at: start)
    case .string(let range):
      if try !output.text(utf8: cursor.bytes.extracting(range), at: start) {
        isPlain = false
        try output.binary(cursor.bytes.extracting(range), at: start)
      }
    case .binary(let range): try output.binary(cursor.bytes.extracting(range), at: start)
    case .ext(let type, let range): try ext(type, range, at: start, to: &output)
    case .array(let count):
      try output.beginArray(at: start)
      for _ in 0..<count { try value(to: &output) }
      output.endArray()
    case .map(let count):
      try output.beginObject(at: start)
      for _ in 0..<count {
        try key(to: &output)
        try value(to: &output)
      }
      output.endObject()
    }
  }

  private mutating func key(to output: inout JSONOutput) throws(DecodingError) {
    let start = cursor.offset
    var ahead = cursor
    if case .string(let range) = try ahead.messagePackToken(),
      try output.key(utf8: cursor.bytes.extracting(range), at: start)
    {
      cursor = ahead
      return
    }
    isPlain = false
    try output.beginValueKey(at: start)
    try value(to: &output)
    try output.endValueKey(at: start)
  }

  private func ext(
    _ type: Int8, _ range: Range<Int>, at start: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let content = cursor.bytes.extracting(range)
    if type == MessagePackTimestamp.extensionType, let time = MessagePackTimestamp(content)?.text {
      try output.beginObject(at: start)
      try output.key("$timestamp", at: start)
      try output.string(time, at: start)
      output.endObject()
    } else {
      try output.beginObject(at: start)
      try output.key("$ext", at: start)
      try output.integer(type, at: start)
      try output.binaryMembers(content, at: start)
      output.endObject()
    }
  }
}
