// Reads what `capnp compile -o-` writes: a message of `CodeGeneratorRequest`. The offsets are those
// of schema.capnp, a file of the Cap'n Proto sources; `capnp compile -ocapnp` prints them.

extension CapnpSchema {
  /// Why 100,000: more nodes, fields and enumerants than any schema has; it bounds what a hostile
  /// one costs, whose lists may overlap.
  private static let itemsMax = 100_000

  static func isSchema(_ bytes: RawSpan) -> Bool {
    guard let reader = try? CapnpReader(bytes),
      case .structure(let root)? = try? reader.target(of: reader.root)
    else { return false }
    // Nodes and requested files, as every version of the request had them.
    return root.pointerCount >= 2
  }

  convenience init(_ bytes: [UInt8]) throws(SchemaError) {
    do throws(DecodingError) {
      // `Span.bytes` is unsafe because it may show padding; a byte has none.
      let source = CapnpSchemaSource(try CapnpReader(unsafe bytes.span.bytes))
      var items = Self.itemsMax
      let nodes = try source.nodes(&items)
      var structIndices: [UInt64: Int] = [:]
      var enumIndices: [UInt64: Int] = [:]
      for node in nodes {
        switch node.kind {
        case .structure: structIndices[node.id] = structIndices.count
        case .enumeration: enumIndices[node.id] = enumIndices.count
        case .other: break
        }
      }
      var structs: [Struct] = []
      var enums: [[String]] = []
      for node in nodes {
        switch node.kind {
        case .structure where structIndices[node.id] == structs.count:
          structs.append(
            try source.structure(node, CapnpIndices(structIndices, enumIndices), &items))
        case .enumeration where enumIndices[node.id] == enums.count:
          enums.append(try source.enumerants(node, &items))
        default: throw DecodingError(.malformed, at: node.object.data, "two types have the same id")
        }
      }
      self.init(structs: structs, enums: enums, source: bytes)
    } catch {
      throw SchemaError(error, in: "CodeGeneratorRequest")
    }
  }
}

/// Where types with an id are.
struct CapnpIndices {
  let structs: [UInt64: Int]
  let enums: [UInt64: Int]

  init(_ structs: [UInt64: Int], _ enums: [UInt64: Int]) {
    self.structs = structs
    self.enums = enums
  }
}

/// A message of `CodeGeneratorRequest`.
struct CapnpSchemaSource: ~Escapable {
  struct Node {
    enum Kind { case structure, enumeration, other }
    let id: UInt64
    let kind: Kind
    let object: CapnpReader.Struct
  }

  typealias ValueType = CapnpSchema.ValueType

  private let reader: CapnpReader

  @_lifetime(copy reader)
  init(_ reader: CapnpReader) { self.reader = reader }

  /// The nodes that are structs or enums.
  func nodes(_ items: inout Int) throws(DecodingError) -> [Node] {
    guard case .structure(let request) = try reader.target(of: reader.root) else {
      throw DecodingError(.malformed, at: 0, "its root is no struct")
    }
    var nodes: [Node] = []
    for object in try structs(0, of: request, &items) {
      let kind: Node.Kind =
        switch reader.bits(16, at: 96, of: object) {
        case 1: .structure
        case 2: .enumeration
        default: .other
        }
      if kind == .other { continue }
      nodes.append(Node(id: reader.bits(64, at: 0, of: object), kind: kind, object: object))
    }
    return nodes
  }

  func enumerants(_ node: Node, _ items: inout Int) throws(DecodingError) -> [String] {
    var names: [String] = []
    for object in try structs(3, of: node.object, &items) { names.append(try text(0, of: object)) }
    return names
  }

  // MARK: Structs

  func structure(
    _ node: Node, _ indices: CapnpIndices, _ items: inout Int
  ) throws(DecodingError) -> CapnpSchema.Struct {
    // `file.capnp:Outer.Inner`; a file's name may have colons, a type's has none.
    let displayName = try text(0, of: node.object)
    let name = displayName.split(separator: ":").last.map(String.init) ?? displayName
    var structure = CapnpSchema.Struct(
      id: node.id, name: name, isGroup: reader.bits(1, at: 224, of: node.object) != 0,
      fields: [], union: [:], tagBit: 16 * Int(reader.bits(32, at: 256, of: node.object)))
    for object in try structs(3, of: node.object, &items) {
      let field = CapnpSchema.Field(
        name: try text(0, of: object), content: try content(of: object, indices, &items))
      // The value is stored XORed with its default.
      let tag = UInt16(reader.bits(16, at: 16, of: object)) ^ 0xFFFF
      if tag == 0xFFFF {
        structure.fields.append(field)
      } else {
        structure.union[tag] = field
      }
    }
    return structure
  }

