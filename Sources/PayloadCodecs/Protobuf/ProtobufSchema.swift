/// The messages and enums of Protocol Buffers, ready to read payloads by.
///
/// Every index in it is checked to be in range.
final class ProtobufSchema: Sendable {
  /// `FieldDescriptorProto.Type`; the raw values are the file format's.
  enum Kind: UInt8 {
    case double = 1
    case float, int64, uint64, int32, fixed64, fixed32, bool, string, group, message
    case bytes, uint32, enumeration, sfixed32, sfixed64, sint32, sint64

    var wireType: ProtobufReader.WireType {
      switch self {
      case .double, .fixed64, .sfixed64: .fixed64
      case .float, .fixed32, .sfixed32: .fixed32
      case .int64, .uint64, .int32, .bool, .uint32, .enumeration, .sint32, .sint64: .varint
      case .string, .message, .bytes: .length
      case .group: .groupStart
      }
    }

    var isMessage: Bool { self == .message || self == .group }
  }

  struct Field {
    let number: UInt32
    /// As JSON has it: `json_name`, or `[pkg.name]` of an extension.
    let name: String
    let kind: Kind
    let isRepeated: Bool
    /// Which of the message's oneofs it is in.
    let oneof: Int?
    /// Into ``messages`` or ``enums``, for fields of these kinds; otherwise 0.
    var type = 0

    /// Whether a value of that wire type is one of this field: repeated numbers may be packed
    /// or not, and messages be delimited or not, whatever the schema says.
    func accepts(_ wireType: ProtobufReader.WireType) -> Bool {
      if wireType == kind.wireType { return true }
      if kind.isMessage { return wireType == .length || wireType == .groupStart }
      return isRepeated && wireType == .length && kind.wireType != .length
    }
  }

  struct Message {
    let name: String
    var fields: [UInt32: Field]
    let isMapEntry: Bool
    let wellKnown: ProtobufWellKnownType?
  }

  struct Enumeration {
    let name: String
    let names: [Int32: String]
    /// The value of a field that is not there.
    let first: Int32
  }

  let messages: [Message]
  let enums: [Enumeration]
  private let indices: [String: Int]

  init(messages: [Message], enums: [Enumeration], indices: [String: Int]) {
    self.messages = messages
    self.enums = enums
    self.indices = indices
  }

  var typeNames: [String] { messages.filter { !$0.isMapEntry }.map(\.name).sorted() }

  /// The message of that name, with its package.
  func message(_ name: String) -> Int? { indices[name] }
}

/// The messages that have a JSON of their own.
///
/// Source: the Protocol Buffers documentation, "ProtoJSON Format".
enum ProtobufWellKnownType: Sendable {
  case timestamp, duration, fieldMask, structure, value, listValue, any, wrapper

  init?(_ name: String) {
    switch name {
    case "google.protobuf.Timestamp": self = .timestamp
    case "google.protobuf.Duration": self = .duration
    case "google.protobuf.FieldMask": self = .fieldMask
    case "google.protobuf.Struct": self = .structure
    case "google.protobuf.Value": self = .value
    case "google.protobuf.ListValue": self = .listValue
    case "google.protobuf.Any": self = .any
    case "google.protobuf.DoubleValue", "google.protobuf.FloatValue",
      "google.protobuf.Int64Value", "google.protobuf.UInt64Value", "google.protobuf.Int32Value",
      "google.protobuf.UInt32Value", "google.protobuf.BoolValue", "google.protobuf.StringValue",
      "google.protobuf.BytesValue":
      self = .wrapper
    default: return nil
    }
  }
}
