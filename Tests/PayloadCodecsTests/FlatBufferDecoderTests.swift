import PayloadCodecs
import Testing

@Suite("FlatBuffers")
struct FlatBufferDecoderTests {
  private let type = "flatbuffers(Zcap.Test.Everything)"

  /// A `Leaf` of size 9 without a name: the root's offset, its vtable, and the table.
  private let leaf = integers([
    .u32(12), .u16(8), .u16(8), .u16(0), .u16(4), .i32(8), .u32(9),
  ])

  @Test("one of everything is what flatc says")
  func everything() throws {
    let payload = try Fixture.bytes("everything.flatbuffers.bin")
    let shown = try decode(payload, "everything.bfbs", type)
    let expected = try Fixture.bytes("everything.flatbuffers.json")
    #expect(try JSONValue(Array(shown.utf8)) == JSONValue(expected))
  }

  @Test("a size in front is passed over")
  func sizePrefix() throws {
    let payload = try Fixture.bytes("everything.flatbuffers.bin")
    let prefixed = integers([.u32(UInt32(payload.count))]) + payload
    let shown = try decode(payload, "everything.bfbs", type)
    #expect(try decode(prefixed, "everything.bfbs", type) == shown)
    #expect(try decode(prefixed, "everything.bfbs", "flatbuffers") == shown)
  }

