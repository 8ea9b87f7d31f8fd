/// The parts of a tag that may name a type: `protobuf(pkg.Type)`.
struct SchemaTag: Hashable, Sendable {
  let format: SchemaFormat
  /// `nil` where the tag is the format's name alone.
  let type: String?

  /// `nil` where the tag is of no format that has schemas.
  init?(_ tag: CodecTag) {
    let text = tag.rawValue
    let name = text.prefix { $0 != "(" }
    guard let format = SchemaFormat(rawValue: String(name)) else { return nil }
    self.format = format
    let rest = text[name.endIndex...]
    if rest.isEmpty {
      type = nil
    } else {
      guard rest.count > 2, rest.last == ")" else { return nil }
      type = String(rest.dropFirst().dropLast())
    }
  }
}

extension CodecTag {
  /// Whether it names a type that a schema has.
  public var needsSchema: Bool { SchemaTag(self)?.type != nil }

  /// Whether a payload of no bytes at all is one of this tag, and says something.
  public var showsNoBytes: Bool { content(of: "protobuf") != nil }

  /// Protocol Buffers, of which type is not known.
  public static let protobuf = CodecTag(rawValue: "protobuf")

  /// FlatBuffers, of which type is not known, or told by the file identifier.
  public static let flatbuffers = CodecTag(rawValue: "flatbuffers")

  /// Cap'n Proto, of which type is not known.
  public static let capnp = CodecTag(rawValue: "capnp")

  /// The tag of a type: `protobuf(pkg.Type)`.
  ///
  /// - Parameter type: as the schema spells it, with its package or namespace.
  public init(_ format: SchemaFormat, type: String) {
    self.init(rawValue: "\(format.rawValue)(\(type))")
  }
}
