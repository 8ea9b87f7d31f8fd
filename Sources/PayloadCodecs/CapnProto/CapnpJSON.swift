/// Writes the values of one message as JSON.
///
/// The depth of structs and lists in each other is bounded by the output's, since each writes an
/// object or array; so is the number of values, however often a message points to the same.
struct CapnpJSON: ~Escapable {
  private typealias Field = CapnpSchema.Field
  typealias ValueType = CapnpSchema.ValueType
  typealias Bindings = CapnpSchema.Bindings

  private let schema: CapnpSchema
  private let reader: CapnpReader

  @_lifetime(copy reader)
  init(_ schema: CapnpSchema, _ reader: CapnpReader) {
    self.schema = schema
    self.reader = reader
  }

  /// - Parameter index: of the type, or of a group in the same bytes.
  func structure(
    _ index: Int, _ bindings: Bindings, _ object: CapnpReader.Struct, to output: inout JSONOutput
  ) throws(DecodingError) {
    let type = schema.structs[index]
    try output.beginObject(at: object.data)
    for field in type.fields {
      try self.field(field, bindings, object, isActive: false, to: &output)
    }
    if !type.union.isEmpty {
      let tag = UInt16(reader.bits(16, at: type.tagBit, of: object))
      if let active = type.union[tag] {
        try field(active, bindings, object, isActive: true, to: &output)
      }
    }
    output.endObject()
  }

  /// - Parameter isActive: whether it is what a union holds, which is shown even if it is null.
  private func field(
    _ field: Field, _ bindings: Bindings, _ object: CapnpReader.Struct, isActive: Bool,
    to output: inout JSONOutput
  ) throws(DecodingError) {
    switch field.content {
    case .group(let index):
      try output.key(field.name, at: object.data)
      try structure(index, bindings, object, to: &output)
    case .slot(let type, let offset, let defaultBits, let defaultPlace):
      guard type.isPointer else {
        try output.key(field.name, at: object.data)
        let bits = reader.bits(type.width, at: offset * type.width, of: object) ^ defaultBits
        return try number(bits, type, at: object.data, to: &output)
      }
      let bound = bindings.isEmpty ? type : type.bound(by: bindings)
      let place = reader.pointer(offset, of: object)
      let target = if let place { try reader.target(of: place) } else { CapnpReader.Target.null }
      if case .null = target {
        guard isActive else { return }
        try output.key(field.name, at: object.data)
        try absent(bound, defaultPlace, in: object, to: &output)
      } else {
        try output.key(field.name, at: object.data)
        try value(target, bound, at: place?.position ?? object.data, to: &output)
      }
    }
  }

  /// What a union holds if that is a null pointer: the schema's default.
  private func absent(
    _ type: ValueType, _ place: CapnpReader.Place?, in object: CapnpReader.Struct,
    to output: inout JSONOutput
  ) throws(DecodingError) {
    if let place, try defaultValue(type, place, at: object.data, to: &output) { return }
    let isInAbsentStruct = object.dataBits == 0 && object.pointerCount == 0
    if isInAbsentStruct, case .structure = type { return try output.null(at: object.data) }
    try value(.null, type, at: object.data, to: &output)
  }
}

// MARK: - Values behind pointers

extension CapnpJSON {
  /// The default that the pointer at `place` of the schema leads to; false, and nothing is written,
  /// where it is null.
  private func defaultValue(
    _ type: ValueType, _ place: CapnpReader.Place, at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) -> Bool {
    let bytes = schema.source
    do throws(DecodingError) {
      // `Span.bytes` is unsafe because it may show padding; a byte has none.
      let source = try CapnpReader(unsafe bytes.span.bytes)
      let target = try source.target(of: place)
      if case .null = target { return false }
      try CapnpJSON(schema, source).value(target, type, at: place.position, to: &output)
      return true
    } catch {
      throw DecodingError(error.kind, at: offset, "in a default of the schema \(error.reason)")
    }
  }

