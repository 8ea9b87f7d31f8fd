import PayloadCodecs
import Testing

@Suite("Schemas")
struct SchemaTests {
  @Test(
    "which format it is shows in the bytes",
    arguments: [
      ("everything.desc", SchemaFormat.protobuf, "zcap.test.Everything", 24),
      ("everything.bfbs", .flatbuffers, "Zcap.Test.Everything", 2),
      ("everything.request", .capnp, "Everything", 3),
      ("pointers.request", .capnp, "Endless", 4),
    ])
  func formats(file: String, format: SchemaFormat, type: String, count: Int) throws {
    let schema = try Schema(Fixture.bytes(file))
    #expect(schema.format == format)
    #expect(schema.types.contains(type))
    #expect(schema.types.count == count)
    #expect(schema.types == schema.types.sorted())
    #expect(schema.decoder(forType: type) != nil)
    #expect(schema.decoder(forType: "No.Such") == nil)
  }

  @Test("only FlatBuffers schemas say what their payloads are")
  func roots() throws {
    let schema = try Schema(Fixture.bytes("everything.bfbs"))
    #expect(schema.rootType == "Zcap.Test.Everything")
    #expect(schema.fileIdentifier == "EVRY")
    #expect(try Schema(Fixture.bytes("everything.desc")).rootType == nil)
    #expect(try Schema(Fixture.bytes("everything.request")).fileIdentifier == nil)
  }

  @Test(
    "what is no compiled schema is told how to become one",
    arguments: [[], Array("syntax = \"proto3\";".utf8), [0, 0, 0, 0, 1, 0, 0, 0], [0x0A, 5, 1]])
  func noSchema(bytes: [UInt8]) throws {
    let error = try #require(throws: SchemaError.self) { try Schema(bytes) }
    #expect(error.reason.contains("protoc --include_imports"))
  }

  @Test("a descriptor set without its imports says what it lacks")
  func missingImports() throws {
    // file { name: "a" message_type { name: "M" field { name: "f" number: 1 type: MESSAGE
    // type_name: ".x.Y" } } }
    let field: [UInt8] = [0x0A, 1, 0x66, 0x18, 1, 0x28, 11, 0x32, 4] + Array(".x.Y".utf8)
    let message = [0x0A, 1, 0x4D, 0x12, UInt8(field.count)] + field
    let file = [0x0A, 1, 0x61, 0x22, UInt8(message.count)] + message
    let error = try #require(throws: SchemaError.self) {
      try Schema([0x0A, UInt8(file.count)] + file)
    }
    #expect(error.reason.contains("'x.Y'") && error.reason.contains("--include_imports"))
  }

  @Test("a set finds a tag's type in any of its schemas, and lists them all")
  func sets() throws {
    var set = SchemaSet()
    for file in ["everything.desc", "everything.bfbs", "everything.request", "pointers.request"] {
      set.add(try Schema(Fixture.bytes(file)))
    }
    #expect(set.tags.count == 33)
    for tag in set.tags { #expect(set.decoder(for: tag) != nil, "\(tag)") }
    #expect(set.tags.contains(CodecTag(rawValue: "capnp(Pointers)")))
    #expect(set.tags.contains(CodecTag(.flatbuffers, type: "Zcap.Test.Leaf")))
  }

  @Test(
    "tags of other families, of no type, or badly written have no decoder",
    arguments: [
      "json", "protobuf(No.Such)", "flatbuffers(Zcap.Test.Point)", "protobuf()", "protobuf(a",
      "protobuf2", "capnp(Everything) ", "flatbuffers(zcap.test.Everything)", "",
    ])
  func otherTags(tag: String) throws {
    #expect(try Fixture.schemas("everything.desc").decoder(for: CodecTag(rawValue: tag)) == nil)
    #expect(try Fixture.schemas("everything.bfbs").decoder(for: CodecTag(rawValue: tag)) == nil)
  }

  @Test("each format has a decoder without any schema")
  func withoutSchemas() {
    for tag in [CodecTag.protobuf, .flatbuffers, .capnp] {
      #expect(SchemaSet().decoder(for: tag) != nil)
    }
  }

  @Test(
    "damaged schemas are refused or used, and never a trap",
    arguments: [
      ("everything.desc", "everything.protobuf.bin"),
      ("everything.bfbs", "everything.flatbuffers.bin"),
      ("everything.request", "everything.capnp.bin"),
    ])
  func damaged(file: String, payload: String) throws {
    let whole = try Fixture.bytes(file)
    let payload = try Fixture.bytes(payload)
    var generator = SeededGenerator(seed: 11)
    var limits = DecodingLimits()
    limits.values = 20_000
    var used = 0
    for _ in 0..<1500 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: bytes.indices, using: &generator)
        bytes[index] = UInt8.random(in: 0...255, using: &generator)
      }
      if Bool.random(using: &generator) {
        bytes.removeLast(Int.random(in: 0...64, using: &generator))
      }
      guard let schema = try? Schema(bytes),
        let type = schema.types.randomElement(using: &generator)
      else { continue }
      let decoder = try #require(schema.decoder(forType: type))
      _ = failure(payload, by: decoder, limits: limits)
      used += 1
    }
    #expect(used > 0)
  }

  @Test(
    "no truncation of a schema is a trap",
    arguments: ["everything.desc", "everything.bfbs", "everything.request"])
  func truncated(file: String) throws {
    let whole = try Fixture.bytes(file)
    for count in stride(from: 0, to: whole.count, by: 7) {
      let schema = try? Schema(Array(whole[..<count]))
      // A descriptor set may end behind any of its files.
      if file != "everything.desc" { #expect(schema == nil, "\(count) bytes") }
    }
  }
}
