/// Recognises a payload behind words in the same frame: publishers put them there for subscribers to
/// filter by, as bluesky does (`NAME event ` and a pickle) and posttroll (a subject, then JSON).
///
/// The words are printable ASCII and end with a space. What follows must be certain by itself: a JSON
/// object, a pickle with its protocol, a MessagePack map; or likely, where it is too large to be examined
/// whole. Likely, never certain: a line of a log may end with an object, too.
public struct PrefixedCodec: Codec {
  private static let prefixBytesMax = 512
  /// Places where an object may begin that are tried.
  private static let objectsMax = 8

  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    let isLarge = payload.byteCount > CodecRegistry.examinedBytesMax
    return Self.split(payload, isLarge ? .likely : .certain).map {
      Detection(CodecTag(rawValue: "text+\($0.tag)"), .likely)
    }
  }

  /// Where the payload behind the words begins, and what it is, as sure as that; `nil` where it is none.
  static func split(
    _ payload: RawSpan, _ confidence: Confidence
  ) -> (offset: Int, tag: CodecTag)? {
    var count = payload.byteCount
    while count > 0, ASCII.isSpace(payload.byte(at: count - 1)) { count -= 1 }
    guard count >= 4 else { return nil }
    // `{}` says nothing, and stands in many a line.
    let mayBeObject =
      payload.byte(at: count - 1) == ASCII.closingBrace
      && payload.byte(at: count - 2) != ASCII.openingBrace
    var objects = 0
    for offset in 0..<min(count - 2, prefixBytesMax) {
      let byte = payload.byte(at: offset)
      let isBehindWord = offset >= 2 && payload.byte(at: offset - 1) == ASCII.space
      if byte >= 0x80 {
        let rest = payload.extracting(offset..<payload.byteCount)
        return isBehindWord ? binary(rest, confidence).map { (offset, $0) } : nil
      }
      guard (ASCII.space...0x7E).contains(byte) else { return nil }
      if mayBeObject && isBehindWord && byte == ASCII.openingBrace && objects < objectsMax {
        objects += 1
        let found = JSONCodec().recognize(payload.extracting(offset..<count))
        if let found, found.confidence >= confidence { return (offset, .json) }
      }
    }
    return nil
  }

  private static func binary(_ payload: RawSpan, _ confidence: Confidence) -> CodecTag? {
    let found = PickleCodec().recognize(payload) ?? MessagePackCodec().recognize(payload)
    guard let found, found.confidence >= confidence else { return nil }
    return found.tag
  }
}

extension CodecTag {
  /// Whether it is shown with the words in front of it: `{"prefix":...,"value":...}`.
  public var isBehindWords: Bool { PrefixedDecoder(self) != nil }
}

/// Shows both parts: `{"prefix":"lab event ","value":...}`.
public struct PrefixedDecoder: Decoder {
  private let tag: CodecTag

  /// `nil` for the tag of anything else.
  init?(_ tag: CodecTag) {
    let inner = tag.rawValue.split(separator: "+", maxSplits: 1)
    guard inner.count == 2, inner[0] == "text",
      Self.decoders[CodecTag(rawValue: String(inner[1]))] != nil
    else { return nil }
    self.tag = CodecTag(rawValue: String(inner[1]))
  }

  private static let decoders: [CodecTag: any Decoder] = [
    .json: JSONDocumentDecoder(), .pickle: PickleDecoder(), .messagePack: MessagePackDecoder(),
  ]

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    // Who says that it is there need not be as sure as who finds it.
    guard let (offset, found) = PrefixedCodec.split(payload, .likely), found == tag else {
      throw DecodingError(.malformed, at: 0, "no words with \(tag) behind them")
    }
    try output.beginObject(at: 0)
    try output.key("prefix", at: 0)
    try output.string(utf8: payload.extracting(0..<offset), at: 0)
    try output.key("value", at: offset)
    do throws(DecodingError) {
      let rest = payload.extracting(offset..<payload.byteCount)
      try Self.decoders[tag]!.decode(rest, to: &output)
    } catch {
      throw DecodingError(error.kind, at: offset + error.offset, error.reason)
    }
    output.endObject()
  }
}