  private func value(
    _ target: CapnpReader.Target, _ type: ValueType, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    switch (type, target) {
    case (.text, .null):
      try output.string("", at: place)
    case (.text, .list(let list)):
      try output.string(utf8: reader.content(of: list).withoutTerminator, at: place)
    case (.data, .null), (.list, .null):
      try output.beginArray(at: place)
      output.endArray()
    case (.data, .list(let list)):
      try data(list, at: place, to: &output)
    case (.list(let element), .list(let list)):
      try self.list(list, of: element, at: place, to: &output)
    case (.structure(let index, let bindings), .null):
      try structure(index, bindings, .absent, to: &output)
    case (.structure(let index, let bindings), .structure(let object)):
      try structure(index, bindings, object, to: &output)
    case (.interface, _), (.anyPointer, _), (.parameter, _):
      try describe(target, at: place, to: &output)
    default:
      throw DecodingError(.malformed, at: place, "a pointer is of another kind than its field")
    }
  }

  private func data(
    _ list: CapnpReader.List, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let content = try reader.content(of: list)
    guard content.byteCount <= output.limits.binaryBytes else {
      return try output.binary(content, at: place)
    }
    try output.beginArray(at: place)
    for index in 0..<content.byteCount {
      try output.integer(content.byte(at: index), at: place)
    }
    output.endArray()
  }

  private func list(
    _ list: CapnpReader.List, of type: ValueType, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    try output.beginArray(at: place)
    for index in 0..<list.count {
      switch type {
      case .structure(let structIndex, let bindings):
        guard list.stepBits != 1 else {
          throw DecodingError(.malformed, at: place, "a list of bits is no list of structs")
        }
        try structure(structIndex, bindings, reader.element(index, of: list), to: &output)
      case _ where type.isPointer:
        let pointer = reader.pointer(0, of: reader.element(index, of: list))
        guard let pointer else {
          throw DecodingError(.malformed, at: place, "a list of numbers where pointers should be")
        }
        try value(try reader.target(of: pointer), type, at: pointer.position, to: &output)
      default:
        guard type.width <= list.dataBits, type.width != 1 || list.stepBits == 1 else {
          throw DecodingError(.malformed, at: place, "a list's elements are too small")
        }
        try number(reader.bits(type.width, of: index, in: list), type, at: place, to: &output)
      }
    }
    output.endArray()
  }

  /// Says what a pointer leads to whose type nothing tells.
  private func describe(
    _ target: CapnpReader.Target, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    if case .null = target { return try output.null(at: place) }
    try output.beginObject(at: place)
    switch target {
    case .null: break
    case .structure(let object):
      try output.key("$struct", at: place)
      try output.beginObject(at: place)
      try output.key("data", at: place)
      try output.integer(object.dataBits / 8, at: place)
      try output.key("pointers", at: place)
      try output.integer(object.pointerCount, at: place)
      output.endObject()
    case .list(let list):
      try output.key("$list", at: place)
      try output.integer(list.count, at: place)
    case .capability(let index):
      try output.key("$capability", at: place)
      try output.integer(index, at: place)
    }
    output.endObject()
  }
}

// MARK: - Numbers

extension CapnpJSON {
  private func number(
    _ bits: UInt64, _ type: ValueType, at place: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    switch type {
    case .void: try output.null(at: place)
    case .bool: try output.bool(bits != 0, at: place)
    case .int8: try output.integer(Int8(truncatingIfNeeded: bits), at: place)
    case .int16: try output.integer(Int16(truncatingIfNeeded: bits), at: place)
    case .int32: try output.integer(Int32(truncatingIfNeeded: bits), at: place)
    case .uint8, .uint16, .uint32: try output.integer(bits, at: place)
    case .int64: try output.string(String(Int64(bitPattern: bits)), at: place)
    case .uint64: try output.string(String(bits), at: place)
    case .float32: try output.float(Float(bitPattern: UInt32(bits)), at: place)
    case .float64: try output.double(Double(bitPattern: bits), at: place)
    case .enumeration(let index):
      let names = schema.enums[index]
      if bits < names.count {
        try output.string(names[Int(bits)], at: place)
      } else {
        try output.integer(bits, at: place)
      }
    case .text, .data, .list, .structure, .interface, .anyPointer, .parameter:
      throw DecodingError(.malformed, at: place, "the schema says that this is a number")
    }
  }
}
