import Foundation
import PayloadCodecs
import Testing

/// Files under Fixtures; its README says what they are.
enum Fixture {
  static func bytes(_ name: String) throws -> [UInt8] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return Array(try Data(contentsOf: folder.appendingPathComponent("Fixtures/\(name)")))
  }

  static func schemas(_ name: String) throws -> SchemaSet {
    SchemaSet([try Schema(bytes(name))])
  }

  static func decoder(_ schema: String, _ tag: String) throws -> any Decoder {
    try #require(try schemas(schema).decoder(for: CodecTag(rawValue: tag)))
  }
}

/// What a decoder writes for `payload`, which is looked at in place.
func decode(
  _ payload: [UInt8], by decoder: any Decoder, limits: DecodingLimits = DecodingLimits()
) throws(DecodingError) -> String {
  var output = JSONOutput(limits)
  // `Span.bytes` is unsafe because it may show padding; a byte has none.
  try unsafe decoder.decode(payload.span.bytes, to: &output)
  return output.text
}

func decode(_ payload: [UInt8], _ schema: String, _ tag: String) throws -> String {
  try decode(payload, by: Fixture.decoder(schema, tag))
}

/// The kind of error that `payload` gives; `nil` if it is shown, then as one JSON value.
func failure(
  _ payload: [UInt8], by decoder: any Decoder, limits: DecodingLimits = DecodingLimits()
) -> DecodingError.Kind? {
  var output = JSONOutput(limits)
  do throws(DecodingError) {
    try unsafe decoder.decode(payload.span.bytes, to: &output)
  } catch {
    #expect(error.offset >= 0 && error.offset <= payload.count, "\(error)")
    output.closeAll()
    #expect(output.bytes.isEmpty || isJSON(output.bytes), "\(output.text)")
    return error.kind
  }
  #expect(isJSON(output.bytes), "\(output.text)")
  return nil
}

/// JSON to compare by what it says.
indirect enum JSONValue: Decodable, Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case large(UInt64)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(_ bytes: [UInt8]) throws {
    self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
  }

  init(from decoder: any Swift.Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = try? value.decode(Bool.self) {
      self = .bool(bool)
    } else if let integer = try? value.decode(Int64.self) {
      self = .integer(integer)
    } else if let large = try? value.decode(UInt64.self) {
      self = .large(large)
    } else if let double = try? value.decode(Double.self) {
      self = .double(double)
    } else if let string = try? value.decode(String.self) {
      self = .string(string)
    } else if let array = try? value.decode([JSONValue].self) {
      self = .array(array)
    } else {
      self = .object(try value.decode([String: JSONValue].self))
    }
  }
}

private func isJSON(_ bytes: [UInt8]) -> Bool {
  (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
}

// MARK: - Bytes made by hand

/// An integer of a payload, to be written little-endian.
enum Part {
  case u16(UInt16)
  case u32(UInt32)
  case i32(Int32)
  case u64(UInt64)

  fileprivate var bytes: [UInt8] {
    switch self {
    case .u16(let value): little(value)
    case .u32(let value): little(value)
    case .i32(let value): little(value)
    case .u64(let value): little(value)
    }
  }

  private func little(_ value: some FixedWidthInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}

/// The bytes of integers: `integers([.u16(4), .u32(1)])`.
func integers(_ parts: [Part]) -> [UInt8] { parts.flatMap(\.bytes) }
