/// The decoders that zcap has, by the tags of what they show.
public struct DecoderSet: Sendable {
  private static let plain: [CodecTag: any Decoder] = [
    .empty: EmptyDecoder(), .json: JSONDocumentDecoder(), .text: TextDecoder(),
    .raw: BytesDecoder(),
    .messagePack: MessagePackDecoder(), .pickle: PickleDecoder(),
    .npy: NpyDecoder(), .png: PictureDecoder(), .jpeg: PictureDecoder(),
    .gzip: CompressionDecoder(), .zstandard: CompressionDecoder(), .lz4: CompressionDecoder(),
  ]

  private let schemas: SchemaSet
  /// Those that were made, by their tags: a schema is searched once.
  private var known = DecoderSet.plain

  /// - Parameter schemas: for the tags that name a type.
  public init(schemas: SchemaSet = SchemaSet()) { self.schemas = schemas }

  /// Decoders that are made of their tags are kept up to so many: a tag of arrays has their shape, and
  /// each may have another.
  private static let knownMax = 1024

  /// The decoder for payloads of a tag; `nil` where there is none, or no schema has its type.
  public mutating func decoder(for tag: CodecTag) -> (any Decoder)? {
    if let decoder = known[tag] { return decoder }
    guard let decoder = made(for: tag) else { return nil }
    if known.count >= Self.knownMax { known = Self.plain }
    known[tag] = decoder
    return decoder
  }

  private func made(for tag: CodecTag) -> (any Decoder)? {
    if let layout = ArrayLayout(tag) { return ArrayDecoder(layout) }
    if let prefixed = PrefixedDecoder(tag) { return prefixed }
    if let format = tag.structFormat { return StructDecoder(format) }
    return schemas.decoder(for: tag)
  }
}
