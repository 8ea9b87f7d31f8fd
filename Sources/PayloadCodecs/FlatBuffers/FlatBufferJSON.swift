/// Writes one buffer as JSON.
///
/// Positions are from the start of the buffer; `base` is what errors add to them. The depth of
/// tables in tables is bounded by the output's, since each writes an object.
struct FlatBufferJSON: ~Escapable {
  private typealias Field = FlatBufferSchema.Field
  private typealias ValueType = FlatBufferSchema.ValueType

  private let schema: FlatBufferSchema
  private let reader: FlatBufferReader
  private let base: Int

  @_lifetime(copy buffer)
  init(_ schema: FlatBufferSchema, _ buffer: RawSpan, base: Int) {
    self.schema = schema
    self.reader = FlatBufferReader(buffer)
    self.base = base
  }

  /// The buffer's root, which is said to be the table of that index.
  func root(_ table: Int, to output: inout JSONOutput) throws(DecodingError) {
    do throws(DecodingError) {
      try self.table(table, at: reader.target(at: 0), to: &output)
    } catch {
      throw DecodingError(error.kind, at: base + error.offset, error.reason)
    }
  }

  private func table(
    _ index: Int, at position: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let table = try reader.table(at: position)
    try output.beginObject(at: position)
    for field in schema.objects[index].fields {
      let width = schema.inlineWidth(of: field.type)
      if let place = try reader.field(field.offset, of: table, width: width) {
        try output.key(field.name, at: place)
        try value(of: field, in: table, at: place, to: &output)
      } else if field.type.base.isScalar && !field.isDeprecated {
        try output.key(field.name, at: position)
        try defaultValue(of: field, at: position, to: &output)
      }
    }
    output.endObject()
  }

  private func value(
    of field: Field, in table: FlatBufferReader.Table, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    // The types of unions are the field before them.
    let typeSlot = field.offset - 2
    if field.type.base == .union {
      let type = try reader.field(typeSlot, of: table, width: 1).map { reader.bytes.byte(at: $0) }
      try union(field.type.index, type ?? 0, at: place, to: &output)
    } else if field.type.base == .vector && field.type.element == .union {
      try unions(
        field.type.index, types: try reader.field(typeSlot, of: table, width: 4), at: place,
        to: &output)
    } else if let nested = field.nestedTable {
      let bytes = try reader.string(at: place)
      let start = base + (try reader.target(at: place)) + 4
      let json = FlatBufferJSON(schema, bytes, base: start)
      do throws(DecodingError) {
        try json.root(nested, to: &output)
      } catch {
        throw DecodingError(error.kind, at: error.offset - base, error.reason)
      }
    } else {
      try value(field.type, at: place, to: &output)
    }
  }

  /// The value whose inline part is at `place`.
  private func value(
    _ type: ValueType, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    switch type.base {
    case .string:
      try output.string(utf8: reader.string(at: place), at: place)
    case .object:
      let index = try index(of: type, at: place)
      if schema.objects[index].isStruct {
        try structure(index, at: place, to: &output)
      } else {
        try table(index, at: reader.target(at: place), to: &output)
      }
    case .vector:
      try vector(of: type.elementType, at: place, to: &output)
    case .array:
      try elements(of: type.elementType, at: place, count: type.fixedCount, to: &output)
    case .none, .union:
      throw DecodingError(.malformed, at: place, "the schema has a type that no value has")
    default:
      try scalar(type, at: place, to: &output)
    }
  }

  private func structure(
    _ index: Int, at position: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let object = schema.objects[index]
    guard reader.bytes.contains(object.byteCount, at: position) else {
      throw DecodingError(.truncated, at: position, "a struct goes on behind the payload's end")
    }
    try output.beginObject(at: position)
    for field in object.fields {
      try output.key(field.name, at: position + field.offset)
      try value(field.type, at: position + field.offset, to: &output)
    }
    output.endObject()
  }

  private func index(of type: ValueType, at place: Int) throws(DecodingError) -> Int {
    guard let index = type.index else {
      throw DecodingError(.malformed, at: place, "the schema does not tell the type")
    }
    return index
  }
}

// MARK: - Vectors and unions

extension FlatBufferJSON {
  private func vector(
    of element: ValueType, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let width = schema.inlineWidth(of: element)
    let vector = try reader.vector(at: place, width: width)
    if width == 1 && element.base != .bool && vector.count > output.limits.binaryBytes {
      let bytes = reader.bytes.extracting(vector.start..<vector.start + vector.count)
      return try output.binary(bytes, at: vector.start)
    }
    try elements(of: element, at: vector.start, count: vector.count, to: &output)
  }

