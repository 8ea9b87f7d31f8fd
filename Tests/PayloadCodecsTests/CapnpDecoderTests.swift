import PayloadCodecs
import Testing

@Suite("Cap'n Proto")
struct CapnpDecoderTests {
  private let type = "capnp(Everything)"

  /// A message of one segment.
  private func message(_ words: [UInt64]) -> [UInt8] {
    integers([.u32(0), .u32(UInt32(words.count))] + words.map { .u64($0) })
  }

  /// A message of several.
  private func message(segments: [[UInt64]]) -> [UInt8] {
    var parts: [Part] = [.u32(UInt32(segments.count - 1))]
    parts += segments.map { .u32(UInt32($0.count)) }
    if segments.count % 2 == 0 { parts.append(.u32(0)) }
    return integers(parts + segments.joined().map { .u64($0) })
  }

  /// A pointer to a struct `offset` words behind it.
  private func structure(_ offset: Int, data: UInt64, pointers: UInt64) -> UInt64 {
    UInt64(UInt32(bitPattern: Int32(offset) << 2)) | data << 32 | pointers << 48
  }

  private func list(_ offset: Int, size: UInt64, count: UInt64) -> UInt64 {
    UInt64(UInt32(bitPattern: Int32(offset) << 2 | 1)) | size << 32 | count << 35
  }

  @Test("one of everything is what capnp says", arguments: ["everything", "segments"])
  func everything(name: String) throws {
    let shown = try decode(Fixture.bytes("\(name).capnp.bin"), "everything.request", type)
    let expected = try Fixture.bytes("everything.capnp.json")
    #expect(try JSONValue(Array(shown.utf8)) == JSONValue(expected))
  }

  @Test("a struct of no bytes, and no struct, have the defaults")
  func defaults() throws {
    let expected = #"{"x":5}"#
    #expect(try decode(message([0]), "everything.request", "capnp(Point)") == expected)
    for offset in [-1, 0] {
      let root = structure(offset, data: 0, pointers: 0)
      #expect(try decode(message([root]), "everything.request", "capnp(Point)") == expected)
    }
  }

  @Test("numbers are XORed with their defaults")
  func numbers() throws {
    let root = structure(0, data: 1, pointers: 0)
    #expect(
      try decode(message([root, 5]), "everything.request", "capnp(Point)") == #"{"x":0}"#)
    #expect(
      try decode(message([root, 0xFFFF_FFFF]), "everything.request", "capnp(Point)")
        == #"{"x":-6}"#)
  }

