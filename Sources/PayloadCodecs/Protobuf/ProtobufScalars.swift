// Numbers, text, bytes, enums and maps.

extension ProtobufJSON {
  /// A value that is no message. One of another wire type than the field's is a missing one.
  func scalar(
    _ field: Field, _ value: Value, at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    switch value {
    case .varint(let bits): try varint(field, bits, at: offset, to: &output)
    case .fixed32(let bits):
      switch field.kind {
      case .float: try output.float(Float(bitPattern: bits), at: offset)
      case .sfixed32: try output.integer(Int32(bitPattern: bits), at: offset)
      default: try output.integer(bits, at: offset)
      }
    case .fixed64(let bits):
      switch field.kind {
      case .double: try output.double(Double(bitPattern: bits), at: offset)
      case .sfixed64: try output.string(String(Int64(bitPattern: bits)), at: offset)
      default: try output.string(String(bits), at: offset)
      }
    case .length(let range), .group(let range):
      let content = bytes.extracting(range)
      if field.kind == .string {
        try output.string(utf8: content, at: offset)
      } else if content.byteCount > output.limits.binaryBytes {
        try output.binary(content, at: offset)
      } else {
        try output.base64(content, at: offset)
      }
    }
  }

  private func varint(
    _ field: Field, _ bits: UInt64, at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    switch field.kind {
    case .bool: try output.bool(bits != 0, at: offset)
    case .int32: try output.integer(Int32(truncatingIfNeeded: bits), at: offset)
    case .uint32: try output.integer(UInt32(truncatingIfNeeded: bits), at: offset)
    case .sint32:
      let low = UInt32(truncatingIfNeeded: bits)
      try output.integer(Int32(bitPattern: low >> 1) ^ -Int32(bitPattern: low & 1), at: offset)
    case .sint64:
      let value = Int64(bitPattern: bits >> 1) ^ -Int64(bitPattern: bits & 1)
      try output.string(String(value), at: offset)
    case .int64: try output.string(String(Int64(bitPattern: bits)), at: offset)
    case .enumeration:
      let enumeration = schema.enums[field.type]
      let value = Int32(truncatingIfNeeded: bits)
      if enumeration.name == "google.protobuf.NullValue" {
        try output.null(at: offset)
      } else if let name = enumeration.names[value] {
        try output.string(name, at: offset)
      } else {
        try output.integer(value, at: offset)
      }
    default: try output.string(String(bits), at: offset)
    }
  }

  /// The value of a field that is not there, where one has to be shown.
  mutating func defaultValue(
    of field: Field, at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    switch field.kind.wireType {
    case _ where field.kind.isMessage:
      try message(field.type, [], at: offset, to: &output)
    case .varint:
      let first = field.kind == .enumeration ? schema.enums[field.type].first : 0
      try varint(field, UInt64(bitPattern: Int64(first)), at: offset, to: &output)
    case .fixed32: try scalar(field, .fixed32(0), at: offset, to: &output)
    case .fixed64: try scalar(field, .fixed64(0), at: offset, to: &output)
    default: try scalar(field, .length(0..<0), at: offset, to: &output)
    }
  }
}

// MARK: - Maps

extension ProtobufJSON {
  /// A map: entries of type `index`. Of several with the same key, the last one counts.
  mutating func map(
    _ index: Int, _ places: ArraySlice<ProtobufPlace>, at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    guard let keyField = schema.messages[index].fields[1],
      let valueField = schema.messages[index].fields[2]
    else { throw DecodingError(.malformed, at: offset, "the schema's map is none") }

    var keys: [String] = []
    var last: [String: Int] = [:]
    for (entry, place) in places.enumerated() {
      let found = try find(index, ranges(of: [place])).known
      let key = try key(keyField, found.last { $0.number == 1 })
      keys.append(key)
      last[key] = entry
    }
    try output.beginObject(at: offset)
    for (entry, place) in places.enumerated() where last[keys[entry]] == entry {
      try output.key(keys[entry], at: place.offset)
      let found = try find(index, ranges(of: [place])).known.filter { $0.number == 2 }
      if found.isEmpty {
        try defaultValue(of: valueField, at: place.offset, to: &output)
      } else if valueField.kind.isMessage {
        let ranges = try ranges(of: found[...])
        try message(valueField.type, ranges, at: place.offset, to: &output)
      } else {
        let value = found[found.count - 1]
        try scalar(valueField, try self.value(at: value), at: value.offset, to: &output)
      }
    }
    output.endObject()
  }

  private mutating func key(
    _ field: Field, _ place: ProtobufPlace?
  ) throws(DecodingError) -> String {
    guard let place else { return field.kind == .string ? "" : field.kind == .bool ? "false" : "0" }
    let value = try value(at: place)
    switch value {
    case .length(let range) where field.kind == .string:
      return bytes.extracting(range).repairedText
    default:
      // As a value, which is a number with or without quotes, or a word.
      var text = JSONOutput()
      try scalar(field, value, at: place.offset, to: &text)
      return text.text.filter { $0 != "\"" }
    }
  }
}

extension RawSpan {
  /// These bytes as text, with U+FFFD for what is no UTF-8.
  fileprivate var repairedText: String {
    unsafe withUnsafeBytes { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
  }
}
