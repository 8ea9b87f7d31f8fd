import PayloadCodecs
import Testing

@Suite("Protocol Buffers with a schema")
struct ProtobufDecoderTests {
  private let type = "protobuf(zcap.test.Everything)"

  @Test("one of everything is what the official library says", arguments: ["", "2"])
  func everything(version: String) throws {
    let tag = version == "" ? type : "protobuf(zcap.test2.Old)"
    let payload = try Fixture.bytes("everything\(version).protobuf.bin")
    let shown = try decode(payload, "everything.desc", tag)
    let expected = try Fixture.bytes("everything\(version).protobuf.json")
    #expect(try JSONValue(Array(shown.utf8)) == JSONValue(expected))
  }

  @Test(
    "fields in any order and number",
    arguments: [
      // Numbers: the last counts.
      ([0x18, 1, 0x18, 2], #"{"someInt32":2}"#),
      // In the order of their numbers.
      ([0x38, 1, 0x18, 2], #"{"someInt32":2,"someSint32":-1}"#),
      // Repeated, packed and not, in parts; sint32s = 23.
      ([0xB8, 1, 1, 0xBA, 1, 2, 2, 3, 0xB8, 1, 4], #"{"sint32s":[-1,1,-2,2]}"#),
      // `unpacked` = 30 comes packed all the same.
      ([0xF2, 1, 3, 1, 0xAC, 2], #"{"unpacked":[1,300]}"#),
      // Messages are merged: point = 18.
      ([0x92, 1, 2, 8, 1, 0x92, 1, 2, 16, 1], #"{"point":{"x":1,"y":-1}}"#),
      // Of a oneof the last: chosenInt = 41, chosenString = 42, chosenPoint = 43.
      ([0xC8, 2, 5, 0xD2, 2, 1, 0x61], #"{"chosenString":"a"}"#),
      ([0xD2, 2, 1, 0x61, 0xC8, 2, 5], #"{"chosenInt":5}"#),
      ([0xDA, 2, 2, 8, 1, 0xC8, 2, 5, 0xDA, 2, 2, 16, 2], #"{"chosenPoint":{"y":1}}"#),
      // Of a map's keys the last: byString = 31. What is not there has its default.
      (
        [0xFA, 1, 5, 0x0A, 1, 0x61, 16, 1, 0xFA, 1, 5, 0x0A, 1, 0x61, 16, 2, 0xFA, 1, 0],
        #"{"byString":{"a":2,"":0}}"#
      ),
      // byInt64 = 32, byBool = 33.
      ([0x82, 2, 0, 0x8A, 2, 2, 8, 7], #"{"byInt64":{"0":{}},"byBool":{"true":"COLOR_NONE"}}"#),
      // A number without a name, and an alias, of which the first name is shown.
      ([0x80, 1, 99], #"{"color":99}"#), ([0x80, 1, 1], #"{"color":"COLOR_RED"}"#),
      // 64-bit numbers for 32-bit fields lose their upper half.
      ([0x18, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F], #"{"someInt32":-1}"#),
      // No field at all.
      ([], "{}"),
    ])
  func wireForms(payload: [UInt8], expected: String) throws {
    #expect(try decode(payload, "everything.desc", type) == expected)
  }

  @Test(
    "what the schema lacks is shown by its number",
    arguments: [
      ([0xF8, 7, 5, 0x18, 2], #"{"someInt32":2,"127":{"varint":5}}"#),
      ([0xF8, 7, 5, 0xF8, 7, 6], #"{"127":[{"varint":5},{"varint":6}]}"#),
    ])
  func unknownFields(payload: [UInt8], expected: String) throws {
    #expect(try decode(payload, "everything.desc", type) == expected)
  }

  @Test(
    "what is wrong is told beside what is right",
    arguments: [
      // Field 3 as bytes, which an int32 is not.
      ([0x38, 1, 0x1A, 1, 0x61], #"{"someSint32":-1,"3":{"text":"a"}}"#, 2),
      // The last field is cut, in the message and in the one within it: point = 18.
      ([0x18, 2, 0x38], #"{"someInt32":2}"#, 3), ([0x18, 2, 0x72, 9, 1], #"{"someInt32":2}"#, 3),
      ([0x92, 1, 3, 8, 1, 16, 0x18, 2], #"{"someInt32":2,"point":{"x":1}}"#, 6),
    ])
  func partsOfWhatIsWrong(payload: [UInt8], expected: String, offset: Int) throws {
    let decoder = try Fixture.decoder("everything.desc", type)
    var output = JSONOutput()
    do throws(DecodingError) {
      try unsafe decoder.decode(payload.span.bytes, to: &output)
      Issue.record("no error")
    } catch {
      #expect(error.offset == offset, "\(error)")
    }
    output.closeAll()
    #expect(output.text == expected)
  }

  @Test(
    "well-known types beyond their range or schema",
    arguments: [
      // timestamp = 51, of the year 10000; duration = 52, with two signs.
      ([0x9A, 3, 7, 8, 0x80, 0xE8, 0xE1, 0xE7, 0xD7, 7], nil),
      (
        [0xA2, 3, 0x0D, 8, 1, 16, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        #"{"duration":{"seconds":"1","nanos":-1}}"#
      ),
      // any = 57, of a type that nobody knows, and empty.
      (
        [0xCA, 3, 8, 0x0A, 3, 0x78, 0x2F, 0x79, 0x12, 1, 1],
        #"{"any":{"@type":"x/y","value":{"$bytes":"AQ=="}}}"#
      ),
      ([0xCA, 3, 0], #"{"any":{}}"#),
      // value = 55 without anything in it.
      ([0xBA, 3, 0], #"{"value":null}"#),
    ] as [([UInt8], String?)])
  func wellKnown(payload: [UInt8], expected: String?) throws {
    let shown = try decode(payload, "everything.desc", type)
    if let expected { #expect(shown == expected) } else { #expect(shown.contains("\"seconds\"")) }
  }

  @Test("text that is no UTF-8 is bytes, long bytes are cut and counted")
  func oddText() throws {
    #expect(
      try decode([0x72, 1, 0xFF], "everything.desc", type)
        == #"{"someString":{"$bytes":"/w=="}}"#)
    var limits = DecodingLimits()
    limits.binaryBytes = 3
    let shown = try decode(
      [0x7A, 4, 1, 2, 3, 4], by: Fixture.decoder("everything.desc", type), limits: limits)
    #expect(shown == #"{"someBytes":{"$bytes":"AQID","$size":4}}"#)
  }
}

@Suite("Protocol Buffers without a schema")
struct ProtobufGuessTests {
  private let decoder = SchemaSet().decoder(for: .protobuf)!

  @Test(
    "field numbers and wire types",
    arguments: [
      ([0x08, 0x96, 1], #"{"1":{"varint":150}}"#),
      ([0x12, 3, 0x61, 0x62, 0x63], #"{"2":{"text":"abc"}}"#),
      ([0x1A, 3, 8, 0x96, 1], #"{"3":{"message":{"1":{"varint":150}}}}"#),
      ([0x22, 2, 0xFF, 0xFE], #"{"4":{"bytes":"//4="}}"#),
      ([0x2D, 0, 0, 0xC0, 0x3F], #"{"5":{"fixed32":1069547520,"float":1.5}}"#),
      (
        [0x31, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F],
        #"{"6":{"fixed64":4609434218613702656,"double":1.5}}"#
      ),
      ([0x3B, 8, 1, 0x3C], #"{"7":{"group":{"1":{"varint":1}}}}"#),
      ([0x10, 2, 0x08, 1, 0x10, 3], #"{"1":{"varint":1},"2":[{"varint":2},{"varint":3}]}"#),
      ([0x12, 0], #"{"2":{"text":""}}"#),
    ] as [([UInt8], String)])
  func wireTypes(payload: [UInt8], expected: String) throws {
    #expect(try decode(payload, by: decoder) == expected)
  }

  @Test(
    "what breaks the wire format is malformed or truncated",
    arguments: [
      ([0x00], .malformed), ([0x0E, 1], .malformed), ([0x0F], .malformed),
      ([0x08], .truncated), ([0x08, 0x80], .truncated), ([0x12, 5, 0x61], .truncated),
      ([0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], .truncated),
      ([0x2D, 0, 0, 0], .truncated), ([0x31, 0, 0, 0, 0, 0, 0, 0], .truncated),
      ([0x08] + [UInt8](repeating: 0x80, count: 10) + [1], .malformed),
      ([0x80, 0x80, 0x80, 0x80, 0x80, 1, 0], .malformed),
      ([0x0B], .truncated), ([0x0C], .malformed), ([0x0B, 0x14], .malformed),
    ] as [([UInt8], DecodingError.Kind)])
  func broken(payload: [UInt8], kind: DecodingError.Kind) {
    #expect(failure(payload, by: decoder) == kind)
  }

  @Test("messages are guessed, and short random bytes seldom are")
  func recognition() throws {
    #expect(
      detect(try Fixture.bytes("everything2.protobuf.bin"), with: CodecRegistry([ProtobufCodec()]))
        .tag == .raw, "its groups make it no guess")
    let point: [UInt8] = [0x08, 0x96, 1, 0x12, 2, 0x61, 0x62]
    #expect(
      detect(point, with: CodecRegistry([ProtobufCodec()])) == Detection(.protobuf, .guess))
    var generator = SeededGenerator(seed: 5)
    var mistaken = 0
    for _ in 0..<20_000 {
      let payload = generator.bytes(Int.random(in: 8...64, using: &generator))
      if detect(payload, with: CodecRegistry([ProtobufCodec()])).tag != .raw { mistaken += 1 }
    }
    #expect(mistaken < 200, "\(mistaken) of 20,000")
  }
}
