import Foundation
import PayloadCodecs
import Testing

@Suite("MessagePack decoder")
struct MessagePackDecoderTests {
  static let cases: [(payload: [UInt8], json: String)] = [
    ([0xC0], "null"), ([0xC2], "false"), ([0xC3], "true"),
    ([0x7F], "127"), ([0xE0], "-32"), ([0xCC, 0xFF], "255"), ([0xD0, 0x80], "-128"),
    ([0xCD, 0x01, 0x00], "256"), ([0xD1, 0xFF, 0x00], "-256"),
    ([0xCE, 0xFF, 0xFF, 0xFF, 0xFF], "4294967295"), ([0xD2, 0x80, 0, 0, 0], "-2147483648"),
    ([0xCF] + [UInt8](repeating: 0xFF, count: 8), "18446744073709551615"),
    ([0xD3, 0x80] + [UInt8](repeating: 0, count: 7), "-9223372036854775808"),
    ([0xCA, 0x3F, 0xC0, 0, 0], "1.5"),
    ([0xCB, 0x3F, 0xF8] + [UInt8](repeating: 0, count: 6), "1.5"),
    ([0xCA, 0x7F, 0xC0, 0, 0], #""NaN""#), ([0xCA, 0xFF, 0x80, 0, 0], #""-Infinity""#),
    ([0xA0], #""""#), ([0xA2, 0xC3, 0xA9], #""é""#), ([0xD9, 1, 0x22], #""\"""#),
    ([0xDA, 0, 1, 0x61], #""a""#), ([0xDB, 0, 0, 0, 1, 0x61], #""a""#),
    ([0xA1, 0xFF], #"{"$bytes":"/w=="}"#),
    ([0xC4, 2, 0, 255], #"{"$bytes":"AP8="}"#), ([0xC5, 0, 1, 0], #"{"$bytes":"AA=="}"#),
    ([0xC6, 0, 0, 0, 1, 0], #"{"$bytes":"AA=="}"#),
    ([0x90], "[]"), ([0x92, 1, 0x91, 2], "[1,[2]]"), ([0xDC, 0, 1, 5], "[5]"),
    ([0xDD, 0, 0, 0, 1, 5], "[5]"),
    ([0x80], "{}"), ([0x82, 0xA1, 0x61, 1, 0xA1, 0x62, 0x90], #"{"a":1,"b":[]}"#),
    ([0xDE, 0, 1, 0xA0, 1], #"{"":1}"#), ([0xDF, 0, 0, 0, 1, 0xA0, 1], #"{"":1}"#),
    ([0x81, 1, 2], #"{"1":2}"#), ([0x81, 0x92, 1, 0xA1, 0x61, 2], #"{"[1,\"a\"]":2}"#),
    ([0xD4, 5, 1], #"{"$ext":5,"$bytes":"AQ=="}"#),
    ([0xC7, 1, 0xFE, 9], #"{"$ext":-2,"$bytes":"CQ=="}"#),
    ([0xD6, 0xFF, 0, 0, 0, 0], #"{"$timestamp":"1970-01-01T00:00:00.000000000Z"}"#),
    (
      [0xC7, 12, 0xFF, 0, 0, 0, 1] + [UInt8](repeating: 0xFF, count: 8),
      #"{"$timestamp":"1969-12-31T23:59:59.000000001Z"}"#
    ),
  ]

  @Test func everyTypeIsShown() throws {
    for (payload, json) in Self.cases {
      let shown = try decode(payload, by: MessagePackDecoder())
      #expect(shown == json, "\(payload)")
    }
  }

  @Test func whatEndsEarlyIsTruncatedAndWhatGoesOnMalformed() {
    for (payload, _) in Self.cases {
      for count in payload.indices {
        #expect(failure(Array(payload[..<count]), by: MessagePackDecoder()) == .truncated)
      }
      #expect(failure(payload + [0xC0], by: MessagePackDecoder()) == .malformed)
    }
    #expect(failure([0xC1], by: MessagePackDecoder()) == .malformed)
  }

  @Test func depthsAndLengthsAreBounded() {
    let deep = [UInt8](repeating: 0x91, count: 100_000) + [0xC0]
    #expect(failure(deep, by: MessagePackDecoder()) == .limit)
    let deepKeys = [UInt8](repeating: 0x81, count: 100_000)
    #expect(failure(deepKeys, by: MessagePackDecoder()) == .limit)
    for head: [UInt8] in [[0xDD], [0xDF], [0xDB], [0xC6], [0xC9]] {
      let huge = head + [0xFF, 0xFF, 0xFF, 0xFF, 0]
      #expect(failure(huge, by: MessagePackDecoder()) != nil)
    }
    var limits = DecodingLimits()
    limits.values = 10
    let many = [0xDC, 0, 100] + [UInt8](repeating: 1, count: 100)
    #expect(failure(many, by: MessagePackDecoder(), limits: limits) == .limit)
  }

  /// One pass says what two say: of maps, of maps with a byte that is another one, and of bytes.
  @Test func whatOnePassIsCertainOfIsWhatDetectionSays() throws {
    var generator = SeededGenerator(seed: 12)
    func value(_ depth: Int) -> [UInt8] {
      switch Int.random(in: 0...(depth > 2 ? 6 : 9), using: &generator) {
      case 0: return [UInt8.random(in: 0...0x7F, using: &generator)]
      case 1: return [0xCB] + generator.bytes(8)
      case 2: return [[0xC0, 0xC2, 0xC3].randomElement(using: &generator)!]
      case 3: return [0xC4, 3] + generator.bytes(3)
      case 4: return [0xD6, 0xFF] + generator.bytes(4)
      case 5, 6: return text()
      case 7: return [0x92] + value(depth + 1) + value(depth + 1)
      default: return map(depth + 1)
      }
    }
    func text() -> [UInt8] {
      let text = ["a", "", "name", "é.", "\u{80}", "\"", "."].randomElement(using: &generator)!
      return [0xA0 | UInt8(text.utf8.count)] + Array(text.utf8)
    }
    func map(_ depth: Int) -> [UInt8] {
      let count = Int.random(in: 0...4, using: &generator)
      return [0x80 | UInt8(count)]
        + (0..<count).flatMap { _ in
          (Int.random(in: 0...19, using: &generator) == 0 ? value(3) : text()) + value(depth)
        }
    }
    var certain = 0
    for round in 0..<20_000 {
      var payload = round % 3 == 2 ? generator.bytes(12) : map(0)
      if round % 3 == 2 { payload[0] = UInt8.random(in: 0x81...0x8F, using: &generator) }
      if round % 3 == 1, let place = payload.indices.randomElement(using: &generator) {
        payload[place] = UInt8.random(in: 0...255, using: &generator)
      }
      var output = JSONOutput()
      guard MessagePackDecoder().decodeIfCertain(payload.span.bytes, to: &output) else {
        continue
      }
      certain += 1
      #expect(detect(payload) == Detection(.messagePack, .certain), "\(payload)")
      #expect(try decode(payload, by: MessagePackDecoder()) == output.text, "\(payload)")
    }
    #expect(certain > 5_000)
  }

  @Test func randomBytesAreNoTrap() {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<20_000 {
      let payload = generator.bytes(Int.random(in: 0...60, using: &generator))
      _ = failure(payload, by: MessagePackDecoder())
      _ = failure(payload, by: PickleDecoder())
      _ = failure(payload, by: JSONDocumentDecoder())
    }
  }
}
