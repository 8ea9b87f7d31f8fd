import PayloadCodecs
import Testing

@Suite("Detection of MessagePack and Pickle")
struct BinaryDetectionTests {
  @Test(arguments: 0...5)
  func picklesOfEveryProtocolAreRecognised(version: Int) throws {
    let payload = try PickleDecoderTests.bytes(PickleDecoderTests.plain[version])
    #expect(detect(payload) == Detection(.pickle, version < 2 ? .likely : .certain))
    for count in payload.indices {
      #expect(detect(payload[..<count]).tag != .pickle)
    }
    #expect(detect(payload + [0x2E]).tag != .pickle)
  }

  @Test("what would run code is recognised as any pickle")
  func calls() throws {
    let payload = try PickleDecoderTests.bytes("gAJjcG9zaXgKc3lzdGVtCnEAWAIAAABpZHEBhXECUnEDLg==")
    #expect(detect(payload) == Detection(.pickle, .certain))
  }

  @Test(
    "text that ends with a full stop is no pickle",
    arguments: [
      "(hello world).", "I am here.", "Nobody.", "I1\n.", "No, it is not\nthere.", "K.", "].",
      "...",
    ])
  func prose(text: String) {
    #expect(detect(text).tag == .text)
  }

  @Test func mapsWithNamesAreCertainlyMessagePack() {
    let map: [UInt8] = [0x82, 0xA4] + Array("name".utf8) + [0xA1, 0x61, 0xA1, 0x62, 0xC0]
    #expect(detect(map) == Detection(.messagePack, .certain))
    #expect(detect(map + [0]).tag == .raw)
    #expect(detect(map[..<(map.count - 1)]).tag == .raw)
  }

  @Test func whatMayAsWellBeSomethingElseIsLessThanCertain() {
    let numbers: [UInt8] = [0x89] + [UInt8](0..<18)
    #expect(detect(numbers) == Detection(.messagePack, .likely))
    #expect(detect([0x99, 1, 2, 3, 4, 5, 6, 7, 8, 9]) == Detection(.messagePack, .likely))
    #expect(detect([0x92, 1, 2]) == Detection(.messagePack, .guess))
    // A number, a boolean, an empty list, bytes, a string that is no UTF-8.
    let raw: [[UInt8]] = [
      [0xCD, 1, 2], [0xC3], [0x90], [0xC4, 2, 0, 1], [0x91, 0xA2, 0xFF, 0xFE],
    ]
    for payload in raw { #expect(detect(payload).tag == .raw, "\(payload)") }
  }

  @Test("depth and length bombs are raw")
  func bombs() {
    #expect(detect([UInt8](repeating: 0x91, count: 100_000) + [0xC0]).tag == .raw)
    #expect(detect([0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4, 5]).tag == .raw)
    #expect(detect([0x80, 2] + [UInt8](repeating: 0x28, count: 100_000) + [0x2E]).tag == .raw)
  }
}
