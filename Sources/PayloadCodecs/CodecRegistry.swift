/// The codecs that compete for a payload.
public struct CodecRegistry: Sendable {
  /// The bytes of one payload that one codec looks at, from the start (and as many from the end).
  ///
  /// Why 64 KiB: nearly every text or JSON message fits and is judged whole; a larger one costs
  /// about 0.1 ms however large it is, so no sample can hold up the indexing thread.
  public static let examinedBytesMax = 64 * 1024

  /// Every codec that zcap knows.
  public static let standard = CodecRegistry([
    EmptyCodec(), SignatureCodec(), JSONCodec(), PickleCodec(), MessagePackCodec(), PrefixedCodec(),
    TextCodec(),
    FlatBufferCodec(), CapnpCodec(), ProtobufCodec(),
  ])

  private let codecs: [any Codec]

  /// - Parameter codecs: the narrow formats before the wide ones: of equal confidences, the
  ///   earlier codec's wins.
  public init(_ codecs: [any Codec]) {
    self.codecs = codecs
  }

  /// Names what `payload` most probably is.
  ///
  /// The first codec that is certain ends the search; otherwise the most confident wins. A payload
  /// that nobody recognises is ``CodecTag/raw``, which is never more than a guess: it says that
  /// zcap does not know.
  public func detect(_ payload: RawSpan) -> Detection {
    var best: Detection?
    for codec in codecs {
      guard let found = codec.recognize(payload) else { continue }
      if found.confidence == .certain { return found }
      if let held = best, held.confidence >= found.confidence { continue }
      best = found
    }
    return best ?? Detection(.raw, .guess)
  }

  /// The same for a frame that follows another one: a header before an array of numbers gives it a
  /// type and a shape, as with pyzmq's `send_array`.
  public func detect(_ payload: RawSpan, after header: RawSpan) -> Detection {
    let found = detect(payload)
    guard found.confidence < .certain, !header.isEmpty,
      let layout = ArrayHeader.layout(of: payload, after: header)
    else { return found }
    return Detection(layout.tag, .certain)
  }
}
