/// Shows Cap'n Proto messages as `capnp convert binary:json` would.
///
/// | value | JSON |
/// |---|---|
/// | struct, group | object: all numbers, pointers that are not null, the union's field last |
/// | Void | `null` |
/// | Int64, UInt64 | their digits as a string |
/// | Text, List, enum | string, array, the enumerant's name (a number where it has none) |
/// | Data | array of numbers |
/// | AnyPointer | `{"$struct":{"data":BYTES,"pointers":N}}` or `{"$list":N}` |
/// | interface | `{"$capability":N}` |
///
/// Different from `capnp convert`: floating-point numbers have the digits that their width needs;
/// Data of more than ``DecodingLimits/binaryBytes`` is written as bytes; AnyPointer and interfaces
/// are described, not refused; annotations for JSON are not obeyed; where a union's struct is null
/// inside of one that is null, `null` is written instead of defaults without end.
///
/// Without a schema: `{"segments":1,"words":5,"data":8,"pointers":1}`, the last two of the root.
///
/// The packed encoding is not read.
public struct CapnpDecoder: Decoder {
  private let type: (schema: CapnpSchema, index: Int)?

  /// - Parameter type: a struct, with those it is nested in: `Outer.Inner`.
  init?(_ schema: CapnpSchema, type: String) {
    guard let index = schema.structure(type) else { return nil }
    self.type = (schema, index)
  }

  init() { type = nil }

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    let reader = try CapnpReader(payload)
    let end = reader.end
    let target = try reader.target(of: reader.root)
    let root: CapnpReader.Struct
    switch target {
    case .null: root = .absent
    case .structure(let structure): root = structure
    default: throw DecodingError(.malformed, at: reader.root.position, "the root is no struct")
    }
    if let (schema, index) = type {
      let json = CapnpJSON(schema, reader)
      try json.structure(index, [:], root, to: &output)
    } else {
      try describe(reader, root, to: &output)
    }
    guard end == payload.byteCount else {
      throw DecodingError(
        .malformed, at: end, "\(payload.byteCount - end) bytes follow the message")
    }
  }

  private func describe(
    _ reader: CapnpReader, _ root: CapnpReader.Struct, to output: inout JSONOutput
  ) throws(DecodingError) {
    let words = reader.segments.reduce(0) { $0 + $1.count } / 8
    let facts: KeyValuePairs = [
      "segments": reader.segments.count, "words": words, "data": root.dataBits / 8,
      "pointers": root.pointerCount,
    ]
    try output.beginObject(at: 0)
    for (name, count) in facts {
      try output.key(name, at: 0)
      try output.integer(count, at: 0)
    }
    output.endObject()
  }
}
