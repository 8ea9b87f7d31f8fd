/// Shows FlatBuffers buffers as `flatc --json --strict-json --defaults-json` would.
///
/// | value | JSON |
/// |---|---|
/// | table | object: every number with its default, other fields where they are there |
/// | struct, fixed array, vector | object, array |
/// | enum | its name; bit flags `"A B"`; a number where it has no name |
/// | union | the type's name under the field's name and `_type`, and the value |
/// | number that may be missing, and is | `null` |
/// | bytes with `nested_flatbuffer` | that buffer |
///
/// Different from `flatc`: floating-point numbers have all their digits, and more than
/// ``DecodingLimits/binaryBytes`` numbers of one byte are written as bytes. A union whose type the
/// schema does not know is `null`.
///
/// Without a schema: `{"identifier":"ABCD","fields":3}`, the fields that the root table has.
///
/// Refused are offsets of 64 bits, and whatever leads outside of the payload.
public struct FlatBufferDecoder: Decoder {
  private enum Meaning {
    case schema(FlatBufferSchema, table: Int)
    case identifiers([String: any Decoder])
  }

  private let meaning: Meaning

  /// - Parameter type: a table, with its namespace.
  init?(_ schema: FlatBufferSchema, type: String) {
    guard let table = schema.table(type) else { return nil }
    meaning = .schema(schema, table: table)
  }

  /// - Parameter decoders: what decodes a buffer with that file identifier.
  init(byIdentifier decoders: [String: any Decoder] = [:]) { meaning = .identifiers(decoders) }

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    switch meaning {
    case .schema(let schema, let table):
      let start = FlatBufferFrame(payload)?.start ?? 0
      let buffer = payload.extracting(start..<payload.byteCount)
      let json = FlatBufferJSON(schema, buffer, base: start)
      try json.root(table, to: &output)
    case .identifiers(let decoders):
      guard let frame = FlatBufferFrame(payload), let root = frame.reader.plausibleRoot else {
        throw DecodingError(.malformed, at: 0, "this is no FlatBuffers buffer")
      }
      let identifier = root.position >= 8 ? frame.reader.identifier : nil
      if let identifier, let decoder = decoders[identifier] {
        return try decoder.decode(payload, to: &output)
      }
      try output.beginObject(at: 0)
      try output.key("identifier", at: 0)
      if let identifier {
        try output.string(identifier, at: 0)
      } else {
        try output.null(at: 0)
      }
      try output.key("fields", at: 0)
      try output.integer(frame.reader.fieldCount(of: root), at: 0)
      output.endObject()
    }
  }
}
