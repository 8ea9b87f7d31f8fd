/// The schemas that a capture has, and the decoders they make.
public struct SchemaSet: Sendable {
  public private(set) var schemas: [Schema]

  /// - Parameter schemas: of types that several have, the first one's count.
  public init(_ schemas: [Schema] = []) { self.schemas = schemas }

  public mutating func add(_ schema: Schema) { schemas.append(schema) }

  /// The tags of all types, in the order of the schemas: `flatbuffers(foxglove.Log)`.
  public var tags: [CodecTag] {
    schemas.flatMap { schema in schema.types.map { CodecTag(schema.format, type: $0) } }
  }

  /// A decoder for what `tag` says.
  ///
  /// - `protobuf(pkg.Type)`, `flatbuffers(Type)`, `capnp(Type)`: by the schema that has the type.
  /// - `flatbuffers`: by the schema whose file identifier the payload has, else as if there were no
  ///   schema.
  /// - `protobuf`, `capnp`: what can be told without a schema.
  ///
  /// - Returns: `nil` where no schema has the type, or the tag is of another family.
  public func decoder(for tag: CodecTag) -> (any Decoder)? {
    guard let wanted = SchemaTag(tag) else { return nil }
    if let type = wanted.type {
      for schema in schemas where schema.format == wanted.format {
        if let decoder = schema.decoder(forType: type) { return decoder }
      }
      return nil
    }
    return switch wanted.format {
    case .protobuf: ProtobufDecoder()
    case .flatbuffers: FlatBufferDecoder(byIdentifier: identified)
    case .capnp: CapnpDecoder()
    }
  }

  /// The decoders of root types, by file identifier.
  private var identified: [String: any Decoder] {
    var decoders: [String: any Decoder] = [:]
    for schema in schemas {
      guard let identifier = schema.fileIdentifier, decoders[identifier] == nil,
        let root = schema.rootType
      else { continue }
      decoders[identifier] = schema.decoder(forType: root)
    }
    return decoders
  }
}
