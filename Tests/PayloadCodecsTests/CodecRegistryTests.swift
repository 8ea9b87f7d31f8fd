import PayloadCodecs
import Testing

@Suite("Codec registry")
struct CodecRegistryTests {
  @Test("no bytes are certainly empty")
  func empty() {
    #expect(detect([]) == Detection(.empty, .certain))
  }

  @Test("what nobody recognises is raw, as a guess")
  func fallback() {
    let registry = CodecRegistry([])
    #expect(detect([1, 2, 3], with: registry) == Detection(.raw, .guess))
  }

  @Test("the most confident codec wins")
  func confidence() {
    let registry = CodecRegistry([Fixed("a", .guess), Fixed("b", .likely), Fixed("c", .guess)])
    #expect(detect([1], with: registry).tag.rawValue == "b")
  }

  @Test("of equally confident codecs the earlier wins")
  func ties() {
    let registry = CodecRegistry([Fixed("a", .likely), Fixed("b", .likely)])
    #expect(detect([1], with: registry).tag.rawValue == "a")
  }

  @Test("certainty beats every place in the order")
  func certainty() {
    let registry = CodecRegistry([Fixed("a", .likely), Fixed("b", .certain), Fixed("c", .certain)])
    #expect(detect([1], with: registry).tag.rawValue == "b")
  }

  @Test("confidences are ordered, and stored by numbers that stay")
  func confidenceOrder() {
    #expect(Confidence.guess < .likely)
    #expect(Confidence.likely < .certain)
    #expect(Confidence.allCases.map(\.rawValue) == [1, 2, 3])
  }

  @Test("tags are spelled as users write them")
  func spelling() {
    let tags: [CodecTag] = [.empty, .json, .text, .raw]
    #expect(tags.map(\.description) == ["empty", "json", "text", "raw"])
  }

  @Test("random bytes longer than a number are raw, nearly always")
  func randomBytes() {
    var generator = SeededGenerator(seed: 3)
    var mistaken = 0
    for _ in 0..<20_000 {
      let count = Int.random(in: 9...300, using: &generator)
      if detect(generator.bytes(count)).tag != .raw { mistaken += 1 }
    }
    #expect(mistaken <= 2)
  }

  @Test("damaged documents are some codec's, or raw, and never a trap")
  func damagedDocuments() {
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<5_000 {
      var bytes = Array(randomDocument(using: &generator).utf8)
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let index = Int.random(in: bytes.indices, using: &generator)
        bytes[index] = UInt8.random(in: 0...255, using: &generator)
      }
      let found = detect(bytes)
      // A byte in front can make a short text a string of MessagePack, and a field of Protocol
      // Buffers: possible, and no more.
      if [.messagePack, .protobuf].contains(found.tag), found.confidence == .guess { continue }
      #expect([CodecTag.json, .text, .raw].contains(found.tag))
      if String(validating: bytes, as: UTF8.self) == nil { #expect(found.tag == .raw) }
    }
  }

  @Test("a payload that is a slice of a larger buffer is judged by its own bytes")
  func slices() {
    let buffer = Array("x{\"a\":1}y".utf8)
    #expect(detect(buffer[1..<8]) == Detection(.json, .certain))
    #expect(detect(buffer[1..<7]).tag == .text)
  }
}

/// Gives the same answer to every payload.
private struct Fixed: Codec {
  private let answer: Detection

  init(_ tag: String, _ confidence: Confidence) {
    answer = Detection(CodecTag(rawValue: tag), confidence)
  }

  func recognize(_ payload: RawSpan) -> Detection? { answer }
}
