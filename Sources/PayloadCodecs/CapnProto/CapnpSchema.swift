/// The types of a Cap'n Proto schema, ready to read messages by.
///
/// Every index in it is checked to be in range.
final class CapnpSchema: Sendable {
  indirect enum ValueType: Sendable {
    case void, bool
    case int8, int16, int32, int64
    case uint8, uint16, uint32, uint64
    case float32, float64
    case text, data
    case list(ValueType)
    /// Index into ``enums``.
    case enumeration(Int)
    /// Index into ``structs``, and what its parameters are bound to.
    case structure(Int, Bindings)
    case interface
    case anyPointer
    /// A parameter of a generic struct, whose id it has.
    case parameter(UInt64, Int)
  }

  /// What the parameters of generic structs are, by the id of the struct that has them; `nil` where
  /// they are what they are around here.
  typealias Bindings = [UInt64: [ValueType]?]

  struct Field {
    enum Content {
      /// A value of its own. `offset` is in multiples of the value's size, or of pointers.
      /// `defaultBits` are what a number is XORed with; `defaultPlace` is where in the schema's own
      /// message the pointer to the default stands.
      case slot(
        ValueType, offset: Int, defaultBits: UInt64, defaultPlace: CapnpReader.Place?)
      /// Index into ``structs`` of one that lies in the same bytes.
      case group(Int)
    }

    let name: String
    var content: Content
  }

  struct Struct {
    let id: UInt64
    let name: String
    let isGroup: Bool
    /// In the order of the source; not those of the union.
    var fields: [Field]
    /// The fields of the union by the tag's value; empty if there is no union.
    var union: [UInt16: Field]
    /// The place of the union's tag, in bits.
    let tagBit: Int
  }

  let structs: [Struct]
  /// The names of enumerants, by value.
  let enums: [[String]]
  /// The schema's own bytes, for the defaults in it.
  let source: [UInt8]

  init(structs: [Struct], enums: [[String]], source: [UInt8]) {
    self.structs = structs
    self.enums = enums
    self.source = source
  }

  var typeNames: [String] { structs.filter { !$0.isGroup }.map(\.name).sorted() }

  /// The struct of that name, such as `Outer.Inner`.
  func structure(_ name: String) -> Int? { structs.firstIndex { $0.name == name && !$0.isGroup } }
}

extension CapnpSchema.ValueType {
  /// The bits of a value in a data section; 0 where it has none there.
  var width: Int {
    switch self {
    case .bool: 1
    case .int8, .uint8: 8
    case .int16, .uint16, .enumeration: 16
    case .int32, .uint32, .float32: 32
    case .int64, .uint64, .float64: 64
    default: 0
    }
  }

  var isPointer: Bool {
    switch self {
    case .text, .data, .list, .structure, .interface, .anyPointer, .parameter: true
    default: false
    }
  }

  /// This type where the parameters around it are bound so.
  func bound(by bindings: CapnpSchema.Bindings) -> CapnpSchema.ValueType {
    switch self {
    case .list(let element):
      return .list(element.bound(by: bindings))
    case .parameter(let scope, let index):
      guard let bound = bindings[scope] ?? nil, index < bound.count else { return .anyPointer }
      return bound[index]
    case .structure(let index, let own):
      var resolved: CapnpSchema.Bindings = [:]
      for (scope, types) in own {
        resolved[scope] = types.map { $0.map { $0.bound(by: bindings) } } ?? bindings[scope] ?? nil
      }
      return .structure(index, resolved)
    default:
      return self
    }
  }
}
