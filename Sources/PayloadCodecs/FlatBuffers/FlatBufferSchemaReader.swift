// Reads `.bfbs` files: buffers of `reflection.Schema`, a schema that all schemas are written in.
// Slots are `4 + 2 * id` of the fields in reflection.fbs, a file of the FlatBuffers sources.

extension FlatBufferSchema {
  static func isSchema(_ bytes: RawSpan) -> Bool {
    FlatBufferReader(bytes).identifier == "BFBS"
  }

  /// Why 100,000: more objects, enums, fields or values than any schema has; it bounds what a
  /// hostile one costs, whose vectors may overlap.
  private static let itemsMax = 100_000

  convenience init(_ bytes: RawSpan) throws(SchemaError) {
    do throws(DecodingError) {
      let source = SchemaSource(bytes)
      var items = Self.itemsMax
      let schema = try source.reader.root()
      let enums = try source.enums(of: schema, &items)
      var (objects, nested) = try source.objects(of: schema, &items)
      try Self.check(&objects, enums, nested)
      let root = try source.rootName(of: schema)
      self.init(
        objects: objects, enums: enums,
        root: root.flatMap { name in objects.firstIndex { $0.name == name && !$0.isStruct } },
        fileIdentifier: try source.string(8, of: schema))
    } catch {
      throw SchemaError(error, in: ".bfbs")
    }
  }

  /// Sees to it that all indices are in range and all structs hold what they should; fills in the
  /// tables of nested buffers, which the file has by name.
  private static func check(
    _ objects: inout [Object], _ enums: [Enumeration], _ nested: [(Int, Int, String)]
  ) throws(DecodingError) {
    func fail(_ name: String) -> DecodingError {
      DecodingError(.malformed, at: 0, "'\(name)' is of a type that is not there")
    }
    for object in objects {
      for field in object.fields {
        try check(field.type, objects, enums, or: fail(field.name))
        if object.isStruct {
          let width = try structWidth(of: field.type, objects, or: fail(field.name))
          guard field.offset >= 0, field.offset <= object.byteCount - width else {
            throw DecodingError(.malformed, at: 0, "'\(field.name)' is outside of its struct")
          }
        }
      }
    }
    for union in enums {
      for type in union.members.values { try check(type, objects, enums, or: fail("a union")) }
    }
    for (object, field, name) in nested {
      objects[object].fields[field].nestedTable = table(
        name, from: objects[object].name, in: objects)
    }
  }

  private static func check(
    _ type: ValueType, _ objects: [Object], _ enums: [Enumeration], or error: DecodingError
  ) throws(DecodingError) {
    let isContainer = type.base == .vector || type.base == .array
    let base = isContainer ? type.element : type.base
    switch base {
    case .object:
      guard let index = type.index, objects.indices.contains(index) else { throw error }
      if objects[index].isStruct && objects[index].byteCount < 1 { throw error }
    case .union:
      guard let index = type.index, enums.indices.contains(index) else { throw error }
    case .none, .vector, .array:
      throw error
    default:
      if let index = type.index, !enums.indices.contains(index) { throw error }
    }
  }

  /// The bytes of a struct's field, which is made of numbers and structs only.
  ///
  /// A struct is larger than the structs in it, or as large if it holds nothing else; this alone
  /// lets one hold itself, so what is shown of one is bounded by the depth, like everything.
  private static func structWidth(
    of type: ValueType, _ objects: [Object], or error: DecodingError
  ) throws(DecodingError) -> Int {
    let base = type.base == .array ? type.element : type.base
    let count = type.base == .array ? type.fixedCount : 1
    if base.isScalar { return count * base.scalarWidth }
    guard base == .object, let index = type.index, objects[index].isStruct else { throw error }
    return count * objects[index].byteCount
  }

  /// The table that `name` means inside of `scope`: in its namespace or one around it.
  private static func table(_ name: String, from scope: String, in objects: [Object]) -> Int? {
    var space = scope.split(separator: ".").dropLast()
    while true {
      let full = (space + [Substring(name)]).joined(separator: ".")
      if let index = objects.firstIndex(where: { $0.name == full && !$0.isStruct }) { return index }
      if space.isEmpty { return nil }
      space.removeLast()
    }
  }
}

/// A buffer of `reflection.Schema`.
private struct SchemaSource: ~Escapable {
  typealias Table = FlatBufferReader.Table
  typealias ValueType = FlatBufferSchema.ValueType

  let reader: FlatBufferReader

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { reader = FlatBufferReader(bytes) }

  func rootName(of schema: Table) throws(DecodingError) -> String? {
    guard let position = try reader.field(12, of: schema, width: 4) else { return nil }
    return try string(4, of: reader.table(at: reader.target(at: position)))
  }

  // MARK: Objects

