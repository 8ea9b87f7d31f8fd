import CaptureIndex
import PayloadCodecs

/// What single frames are, and what they say.
struct FrameReader {
  private let rules: [CodecRule]
  private var decoders: DecoderSet
  private let registry = CodecRegistry.standard
  private(set) var output = JSONOutput()

  /// `rules`: the first that fits counts.
  init(rules: [CodecRule], schemas: SchemaSet) {
    self.rules = rules
    decoders = DecoderSet(schemas: schemas)
  }

  func tag(of frame: RawSpan, number: Int, topic: [UInt8]?) -> CodecTag {
    tag(of: frame, number: number, topic: topic, after: RawSpan())
  }

  /// `header`: the frame before it.
  func tag(of frame: RawSpan, number: Int, topic: [UInt8]?, after header: RawSpan) -> CodecTag {
    if frame.isEmpty { return .empty }
    for rule in rules where rule.frame == number && rule.matches(topic: topic) { return rule.tag }
    return registry.detect(frame, after: header).tag
  }

  /// Writes what a frame says into `output`, as JSON. Returns why it is not all of it.
  mutating func read(_ frame: RawSpan, as tag: CodecTag) -> DecodingError? {
    output.clear(payloadBytes: frame.byteCount)
    let decoder = decoders.decoder(for: tag)
    do throws(DecodingError) {
      try (decoder ?? BytesDecoder()).decode(frame, to: &output)
      return decoder == nil ? DecodingError(.unsupported, at: 0, "nothing shows \(tag)") : nil
    } catch {
      output.closeAll()
      return error
    }
  }
}
