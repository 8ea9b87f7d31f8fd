import Testing

@testable import PayloadCodecs

/// Words, and a payload behind them in the same frame.
@Suite struct PrefixedTests {
  private static let pickle: [UInt8] = [
    0x80, 2, 0x7D, 0x71, 0, 0x58, 1, 0, 0, 0, 0x61, 0x4B, 1, 0x73, 0x2E,
  ]
  private static let map: [UInt8] = [0x81, 0xA5] + Array("hello".utf8) + [0x93, 1, 2, 3]

  private func decoder(_ tag: String) throws -> any Decoder {
    var decoders = DecoderSet()
    let found = decoders.decoder(for: CodecTag(rawValue: tag))
    return try #require(found)
  }

  @Test func bothPartsAreShown() throws {
    let words = Array("lab event ".utf8)
    for (tag, payload, value) in [
      ("text+pickle", Self.pickle, #"{"a":1}"#), ("text+msgpack", Self.map, #"{"hello":[1,2,3]}"#),
      ("text+json", Array(#"{"a": [1]}"#.utf8), #"{"a":[1]}"#),
    ] {
      let frame = words + payload
      #expect(detect(frame) == Detection(CodecTag(rawValue: tag), .likely))
      #expect(
        try decode(frame, by: decoder(tag)) == #"{"prefix":"lab event ","value":\#(value)}"#)
      #expect(failure(words, by: try decoder(tag)) == .malformed)
      #expect(failure(payload, by: try decoder(tag)) == .malformed)
    }
  }

  @Test func theFirstObjectThatGoesToTheEndCounts() {
    let line = #"INFO {main} took {"ms": {"a": 1}}"#
    #expect(detect(line).tag.rawValue == "text+json")
    #expect(PrefixedCodec.split(Array(line.utf8).span.bytes, .certain)?.offset == 17)
  }

  @Test(arguments: [
    "a line of text", "took {} and {a}", "took {}", "{\"a\":1}", " {\"a\":1}", "a{\"a\":1}",
    "see [1,2]",
    "a {\"a\":1} b", "a {\"a\":NaN}", "a\t{\"a\":1}", "\u{e9} {\"a\":1}",
  ])
  func whatIsNotSoIsSomethingElse(text: String) {
    #expect(PrefixedCodec().recognize(Array(text.utf8).span.bytes) == nil)
  }

  @Test func spacesBehindAndAnySizeAreNoMatter() throws {
    let list = "[" + (0..<40_000).map(String.init).joined(separator: ",") + "]"
    for text in [#"a {"a":1}"# + "\n", #"a {"a":1}"# + " \r\n", #"a {"a":\#(list)}"#] {
      let frame = Array(text.utf8)
      #expect(detect(frame).tag.rawValue == "text+json", "\(text.prefix(20))")
      #expect(
        try decode(frame, by: decoder("text+json")).hasPrefix(#"{"prefix":"a ","value":{"a":"#))
    }
    // Who says it by a rule need not be so sure.
    let number = Array(#"a {"a":NaN}"#.utf8)
    #expect(try decode(number, by: decoder("text+json")).hasPrefix(#"{"prefix":"a ","#))
  }

  @Test func whatIsCutIsRaw() {
    for payload in [Self.pickle, Self.map] {
      let frame = Array("lab event ".utf8) + payload
      for count in 11..<frame.count { #expect(detect(Array(frame[..<count])).tag == .raw) }
    }
  }

  @Test func anyBytesAreLookedAt() {
    var generator = SeededGenerator(seed: 21)
    let alphabet = Array(" {}\"a:1,\u{80}.".utf8) + [0x80, 2, 0x81, 0xA1]
    for _ in 0..<50_000 {
      let frame = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
        alphabet.randomElement(using: &generator)!
      }
      guard let (offset, tag) = PrefixedCodec.split(frame.span.bytes, .certain) else { continue }
      #expect(frame[offset - 1] == ASCII.space && detect(Array(frame[offset...])).tag == tag)
    }
  }
}