  /// The objects, and by object and field the names of the tables that are nested as bytes.
  func objects(
    of schema: Table, _ items: inout Int
  ) throws(DecodingError) -> ([FlatBufferSchema.Object], [(Int, Int, String)]) {
    var objects: [FlatBufferSchema.Object] = []
    var nested: [(Int, Int, String)] = []
    for table in try tables(4, of: schema, &items) {
      let isStruct = try integer(UInt8.self, 8, of: table) ?? 0 != 0
      var fields: [(id: UInt16, field: FlatBufferSchema.Field, nested: String?)] = []
      for source in try tables(6, of: table, &items) {
        fields.append(
          (
            try integer(UInt16.self, 8, of: source) ?? 0, try field(source),
            try attribute("nested_flatbuffer", 22, of: source, &items)
          ))
      }
      fields.sort { $0.id < $1.id }
      for (index, field) in fields.enumerated() {
        if let name = field.nested { nested.append((objects.count, index, name)) }
      }
      objects.append(
        FlatBufferSchema.Object(
          name: try name(of: table), fields: fields.map(\.field), isStruct: isStruct,
          byteCount: Int(try integer(Int32.self, 12, of: table) ?? 0)))
    }
    return (objects, nested)
  }

  private func field(_ table: Table) throws(DecodingError) -> FlatBufferSchema.Field {
    if try integer(UInt8.self, 30, of: table) ?? 0 != 0 {
      throw DecodingError(.unsupported, at: table.position, "offsets of 64 bits are not read")
    }
    return FlatBufferSchema.Field(
      name: try name(of: table), type: try type(6, of: table),
      offset: Int(try integer(UInt16.self, 10, of: table) ?? 0),
      defaultInteger: try integer(Int64.self, 12, of: table) ?? 0,
      defaultReal: Double(bitPattern: try integer(UInt64.self, 14, of: table) ?? 0),
      isDeprecated: try integer(UInt8.self, 16, of: table) ?? 0 != 0,
      isOptional: try integer(UInt8.self, 26, of: table) ?? 0 != 0)
  }

  private func type(_ slot: Int, of table: Table) throws(DecodingError) -> ValueType {
    guard let position = try reader.field(slot, of: table, width: 4) else {
      throw DecodingError(.malformed, at: table.position, "a field has no type")
    }
    let source = try reader.table(at: reader.target(at: position))
    let base = try integer(UInt8.self, 4, of: source) ?? 0
    let element = try integer(UInt8.self, 6, of: source) ?? 0
    guard let base = FlatBufferSchema.BaseType(rawValue: base),
      let element = FlatBufferSchema.BaseType(rawValue: element)
    else {
      throw DecodingError(.unsupported, at: source.position, "a type is of a newer FlatBuffers")
    }
    let index = try integer(Int32.self, 8, of: source) ?? -1
    return ValueType(
      base: base, element: element, index: index < 0 ? nil : Int(index),
      fixedCount: Int(try integer(UInt16.self, 10, of: source) ?? 0))
  }

  // MARK: Enums

  func enums(
    of schema: Table, _ items: inout Int
  ) throws(DecodingError) -> [FlatBufferSchema.Enumeration] {
    var enums: [FlatBufferSchema.Enumeration] = []
    for table in try tables(6, of: schema, &items) {
      let isUnion = try integer(UInt8.self, 8, of: table) ?? 0 != 0
      let isFlags = try attribute("bit_flags", 12, of: table, &items) != nil
      var names: [Int64: String] = [:]
      var members: [Int64: ValueType] = [:]
      var flags: [(UInt64, String)] = []
      for source in try tables(6, of: table, &items) {
        let value = try integer(Int64.self, 6, of: source) ?? 0
        let name = try name(of: source)
        if names[value] == nil { names[value] = name }
        if isFlags { flags.append((UInt64(bitPattern: value), name)) }
        if isUnion && value != 0 { members[value] = try type(10, of: source) }
      }
      enums.append(FlatBufferSchema.Enumeration(names: names, members: members, flags: flags))
    }
    return enums
  }

  // MARK: Parts

  private func name(of table: Table) throws(DecodingError) -> String {
    try string(4, of: table) ?? ""
  }

  func string(_ slot: Int, of table: Table) throws(DecodingError) -> String? {
    guard let position = try reader.field(slot, of: table, width: 4) else { return nil }
    let bytes = try reader.string(at: position)
    guard bytes.byteCount <= 4096, let text = bytes.text else {
      throw DecodingError(.malformed, at: position, "a name is no text")
    }
    return text
  }

  private func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type, _ slot: Int, of table: Table
  ) throws(DecodingError) -> Value? {
    let width = MemoryLayout<Value>.size
    guard let position = try reader.field(slot, of: table, width: width) else { return nil }
    return try reader.bytes.integer(type, at: position)
  }

  private func tables(
    _ slot: Int, of table: Table, _ items: inout Int
  ) throws(DecodingError) -> [Table] {
    guard let position = try reader.field(slot, of: table, width: 4) else { return [] }
    let vector = try reader.vector(at: position, width: 4)
    guard vector.count <= items else {
      throw DecodingError(.limit, at: position, "more types and fields than any schema has")
    }
    items -= vector.count
    var tables: [Table] = []
    tables.reserveCapacity(vector.count)
    for index in 0..<vector.count {
      tables.append(try reader.table(at: reader.target(at: vector.start + 4 * index)))
    }
    return tables
  }

  /// The value of an attribute in the vector of `KeyValue` at `slot`; `nil` where it is not set.
  private func attribute(
    _ wanted: String, _ slot: Int, of table: Table, _ items: inout Int
  ) throws(DecodingError) -> String? {
    for pair in try tables(slot, of: table, &items) where try name(of: pair) == wanted {
      return try string(6, of: pair) ?? ""
    }
    return nil
  }
}
