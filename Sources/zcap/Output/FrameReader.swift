import ArgumentParser
import PayloadCodecs

/// What single frames are, and what they say.
struct FrameReader {
  private let rules: [CodecRule]
  private var decoders: DecoderSet
  private let registry = CodecRegistry.standard
  private(set) var output = JSONOutput()

  /// Throws `ValidationError` where a rule names what nothing shows.
  init(rules: [CodecRule], schemas: SchemaSet) throws {
    self.rules = rules
    decoders = DecoderSet(schemas: schemas)
    for rule in rules where decoders.decoder(for: rule.tag) == nil {
      let known = schemas.tags.map(\.rawValue)
      let shown = known.prefix(8).joined(separator: ", ")
      throw ValidationError(
        known.isEmpty
          ? "--as: nothing shows \(rule.tag); a type of a schema needs --schema"
          : "--as: nothing shows \(rule.tag); the schemas have \(shown)"
            + (known.count > 8 ? " and \(known.count - 8) more" : ""))
    }
  }

  func tag(of frame: RawSpan, number: Int, topic: [UInt8]?) -> CodecTag {
    if frame.isEmpty { return .empty }
    for rule in rules where rule.matches(topic: topic, frame: number) { return rule.tag }
    return registry.detect(frame).tag
  }

  /// Writes what a frame says into `output`, as JSON. Returns why it is not all of it.
  mutating func read(_ frame: RawSpan, as tag: CodecTag) -> DecodingError? {
    output.clear()
    let decoder = decoders.decoder(for: tag) ?? BytesDecoder()
    do throws(DecodingError) {
      try decoder.decode(frame, to: &output)
      return nil
    } catch {
      output.closeAll()
      return error
    }
  }
}
