/// The types of a FlatBuffers schema, ready to read buffers by.
///
/// Every index in it is checked to be in range, and every struct to hold its fields.
final class FlatBufferSchema: Sendable {
  /// `reflection.BaseType`; the raw values are the file format's.
  enum BaseType: UInt8 {
    case none, unionType, bool, int8, uint8, int16, uint16, int32, uint32, int64, uint64
    case float, double, string, vector, object, union, array

    /// The bytes of a number; 0 if it is none.
    var scalarWidth: Int {
      switch self {
      case .unionType, .bool, .int8, .uint8: 1
      case .int16, .uint16: 2
      case .int32, .uint32, .float: 4
      case .int64, .uint64, .double: 8
      case .none, .string, .vector, .object, .union, .array: 0
      }
    }

    var isScalar: Bool { scalarWidth != 0 }
  }

  struct ValueType {
    let base: BaseType
    /// What a vector or an array is made of.
    let element: BaseType
    /// Into ``objects`` for objects, else into ``enums``; `nil` for plain values.
    let index: Int?
    /// The elements of an array.
    let fixedCount: Int

    /// The type of a vector's or an array's elements.
    var elementType: ValueType {
      ValueType(base: element, element: .none, index: index, fixedCount: 0)
    }
  }

  struct Field {
    let name: String
    let type: ValueType
    /// In a table its place in the vtable, in a struct the bytes before it.
    let offset: Int
    let defaultInteger: Int64
    let defaultReal: Double
    let isDeprecated: Bool
    let isOptional: Bool
    /// The table that a vector of bytes holds a buffer of.
    var nestedTable: Int?
  }

  struct Object {
    let name: String
    /// In the order of ids, which is the order of the source.
    var fields: [Field]
    let isStruct: Bool
    /// Of a struct.
    let byteCount: Int
  }

  struct Enumeration {
    let names: [Int64: String]
    /// Of a union: the types of its values.
    let members: [Int64: ValueType]
    /// Of bit flags: value and name in order; otherwise empty.
    let flags: [(value: UInt64, name: String)]
  }

  let objects: [Object]
  let enums: [Enumeration]
  let root: Int?
  let fileIdentifier: String?
  private let indices: [String: Int]

  init(objects: [Object], enums: [Enumeration], root: Int?, fileIdentifier: String?) {
    self.objects = objects
    self.enums = enums
    self.root = root
    self.fileIdentifier = fileIdentifier
    indices = Dictionary(
      objects.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  var tableNames: [String] { objects.filter { !$0.isStruct }.map(\.name).sorted() }

  /// The table of that name.
  func table(_ name: String) -> Int? {
    guard let index = indices[name], !objects[index].isStruct else { return nil }
    return index
  }

  /// The bytes that a value of `type` has where it stands: an offset's four, or its own.
  func inlineWidth(of type: ValueType) -> Int {
    switch type.base {
    case .object:
      guard let index = type.index, objects[index].isStruct else { return 4 }
      return objects[index].byteCount
    case .array:
      return type.fixedCount * inlineWidth(of: type.elementType)
    default:
      return type.base.isScalar ? type.base.scalarWidth : 4
    }
  }
}
