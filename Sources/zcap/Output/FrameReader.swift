import CaptureIndex
import PayloadCodecs

/// What single frames are, and what they say.
struct FrameReader {
  private let rules: [CodecRule]
  private var decoders: DecoderSet
  private let registry = CodecRegistry.standard
  private(set) var output = JSONOutput()
  /// Whether each rule was used.
  private var isUsed: [Bool]

  /// `rules`: the first that fits counts.
  init(rules: [CodecRule], schemas: SchemaSet) {
    self.rules = rules
    isUsed = rules.map { _ in false }
    decoders = DecoderSet(schemas: schemas)
  }

  /// Of the first so many rules, those that no frame fitted.
  func idleRules(_ count: Int) -> [CodecRule] {
    rules.indices.prefix(count).filter { !isUsed[$0] }.map { rules[$0] }
  }

  /// What a frame is: by the rules, or by its bytes. `header`: the frame before it.
  mutating func detect(
    _ frame: RawSpan, number: Int, topic: [UInt8]?, after header: RawSpan
  ) -> Detection {
    for (index, rule) in rules.enumerated()
    where rule.frame == number && rule.matches(topic: topic) {
      isUsed[index] = true
      // No bytes are a message of Protocol Buffers, which has its defaults.
      return Detection(frame.isEmpty && !rule.tag.showsNoBytes ? .empty : rule.tag, .certain)
    }
    return registry.detect(frame, after: header)
  }

  /// What a frame is, and what it says into `output`, as JSON; the error, why that is not all of it.
  mutating func read(
    _ frame: RawSpan, number: Int, topic: [UInt8]?, after header: RawSpan
  ) -> (found: Detection, error: DecodingError?) {
    if rules.isEmpty {
      output.clear(payloadBytes: frame.byteCount)
      if MessagePackDecoder().decodeIfCertain(frame, to: &output) {
        return (Detection(.messagePack, .certain), nil)
      }
    }
    let found = detect(frame, number: number, topic: topic, after: header)
    return (found, read(frame, as: found.tag))
  }

  /// Writes what a frame says into `output`, as JSON. Returns why it is not all of it.
  private mutating func read(_ frame: RawSpan, as tag: CodecTag) -> DecodingError? {
    output.clear(payloadBytes: frame.byteCount)
    let decoder = decoders.decoder(for: tag)
    do throws(DecodingError) {
      try (decoder ?? BytesDecoder()).decode(frame, to: &output)
      if decoder != nil { return nil }
      let reason = tag.needsSchema ? "its schema is not here" : "nothing shows \(tag)"
      return DecodingError(.unsupported, at: 0, reason)
    } catch {
      output.closeAll()
      return error
    }
  }
}