  private func elements(
    of element: ValueType, at start: Int, count: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let width = schema.inlineWidth(of: element)
    try output.beginArray(at: start)
    for index in 0..<count {
      try value(element, at: start + index * width, to: &output)
    }
    output.endArray()
  }

  private func union(
    _ index: Int?, _ type: UInt8, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    guard let index, let member = schema.enums[index].members[Int64(type)] else {
      return try output.null(at: place)
    }
    // A union's struct is not inline, unlike any other.
    if member.base == .object, let object = member.index, schema.objects[object].isStruct {
      try structure(object, at: reader.target(at: place), to: &output)
    } else {
      try value(member, at: place, to: &output)
    }
  }

  /// A vector of unions is two: of their types, and of their values.
  private func unions(
    _ index: Int?, types: Int?, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let values = try reader.vector(at: place, width: 4)
    guard let types else {
      throw DecodingError(.malformed, at: place, "a vector of unions without their types")
    }
    let kinds = try reader.vector(at: types, width: 1)
    guard kinds.count == values.count else {
      throw DecodingError(.malformed, at: place, "there are not as many unions as types")
    }
    try output.beginArray(at: place)
    for element in 0..<values.count {
      let type = reader.bytes.byte(at: kinds.start + element)
      try union(index, type, at: values.start + 4 * element, to: &output)
    }
    output.endArray()
  }
}

// MARK: - Numbers

extension FlatBufferJSON {
  private func scalar(
    _ type: ValueType, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let bytes = reader.bytes
    switch type.base {
    case .int8: try integer(try bytes.integer(Int8.self, at: place), type, place, &output)
    case .uint8, .unionType, .bool:
      try integer(try bytes.integer(UInt8.self, at: place), type, place, &output)
    case .int16: try integer(try bytes.integer(Int16.self, at: place), type, place, &output)
    case .uint16: try integer(try bytes.integer(UInt16.self, at: place), type, place, &output)
    case .int32: try integer(try bytes.integer(Int32.self, at: place), type, place, &output)
    case .uint32: try integer(try bytes.integer(UInt32.self, at: place), type, place, &output)
    case .int64: try integer(try bytes.integer(Int64.self, at: place), type, place, &output)
    case .uint64: try integer(try bytes.integer(UInt64.self, at: place), type, place, &output)
    case .float:
      let bits = try bytes.integer(UInt32.self, at: place)
      try output.float(Float(bitPattern: bits), at: place)
    case .double:
      let bits = try bytes.integer(UInt64.self, at: place)
      try output.double(Double(bitPattern: bits), at: place)
    case .none, .string, .vector, .object, .union, .array:
      throw DecodingError(.malformed, at: place, "the schema says that this is a number")
    }
  }

  private func defaultValue(
    of field: Field, at position: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    if field.isOptional { return try output.null(at: position) }
    switch field.type.base {
    case .float: try output.float(Float(field.defaultReal), at: position)
    case .double: try output.double(field.defaultReal, at: position)
    case .uint64:
      try integer(UInt64(bitPattern: field.defaultInteger), field.type, position, &output)
    default: try integer(field.defaultInteger, field.type, position, &output)
    }
  }

  private func integer(
    _ value: some FixedWidthInteger, _ type: ValueType, _ place: Int, _ output: inout JSONOutput
  ) throws(DecodingError) {
    if let index = type.index {
      let enumeration = schema.enums[index]
      let value = Int64(truncatingIfNeeded: value)
      if let name = enumeration.names[value] ?? enumeration.flagNames(value) {
        return try output.string(name, at: place)
      }
    }
    if type.base == .bool { return try output.bool(value != 0, at: place) }
    try output.integer(value, at: place)
  }
}

extension FlatBufferSchema.Enumeration {
  /// The names of all bits of `value`, if all have one: `"Left Right"`.
  fileprivate func flagNames(_ value: Int64) -> String? {
    let bits = UInt64(bitPattern: value)
    guard bits != 0 else { return nil }
    let set = flags.filter { $0.value & bits != 0 }
    guard !set.isEmpty, set.reduce(0, { $0 | $1.value }) == bits else { return nil }
    return set.map(\.name).joined(separator: " ")
  }
}
