import PayloadCodecs
import Testing

/// Packed structs in the words of Python's `struct`.
@Suite struct StructTests {
  private func decoder(_ format: String) throws -> any Decoder {
    var decoders = DecoderSet()
    let found = decoders.decoder(for: CodecTag(rawValue: "struct(\(format))"))
    return try #require(found)
  }

  @Test(
    arguments: [
      (
        "<IdH:seq,ts,flags", [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 2, 1],
        #"{"seq":1,"ts":1.5,"flags":258}"#
      ),
      ("<bB?", [0xFF, 0xFF, 1], "[-1,255,true]"),
      (">hi", [0xFF, 0xFE, 0, 0, 0, 3], "[-2,3]"),
      ("!e", [0x3E, 0], "[1.5]"),
      // Native: an int stands at a multiple of its size.
      ("bi", [1, 0, 0, 0, 2, 0, 0, 0], "[1,2]"), ("=bi", [1, 2, 0, 0, 0], "[1,2]"),
      ("@l", [1, 0, 0, 0, 0, 0, 0, 0x80], "[-9223372036854775807]"),
      ("<l", [1, 0, 0, 0x80], "[-2147483647]"),
      (
        "<3f:position", [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40],
        #"{"position":[1.0,2.0,3.0]}"#
      ),
      ("<2B:x,y", [1, 2], #"{"x":1,"y":2}"#),
      ("<4s2xB", [0x61, 0x62, 0, 0, 9, 9, 5], #"["ab",5]"#),
      ("<2s", [0xFF, 0], #"[{"$bytes":"/wA="}]"#),
      ("<4p", [2, 0x61, 0x62, 0x63], #"["ab"]"#), ("<2p", [200, 0x61], #"["a"]"#),
      ("<2c", [0x61, 0], #"[{"$bytes":"YQ=="},{"$bytes":"AA=="}]"#),
      ("<H", [1, 0, 2, 0], "[[1],[2]]"), ("<H:n", [1, 0, 2, 0], #"[{"n":1},{"n":2}]"#),
      ("< B  2B :a, b", [1, 2, 3], #"{"a":1,"b":[2,3]}"#),
    ] as [(String, [UInt8], String)])
  func aStructIsShownAsItsFields(format: String, bytes: [UInt8], json: String) throws {
    #expect(try decode(bytes, by: decoder(format)) == json)
    // One byte less or more is another struct.
    #expect(failure(Array(bytes.dropLast()), by: try decoder(format)) != nil || bytes.count == 4)
  }

  @Test(arguments: [
    "", "<", "y", "<P", "<n", "3", "B:", "BB:a", "B:a,b", "BB:a,a", "4x", "99999999s", "99999B",
    "<:a", "0i", "<3 f",
  ])
  func whatPythonRefusesHasNoDecoder(format: String) {
    var decoders = DecoderSet()
    let found = decoders.decoder(for: CodecTag(rawValue: "struct(\(format))"))
    #expect(found == nil)
  }
}
