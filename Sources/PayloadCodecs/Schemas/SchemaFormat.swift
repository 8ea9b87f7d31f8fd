/// The formats whose payloads need a schema to be understood. Raw values are the tags' names.
public enum SchemaFormat: String, Hashable, Sendable, CaseIterable {
  case protobuf
  case flatbuffers
  case capnp
}
