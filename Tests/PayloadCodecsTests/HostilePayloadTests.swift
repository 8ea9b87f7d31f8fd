import PayloadCodecs
import Testing

/// A decoder of each format, and a payload that has everything.
private let cases = [
  ("everything.desc", "protobuf(zcap.test.Everything)", "everything.protobuf.bin"),
  ("everything.desc", "protobuf(zcap.test2.Old)", "everything2.protobuf.bin"),
  ("everything.desc", "protobuf", "everything.protobuf.bin"),
  ("everything.bfbs", "flatbuffers(Zcap.Test.Everything)", "everything.flatbuffers.bin"),
  ("everything.bfbs", "flatbuffers", "everything.flatbuffers.bin"),
  ("everything.request", "capnp(Everything)", "everything.capnp.bin"),
  ("everything.request", "capnp(Everything)", "segments.capnp.bin"),
]

@Suite("Hostile payloads")
struct HostilePayloadTests {
  @Test("damaged payloads are shown or refused, and never a trap", arguments: cases)
  func damaged(schema: String, tag: String, file: String) throws {
    let decoder = try Fixture.decoder(schema, tag)
    let whole = try Fixture.bytes(file)
    var limits = DecodingLimits()
    limits.values = 20_000
    var generator = SeededGenerator(seed: 12)
    var refused = 0
    for _ in 0..<4000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let index = Int.random(in: bytes.indices, using: &generator)
        let borders: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF]
        bytes[index] =
          Bool.random(using: &generator)
          ? borders.randomElement(using: &generator)! : UInt8.random(in: 0...255, using: &generator)
      }
      if failure(bytes, by: decoder, limits: limits) != nil { refused += 1 }
    }
    #expect(refused > 0)
  }

  @Test("random bytes are shown or refused, and never a trap", arguments: cases)
  func random(schema: String, tag: String, file: String) throws {
    let decoder = try Fixture.decoder(schema, tag)
    var generator = SeededGenerator(seed: 13)
    for _ in 0..<3000 {
      _ = failure(generator.bytes(Int.random(in: 0...60, using: &generator)), by: decoder)
    }
  }

  @Test("no truncation of a Protocol Buffers message is a trap", arguments: cases.prefix(3))
  func truncated(schema: String, tag: String, file: String) throws {
    let decoder = try Fixture.decoder(schema, tag)
    let whole = try Fixture.bytes(file)
    for count in 0..<whole.count { _ = failure(Array(whole[..<count]), by: decoder) }
  }

  /// Messages in each other: every level is a tag and a length before what is inside.
  private func nested(_ tag: [UInt8], _ depth: Int) -> [UInt8] {
    var payload: [UInt8] = []
    for _ in 0..<depth {
      var length = payload.count
      var varint: [UInt8] = []
      repeat {
        varint.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
        length >>= 7
      } while length > 0
      payload = tag + varint + payload
    }
    return payload
  }

  @Test("depth bombs end at a limit")
  func depthBombs() throws {
    let decoder = try Fixture.decoder("everything.desc", "protobuf(zcap.test.Everything)")
    let guess = try #require(SchemaSet().decoder(for: .protobuf))
    // self = 19; value = 55 of lists of values; any = 57.
    #expect(failure(nested([0x9A, 1], 100), by: decoder) == nil)
    #expect(failure(nested([0x9A, 1], 3000), by: decoder) == .limit)
    #expect(failure(nested([0x9A, 1], 3000), by: guess) == .limit)
    // ListValue.values = 1, Value.list_value = 6, by turns.
    var list: [UInt8] = []
    for depth in 0..<60 { list = [depth % 2 == 0 ? 0x0A : 0x32, UInt8(list.count)] + list }
    #expect(failure([0xC2, 3, UInt8(list.count)] + list, by: decoder) == nil)
    let groups = [UInt8](repeating: 0x0B, count: 100_000)
    #expect(failure(groups, by: decoder) == .limit)
    #expect(failure(groups, by: guess) == .limit)
  }

  @Test("many fields, entries of maps and numbers end at a limit")
  func manyValues() throws {
    let decoder = try Fixture.decoder("everything.desc", "protobuf(zcap.test.Everything)")
    var limits = DecodingLimits()
    limits.values = 1000
    let fields = [[UInt8]](repeating: [0x18, 1], count: 10_000).flatMap { $0 }
    #expect(failure(fields, by: decoder, limits: limits) == .limit)
    let entries = [[UInt8]](repeating: [0xFA, 1, 0], count: 10_000).flatMap { $0 }
    #expect(failure(entries, by: decoder, limits: limits) == .limit)
    // sint32s = 23, packed: 2000 numbers.
    let packed = [0xBA, 1, 0xD0, 0x0F] + [UInt8](repeating: 1, count: 2000)
    #expect(failure(packed, by: decoder, limits: limits) == .limit)
  }
}
