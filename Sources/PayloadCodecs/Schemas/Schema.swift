/// A compiled schema: the types of Protocol Buffers, FlatBuffers or Cap'n Proto messages.
///
/// | format | what the file holds | made by |
/// |---|---|---|
/// | Protocol Buffers | a `FileDescriptorSet` | `protoc --include_imports -o FILE X.proto` |
/// | FlatBuffers | a `reflection.Schema` | `flatc --binary --schema --bfbs-builtins X.fbs` |
/// | Cap'n Proto | a `CodeGeneratorRequest` | `capnp compile -o- X.capnp >FILE` |
///
/// A schema file may come from anywhere, so it is read as carefully as a payload.
public struct Schema: Sendable {
  private enum Content {
    case protobuf(ProtobufSchema)
    case flatbuffers(FlatBufferSchema)
    case capnp(CapnpSchema)
  }

  private let content: Content

  /// Reads a compiled schema; which of the three it is shows in its bytes.
  ///
  /// - Throws: where it is none of them, damaged, or lacks a type that it uses.
  public init(_ bytes: [UInt8]) throws(SchemaError) {
    // `Span.bytes` is unsafe because it may show padding; a byte has none.
    let span = unsafe bytes.span.bytes
    if FlatBufferSchema.isSchema(span) {
      content = .flatbuffers(try FlatBufferSchema(span))
    } else if ProtobufSchema.isSchema(span) {
      content = .protobuf(try ProtobufSchema(span))
    } else if CapnpSchema.isSchema(span) {
      content = .capnp(try CapnpSchema(bytes))
    } else {
      throw SchemaError(
        "this is no compiled schema, neither of protoc --include_imports -o, "
          + "nor of flatc --binary --schema --bfbs-builtins, nor of capnp compile -o-")
    }
  }

  public var format: SchemaFormat {
    switch content {
    case .protobuf: .protobuf
    case .flatbuffers: .flatbuffers
    case .capnp: .capnp
    }
  }

  /// The names of the types that a payload may be, sorted: `foxglove.PointCloud`.
  ///
  /// Protocol Buffers: every message but the entries of maps. FlatBuffers: every table.
  /// Cap'n Proto: every struct but groups.
  public var types: [String] {
    switch content {
    case .protobuf(let schema): schema.typeNames
    case .flatbuffers(let schema): schema.tableNames
    case .capnp(let schema): schema.typeNames
    }
  }

  /// The type that a payload is said to be where its tag names none: FlatBuffers' `root_type`.
  public var rootType: String? {
    guard case .flatbuffers(let schema) = content else { return nil }
    return schema.root.map { schema.objects[$0].name }
  }

  /// FlatBuffers' `file_identifier`: bytes 4 to 8 of a payload that says that it is `rootType`.
  public var fileIdentifier: String? {
    guard case .flatbuffers(let schema) = content else { return nil }
    return schema.fileIdentifier
  }

  /// A decoder of payloads of `type`, as ``types`` spells it.
  ///
  /// - Returns: `nil` where the schema has no such type.
  public func decoder(forType type: String) -> (any Decoder)? {
    switch content {
    case .protobuf(let schema): ProtobufDecoder(schema, type: type)
    case .flatbuffers(let schema): FlatBufferDecoder(schema, type: type)
    case .capnp(let schema): CapnpDecoder(schema, type: type)
    }
  }
}
