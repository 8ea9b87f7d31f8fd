import PayloadCodecs
import Testing

@Suite("JSON codec")
struct JSONCodecTests {
  @Test("no truncation of a document is JSON")
  func truncations() {
    let document = """
      {"name": "caf\u{E9} \u{1F600} \\u00e9\\n", "n": [0, -1.5e+10, true, false, null, NaN],
       "deep": {"a": [[{"b": -Infinity}], ""]}, "last": Infinity}
      """
    let bytes = Array(document.utf8)
    #expect(detect(bytes).tag == .json)
    for count in 0..<bytes.count {
      #expect(detect(Array(bytes[..<count])).tag != .json, "first \(count) bytes")
    }
  }

  @Test("random documents are JSON, and none of their truncations is")
  func randomDocuments() {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<500 {
      let document = randomDocument(using: &generator)
      #expect(detect(document) == Detection(.json, .certain), "\(document)")
      let bytes = Array(document.utf8)
      let count = Int.random(in: 0..<bytes.count, using: &generator)
      #expect(detect(Array(bytes[..<count])).tag != .json, "\(count) bytes of \(document)")
    }
  }

  @Test("the deepest nesting that is JSON has 128 levels")
  func depth() {
    #expect(detect(nested(128)) == Detection(.json, .certain))
    #expect(detect(nested(129)).tag == .text)
  }

  @Test("a depth bomb is text", arguments: ["[", "{\"a\":", "[{\"a\":", "[[],"])
  func depthBombs(unit: String) {
    #expect(detect(String(repeating: unit, count: 1_000_000)).tag == .text)
  }

  @Test("a closed depth bomb is text, too")
  func closedDepthBomb() {
    #expect(detect(nested(500_000)).tag == .text)
  }

  @Test("brackets are matched at every level, whichever kind they are")
  func mixedNesting() {
    var generator = SeededGenerator(seed: 2)
    let kinds = (0..<128).map { _ in Bool.random(using: &generator) }
    let opening = kinds.map { $0 ? "{\"\":" : "[" }.joined() + "0"
    let closing = kinds.reversed().map { $0 ? UInt8(ascii: "}") : UInt8(ascii: "]") }
    #expect(detect(Array(opening.utf8) + closing).tag == .json)
    for index in closing.indices {
      var wrong = closing
      wrong[index] ^= UInt8(ascii: "}") ^ UInt8(ascii: "]")
      #expect(detect(Array(opening.utf8) + wrong).tag == .text, "closing bracket \(index)")
    }
  }

  @Test("a byte order mark or a terminating NUL leaves it likely JSON")
  func wrappings() {
    #expect(detect("\u{FEFF}{\"a\":1}") == Detection(.json, .likely))
    #expect(detect("{\"a\":1}\0") == Detection(.json, .likely))
    #expect(detect("{\"a\":1} \n\0") == Detection(.json, .likely))
    #expect(detect("{\"a\":1}\0\0").tag == .raw)
  }

  @Test("JSON lines are text")
  func lines() {
    #expect(detect("{\"a\":1}\n{\"a\":2}\n") == Detection(.text, .likely))
  }

  private func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
  }
}

@Suite("JSON beyond the examined bytes")
struct LargeJSONTests {
  private let limit = CodecRegistry.examinedBytesMax

  @Test("a document of exactly the limit is examined whole")
  func atTheLimit() {
    let filler = String(repeating: "x", count: limit - 4)
    #expect(detect("[\"\(filler)\"]") == Detection(.json, .certain))
    #expect(detect("[\"\(filler)x\"]") == Detection(.json, .likely))
    #expect(detect("[\"\(filler)x\"}").tag == .text)
  }

  @Test("a larger one needs the closing bracket of its opening one at the end")
  func closing() {
    let items = String(repeating: "1,", count: limit)
    #expect(detect("[\(items)1]") == Detection(.json, .likely))
    #expect(detect("[\(items)1] \r\n\t") == Detection(.json, .likely))
    #expect(detect("[\(items)1]\0") == Detection(.json, .likely))
    #expect(detect("[\(items)1}").tag == .text)
    #expect(detect("[\(items)1").tag == .text)
    #expect(detect("{\"a\":[\(items)1]}") == Detection(.json, .likely))
    #expect(detect("{\"a\":[\(items)1]").tag == .text)
  }

  @Test("a larger one with an error in its first part is text")
  func malformedStart() {
    let items = String(repeating: "1,", count: limit)
    #expect(detect("[,\(items)1]").tag == .text)
  }

  @Test("the limit may fall anywhere in a token")
  func cutTokens() {
    let token = "\"\u{1F600}\\uD83D\\u00e9\", -12.5e+10, -Infinity, true, null, {\"\u{E9}\": 1}, "
    for shift in 0..<token.utf8.count {
      let lead = "[" + String(repeating: " ", count: shift)
      let document = lead + String(repeating: token, count: limit / token.utf8.count + 2) + "0]"
      #expect(detect(document) == Detection(.json, .likely), "shifted by \(shift)")
    }
  }

  @Test("a document that ends before the limit tolerates only spaces behind it")
  func padding() {
    let spaces = String(repeating: " ", count: limit)
    #expect(detect("[1]\(spaces)") == Detection(.json, .likely))
    #expect(detect("[1]\(spaces)]").tag == .text)
    #expect(detect("[1]\(spaces)[1]").tag == .text)
  }

  @Test("nothing but spaces is text, however much of it")
  func spacesOnly() {
    let spaces = String(repeating: " ", count: limit * 3)
    #expect(detect(spaces) == Detection(.text, .likely))
    #expect(detect(spaces + "[]").tag == .text)
    #expect(detect("[1,\(spaces)").tag == .text)
  }
}