  /// Written by the Python library: the last table is empty, and the size leads to it.
  @Test(arguments: [
    (
      "280000001000000000000a0008000000000004000a000000040000000100000008000000040004"
        + "0004000000", #"{"size":7,"leaves":[{"size":7}]}"#
    ),
    (
      "3800000004000000eeffffff04000000010000001000000000000a0008000000000004000a0000"
        + "000400000001000000080000000400040004000000",
      #"{"size":7,"leaves":[{"size":7,"leaves":[{"size":7}]}]}"#
    ),
  ])
  func sizeThatLooksLikeAnOffset(hex: String, json: String) throws {
    let digits = Array(hex.utf8)
    let payload = stride(from: 0, to: digits.count, by: 2).map {
      UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)!
    }
    #expect(try decode(payload, "everything.bfbs", "flatbuffers(Zcap.Test.Leaf)") == json)
  }

  @Test("a table without fields has the defaults, although its offset looks like a size")
  func emptyTable() throws {
    let payload = integers([.u32(8), .u16(4), .u16(4), .i32(4)])
    #expect(try decode(payload, "everything.bfbs", "flatbuffers(Zcap.Test.Leaf)") == #"{"size":7}"#)
  }

  @Test("a tag without a type goes by the file identifier")
  func identifiers() throws {
    let payload = try Fixture.bytes("everything.flatbuffers.bin")
    let named = try decode(payload, "everything.bfbs", "flatbuffers")
    #expect(try named == decode(payload, "everything.bfbs", type))
    var other = payload
    other[4] = UInt8(ascii: "X")
    let shown = try decode(other, "everything.bfbs", "flatbuffers")
    #expect(shown.hasPrefix(#"{"identifier":"XVRY","fields":"#))
    #expect(
      try decode(leaf, "everything.bfbs", "flatbuffers") == #"{"identifier":null,"fields":1}"#)
  }

  @Test("tables made by hand")
  func byHand() throws {
    #expect(try decode(leaf, "everything.bfbs", "flatbuffers(Zcap.Test.Leaf)") == #"{"size":9}"#)
  }

  @Test("a union of a type that the schema lacks is null")
  func unknownUnion() throws {
    // Everything's `thing_type` has id 17, `thing` 18.
    let slots = [Part](repeating: .u16(0), count: 17) + [.u16(4), .u16(8)]
    let payload = integers(
      [.u32(48), .u16(0), .u16(42), .u16(12)] + slots
        + [.i32(42), .u32(77), .u32(4), .u32(0)])
    let shown = try decode(payload, "everything.bfbs", type)
    #expect(shown.contains(#""thing_type":77,"thing":null"#), "\(shown)")
  }

  @Test(
    "every offset is checked",
    arguments: [
      // The root: nowhere, at itself, behind the end.
      (0, 0), (0, 21), (0, UInt32.max), (0, 0x7FFF_FFFF), (0, 22),
      // The table's way to its vtable.
      (12, 0), (12, 0x7FFF_FFFF), (12, 0x8000_0000), (12, UInt32.max), (12, 13),
      // The vtable: sizes that are too small, odd, or too large.
      (4, 0x0008_0000), (4, 0x0008_0007), (4, 0x0002_0008), (4, 0xFFFF_0008), (4, 0x0008_FFFE),
      // A field outside of its table.
      (8, 0x0001_0000), (8, 0x0006_0000), (8, 0x0008_0000), (8, 0xFFFF_0000),
    ] as [(Int, UInt32)])
  func offsets(place: Int, value: UInt32) throws {
    var payload = leaf
    payload.replaceSubrange(place..<place + 4, with: integers([.u32(value)]))
    let decoder = try Fixture.decoder("everything.bfbs", "flatbuffers(Zcap.Test.Leaf)")
    #expect(failure(payload, by: decoder) != nil)
  }

  @Test("a vector's length is checked before it is believed")
  func lengths() throws {
    let decoder = try Fixture.decoder("everything.bfbs", "flatbuffers(Zcap.Test.Leaf)")
    for count in [2, 0x4000_0000, 0xFFFF_FFFF] as [UInt32] {
      // `leaves` has id 2.
      let payload = integers([
        .u32(16), .u16(10), .u16(8), .u16(0), .u16(0), .u16(4), .u16(0), .i32(12), .u32(4),
        .u32(count), .u32(0),
      ])
      #expect(failure(payload, by: decoder) == .malformed)
    }
  }

  /// `count` leaves; each has the next one twice among its leaves, so that there are 2^count ways.
  private func doubling(_ count: Int) -> [UInt8] {
    var payload = integers([.u32(16), .u16(10), .u16(8), .u16(0), .u16(0), .u16(4), .u16(0)])
    for index in 0..<count {
      // The table: where the vtable is, and the vector; then the vector.
      let place = Int32(payload.count)
      let isLast = index == count - 1
      payload += integers([.i32(place - 4), .u32(4), .u32(isLast ? 0 : 2), .u32(8), .u32(4)])
    }
    return payload
  }

  @Test("tables that are reached in many ways are bounded by the values, chains by the depth")
  func overlaps() throws {
    let decoder = try Fixture.decoder("everything.bfbs", "flatbuffers(Zcap.Test.Leaf)")
    #expect(failure(doubling(4), by: decoder) == nil)
    var limits = DecodingLimits()
    limits.values = 100_000
    #expect(failure(doubling(40), by: decoder, limits: limits) == .limit)
    #expect(failure(doubling(1000), by: decoder) == .limit)
  }

  @Test("no truncation is a trap")
  func truncations() throws {
    let decoder = try Fixture.decoder("everything.bfbs", type)
    let payload = try Fixture.bytes("everything.flatbuffers.bin")
    for count in 0..<payload.count {
      // The last bytes may be the end of a string, which nobody looks for.
      let kind = failure(Array(payload[..<count]), by: decoder)
      if count < payload.count - 8 { #expect(kind != nil, "\(count) bytes") }
    }
  }

  @Test("many small numbers are bytes")
  func longVectors() throws {
    var limits = DecodingLimits()
    limits.binaryBytes = 1
    let shown = try decode(
      Fixture.bytes("everything.flatbuffers.bin"), by: Fixture.decoder("everything.bfbs", type),
      limits: limits)
    #expect(shown.contains(#""bytes":{"$bytes":"AA==","$size":2}"#))
  }

  @Test("a root that fits is a guess, with an identifier it is likely")
  func recognition() throws {
    let registry = CodecRegistry([FlatBufferCodec()])
    let payload = try Fixture.bytes("everything.flatbuffers.bin")
    #expect(detect(payload, with: registry) == Detection(.flatbuffers, .likely))
    #expect(detect(leaf, with: registry) == Detection(.flatbuffers, .guess))
    #expect(detect(Array(payload[..<40]), with: registry).tag == .raw)
    var generator = SeededGenerator(seed: 6)
    for _ in 0..<20_000 {
      let bytes = generator.bytes(Int.random(in: 8...200, using: &generator))
      #expect(detect(bytes, with: registry).tag == .raw)
    }
  }
}
