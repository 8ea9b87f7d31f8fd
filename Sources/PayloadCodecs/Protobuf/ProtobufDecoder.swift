/// Shows messages of Protocol Buffers by the ProtoJSON mapping, as Python's `MessageToDict` does.
///
/// | value | JSON |
/// |---|---|
/// | field that is there | under its `json_name`; an extension under `[pkg.name]` |
/// | int64, uint64 and the like | their digits as a string |
/// | enum | its name; a number where it has none |
/// | bytes | base64 |
/// | map, repeated field | object, array; packed or not |
/// | Timestamp, Duration, FieldMask, wrappers, Struct, Value, ListValue | as the mapping has them |
/// | Any | with `@type`; of a type that the schema lacks, its `value` as bytes |
/// | field that the schema lacks | as without a schema, by its number |
///
/// Of a message that is cut, the fields that are whole are shown, and of a field that is not of the
/// schema's type what it is on the wire; both are errors all the same.
///
/// Shown is what is on the wire, so a default that a writer wrote is there. More bytes than
/// ``DecodingLimits/binaryBytes`` are cut and counted; text that is no UTF-8, and a Timestamp or
/// Duration out of its range, are shown as what they are made of.
///
/// Without a schema: by field number, with the wire type, `[...]` where a number is there again:
/// `{"1":{"varint":150},"2":{"text":"abc"},"3":{"message":{...}},"4":{"fixed32":N,"float":X}}`.
/// Bytes are text if they are printable, a message if they parse as one, else bytes.
public struct ProtobufDecoder: Decoder {
  private let type: (schema: ProtobufSchema, index: Int)?

  /// - Parameter type: a message, with its package.
  init?(_ schema: ProtobufSchema, type: String) {
    guard let index = schema.message(type) else { return nil }
    self.type = (schema, index)
  }

  init() { type = nil }

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    // The places of fields are kept in 32 bits.
    guard payload.byteCount <= Int(UInt32.max) else {
      throw DecodingError(.limit, at: 0, "larger than 4 GiB")
    }
    if let (schema, index) = type {
      var json = ProtobufJSON(schema, payload, output.limits)
      try json.message(index, [0..<payload.byteCount], at: 0, to: &output)
      if let failure = json.failure { throw failure }
    } else {
      var guess = ProtobufGuess(payload, ProtobufWork(output.limits))
      try guess.message(0..<payload.byteCount, at: 0, to: &output)
    }
  }
}
