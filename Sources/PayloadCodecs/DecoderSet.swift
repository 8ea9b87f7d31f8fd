/// The decoders that zcap has, by the tags of what they show.
public struct DecoderSet: Sendable {
  private static let plain: [CodecTag: any Decoder] = [
    .empty: EmptyDecoder(), .json: JSONDocumentDecoder(), .text: TextDecoder(),
    .raw: BytesDecoder(),
    .messagePack: MessagePackDecoder(), .pickle: PickleDecoder(),
  ]

  private let schemas: SchemaSet
  /// Those that were made, by their tags: a schema is searched once.
  private var known = DecoderSet.plain

  /// - Parameter schemas: for the tags that name a type.
  public init(schemas: SchemaSet = SchemaSet()) { self.schemas = schemas }

  /// The decoder for payloads of a tag; `nil` where there is none, or no schema has its type.
  public mutating func decoder(for tag: CodecTag) -> (any Decoder)? {
    if let decoder = known[tag] { return decoder }
    guard let decoder = schemas.decoder(for: tag) else { return nil }
    known[tag] = decoder
    return decoder
  }
}