  @Test("text, with and without its NUL, and what is no UTF-8")
  func text() throws {
    let root = structure(0, data: 0, pointers: 1)
    for (count, word, expected) in [
      (3, 0x0000_6261, #""ab""#), (2, 0x6261, #""ab""#), (0, 0, #""""#),
      (2, 0xFF, #"{"$bytes":"/w=="}"#),
    ] as [(UInt64, UInt64, String)] {
      let shown = try decode(
        message([root, list(0, size: 2, count: count), word]), "everything.request",
        "capnp(Point)")
      #expect(shown == #"{"x":5,"name":\#(expected)}"#)
    }
  }

  @Test("far and double-far pointers")
  func farPointers() throws {
    // To a landing pad in segment 1, and to one there that says where in segment 2 the struct is.
    let far = message(segments: [
      [2 | 1 << 32], [structure(0, data: 1, pointers: 0), 4],
    ])
    let doubleFar = message(segments: [
      [2 | 4 | 1 << 32], [2 | 2 << 32, structure(0, data: 1, pointers: 0)], [4],
    ])
    for payload in [far, doubleFar] {
      #expect(try decode(payload, "everything.request", "capnp(Point)") == #"{"x":1}"#)
    }
  }

  @Test("far pointers to nowhere, to themselves and to each other are malformed")
  func badFarPointers() throws {
    let decoder = try Fixture.decoder("everything.request", "capnp(Point)")
    let bad: [[[UInt64]]] = [
      [[2 | 7 << 32]], [[2 | UInt64(0xFFFF_FFFF) << 32]], [[2]], [[2 | 1 << 3]],
      [[2 | 1 << 32], [2]], [[2 | 0xFFFF_FFF8]],
      [[2 | 4 | 1 << 32], [0, 0]], [[2 | 4 | 1 << 32], [2]],
      [[2 | 4 | 1 << 32], [2 | 9 << 32, 1 << 32]],
      [[2 | 4 | 1 << 32], [2 | 4, 1 << 32]],
      [[2 | 4 | 1 << 32], [2 | 0xFFFF_FFF8, structure(0, data: 1, pointers: 0)]],
    ]
    for segments in bad {
      #expect(failure(message(segments: segments), by: decoder) == .malformed, "\(segments)")
    }
  }

  @Test("pointers that lead outside of their segment are malformed")
  func bounds() throws {
    let decoder = try Fixture.decoder("everything.request", "capnp(Point)")
    let roots = [
      structure(0, data: 2, pointers: 0), structure(0, data: 0, pointers: 2),
      structure(1, data: 1, pointers: 0), structure(-3, data: 1, pointers: 0),
      structure(0x1FFF_FFFF, data: 0, pointers: 0), structure(-0x2000_0000, data: 0, pointers: 0),
      list(0, size: 2, count: 2), 7,
    ]
    for root in roots { #expect(failure(message([root, 0]), by: decoder) == .malformed) }
    let lists = [
      list(0, size: 2, count: 9), list(0, size: 2, count: 0x1FFF_FFFF), list(1, size: 2, count: 1),
      list(0, size: 5, count: 0x1FFF_FFFF), list(0, size: 6, count: 2), list(0, size: 7, count: 1),
    ]
    for list in lists {
      let payload = message([structure(0, data: 0, pointers: 1), list, 0])
      #expect(failure(payload, by: decoder) == .malformed)
    }
  }

  @Test("circles end at the depth, lists of nothing at the number of values")
  func amplification() throws {
    let endless = try Fixture.decoder("pointers.request", "capnp(Endless)")
    // A struct whose pointer leads back to it.
    let circle = message([
      structure(0, data: 1, pointers: 1), 0, structure(-2, data: 1, pointers: 1),
    ])
    #expect(failure(circle, by: endless) == .limit)

    var limits = DecodingLimits()
    limits.values = 100_000
    // Everything's pointers: point and self, text and data before them; bools, voids.
    let decoder = try Fixture.decoder("everything.request", type)
    let voids = message(
      [structure(0, data: 0, pointers: 6)] + [UInt64](repeating: 0, count: 5)
        + [list(0, size: 0, count: 0x1FFF_FFFF)])
    #expect(failure(voids, by: decoder, limits: limits) == .limit)
    let points = message(
      [structure(0, data: 0, pointers: 16)] + [UInt64](repeating: 0, count: 15)
        + [list(0, size: 7, count: 0), structure(0x1FFF_FFFF, data: 0, pointers: 0)])
    #expect(failure(points, by: decoder, limits: limits) == .limit)
  }

  @Test("a union's struct that is not there, in one that is not there, is null")
  func endlessDefaults() throws {
    #expect(try decode(message([0]), "pointers.request", "capnp(Endless)") == #"{"next":null}"#)
  }

  @Test("pointers whose type nothing tells are described")
  func anyPointers() throws {
    let payload = message([
      structure(0, data: 0, pointers: 4), structure(3, data: 1, pointers: 2), 3 | 5 << 32,
      0, list(0, size: 2, count: 8), 0, 0, 0,
    ])
    #expect(
      try decode(payload, "pointers.request", "capnp(Pointers)")
        == #"{"any":{"$struct":{"data":8,"pointers":2}},"caller":{"$capability":5},"#
        + #""list":{"$list":8}}"#)
  }

  @Test("without a schema the table of segments and the root are told")
  func withoutSchema() throws {
    let decoder = try #require(SchemaSet().decoder(for: .capnp))
    let payload = message([structure(0, data: 1, pointers: 1), 0, 0])
    #expect(
      try decode(payload, by: decoder) == #"{"segments":1,"words":3,"data":8,"pointers":1}"#)
    #expect(failure(payload + [0], by: decoder) == .malformed)
  }

  @Test(
    "tables of segments that are none",
    arguments: [
      [], [.u16(0)], [.u32(0)], [.u32(0), .u32(1)], [.u32(UInt32.max), .u32(0)],
      [.u32(511), .u32(0)], [.u32(600), .u32(0)], [.u32(0), .u32(UInt32.max), .u64(0)],
      [.u32(0), .u32(0)], [.u32(1), .u32(0), .u32(0), .u32(0)],
    ] as [[Part]])
  func tables(parts: [Part]) throws {
    #expect(
      failure(integers(parts), by: try Fixture.decoder("everything.request", type)) != nil)
  }

  @Test("no truncation is a trap, or shown", arguments: ["everything", "segments"])
  func truncations(name: String) throws {
    let payload = try Fixture.bytes("\(name).capnp.bin")
    let decoder = try Fixture.decoder("everything.request", type)
    for count in 0..<payload.count {
      #expect(failure(Array(payload[..<count]), by: decoder) != nil, "\(count) bytes")
    }
  }

  @Test("a message is a guess, and random bytes are none")
  func recognition() throws {
    let registry = CodecRegistry([CapnpCodec()])
    for name in ["everything", "segments"] {
      let payload = try Fixture.bytes("\(name).capnp.bin")
      #expect(detect(payload, with: registry) == Detection(.capnp, .guess))
      #expect(detect(Array(payload.dropLast(8)), with: registry).tag == .raw)
    }
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<20_000 {
      let bytes = generator.bytes(8 * Int.random(in: 2...30, using: &generator))
      #expect(detect(bytes, with: registry).tag == .raw)
    }
  }
}