  private func content(
    of field: CapnpReader.Struct, _ indices: CapnpIndices, _ items: inout Int
  ) throws(DecodingError) -> CapnpSchema.Field.Content {
    if reader.bits(16, at: 64, of: field) == 1 {
      let id = reader.bits(64, at: 128, of: field)
      guard let index = indices.structs[id] else { throw missing(id, field) }
      return .group(index)
    }
    let type = try type(2, of: field, indices, depth: 0, &items)
    let value = try structure(3, of: field) ?? .absent
    return .slot(
      type, offset: Int(reader.bits(32, at: 32, of: field)),
      defaultBits: defaultBits(type.width, of: value),
      defaultPlace: type.isPointer ? reader.pointer(0, of: value) : nil)
  }

  private func defaultBits(_ width: Int, of value: CapnpReader.Struct) -> UInt64 {
    switch width {
    case 1, 8, 16: reader.bits(width, at: 16, of: value)
    case 32: reader.bits(32, at: 32, of: value)
    case 64: reader.bits(64, at: 64, of: value)
    default: 0
    }
  }

  private func missing(_ id: UInt64, _ object: CapnpReader.Struct) -> DecodingError {
    DecodingError(
      .malformed, at: object.data, "it uses type @0x\(String(id, radix: 16)), which it lacks")
  }

  // MARK: Types

  private func type(
    _ index: Int, of object: CapnpReader.Struct, _ indices: CapnpIndices, depth: Int,
    _ items: inout Int
  ) throws(DecodingError) -> ValueType {
    // Why 32: a list of lists of lists; nobody has more.
    guard depth < 32 else { throw DecodingError(.limit, at: object.data, "a type without end") }
    items -= 1
    guard items >= 0 else { throw DecodingError(.limit, at: object.data, "too many types") }
    guard let source = try structure(index, of: object) else { return .void }
    let plain: [ValueType] = [
      .void, .bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .float32,
      .float64, .text, .data,
    ]
    let id = reader.bits(64, at: 64, of: source)
    switch Int(reader.bits(16, at: 0, of: source)) {
    case let kind where kind < plain.count:
      return plain[kind]
    case 14:
      return .list(try type(0, of: source, indices, depth: depth + 1, &items))
    case 15:
      guard let index = indices.enums[id] else { throw missing(id, source) }
      return .enumeration(index)
    case 16:
      guard let index = indices.structs[id] else { throw missing(id, source) }
      return .structure(index, try bindings(of: source, indices, depth: depth, &items))
    case 17:
      return .interface
    case 18:
      guard reader.bits(16, at: 64, of: source) == 1 else { return .anyPointer }
      return .parameter(
        reader.bits(64, at: 128, of: source), Int(reader.bits(16, at: 80, of: source)))
    default:
      throw DecodingError(.unsupported, at: source.data, "a type is of a newer Cap'n Proto")
    }
  }

  private func bindings(
    of type: CapnpReader.Struct, _ indices: CapnpIndices, depth: Int, _ items: inout Int
  ) throws(DecodingError) -> CapnpSchema.Bindings {
    var bindings: CapnpSchema.Bindings = [:]
    guard let brand = try structure(0, of: type) else { return bindings }
    for scope in try structs(0, of: brand, &items) {
      let id = reader.bits(64, at: 0, of: scope)
      if reader.bits(16, at: 64, of: scope) == 1 {
        bindings[id] = .some(nil)
        continue
      }
      var types: [ValueType] = []
      for binding in try structs(0, of: scope, &items) {
        let isBound = reader.bits(16, at: 0, of: binding) == 1
        types.append(
          isBound
            ? try self.type(0, of: binding, indices, depth: depth + 1, &items) : .anyPointer)
      }
      bindings[id] = types
    }
    return bindings
  }

  // MARK: Parts

  private func structure(
    _ index: Int, of object: CapnpReader.Struct
  ) throws(DecodingError) -> CapnpReader.Struct? {
    guard let place = reader.pointer(index, of: object) else { return nil }
    switch try reader.target(of: place) {
    case .null: return nil
    case .structure(let structure): return structure
    default: throw DecodingError(.malformed, at: place.position, "this should be a struct")
    }
  }

  private func structs(
    _ index: Int, of object: CapnpReader.Struct, _ items: inout Int
  ) throws(DecodingError) -> [CapnpReader.Struct] {
    guard let place = reader.pointer(index, of: object) else { return [] }
    switch try reader.target(of: place) {
    case .null: return []
    case .list(let list):
      guard list.count <= items else {
        throw DecodingError(.limit, at: place.position, "more types than any schema has")
      }
      items -= list.count
      return (0..<list.count).map { reader.element($0, of: list) }
    default: throw DecodingError(.malformed, at: place.position, "this should be a list")
    }
  }

  private func text(
    _ index: Int, of object: CapnpReader.Struct
  ) throws(DecodingError) -> String {
    guard let place = reader.pointer(index, of: object),
      case .list(let list) = try reader.target(of: place)
    else { return "" }
    let name = try reader.content(of: list).withoutTerminator
    guard name.byteCount <= 4096, let text = name.text else {
      throw DecodingError(.malformed, at: place.position, "a name is no text")
    }
    return text
  }
}
