import PayloadCodecs
import Testing

@Suite("Text codec")
struct TextCodecTests {
  @Test(
    "text in any script is likely text",
    arguments: [
      "status.temperature", "The quick brown fox\n", "naïve café", "Ελληνικά κείμενα", "日本語テキスト",
      "😀 emoji 👩‍👩‍👧", "עברית ועוד", "tabs\tand\r\nlines", "\u{1B}[31mred\u{1B}[0m",
      "\u{FEFF}with mark", "noncharacter \u{FFFE}", "the top \u{10FFFF}",
    ])
  func scripts(text: String) {
    #expect(detect(text) == Detection(.text, .likely))
  }

  @Test("text as short as a number is a guess")
  func shortText() {
    #expect(detect("ABCDEFGH") == Detection(.text, .guess))
    #expect(detect("ABCDEFG\0") == Detection(.text, .guess))
    #expect(detect("ABCDEFGHI") == Detection(.text, .likely))
  }

  @Test("every single byte: text, or raw")
  func singleBytes() {
    for byte in UInt8.min...UInt8.max {
      let isText = (0x20...0x7E).contains(byte) || [0x09, 0x0A, 0x0D, 0x1B].contains(byte)
      #expect(detect([byte]) == Detection(isText ? .text : .raw, .guess), "byte \(byte)")
    }
  }

  @Test("every single byte inside a longer text, at every place of a word")
  func embeddedBytes() {
    let text = Array("abcdefghijklmnopqrstuvwxyz".utf8)
    for byte in UInt8.min...UInt8.max {
      let isText = (0x20...0x7E).contains(byte) || [0x09, 0x0A, 0x0D, 0x1B].contains(byte)
      for index in 0..<25 {
        var changed = text
        changed[index] = byte
        // This is a string of MessagePack, to the letter.
        if index == 0 && byte == 0xA0 + 25 {
          #expect(detect(changed) == Detection(.messagePack, .guess))
          continue
        }
        #expect(detect(changed).tag == (isText ? .text : .raw), "byte \(byte) at \(index)")
      }
    }
  }

  @Test("C1 controls are raw, the characters after them text")
  func upperControls() {
    for scalar in UInt8(0x80)...0xBF {
      let isText = scalar >= 0xA0
      #expect(detect([0xC2, scalar]).tag == (isText ? .text : .raw), "U+00\(scalar)")
    }
  }

  @Test("one terminating NUL is text, any other NUL is raw")
  func terminators() {
    #expect(detect("a C string\0") == Detection(.text, .likely))
    #expect(detect("a C string\0\0").tag == .raw)
    #expect(detect("a C\0string").tag == .raw)
    #expect(detect("\0a C string").tag == .raw)
    #expect(detect("\0").tag == .raw)
    #expect(detect("\0\0").tag == .raw)
  }

  @Test("only the examined bytes decide")
  func largeText() {
    let limit = CodecRegistry.examinedBytesMax
    let text = [UInt8](repeating: UInt8(ascii: "a"), count: limit)
    #expect(detect(text + [0xFF]) == Detection(.text, .likely))
    #expect(detect(text[1...] + [0xFF]).tag == .raw)
  }

  @Test("a character may be cut by the limit, not by the end", arguments: ["é", "€", "😀"])
  func cutCharacters(character: String) {
    let limit = CodecRegistry.examinedBytesMax
    let bytes = Array(character.utf8)
    for inside in 1..<bytes.count {
      let text = [UInt8](repeating: UInt8(ascii: "a"), count: limit - inside)
      #expect(detect(text + bytes).tag == .text)
      #expect(detect(text + bytes[..<inside]).tag == .raw)
    }
  }
}

@Suite("UTF-8")
struct UTF8Tests {
  @Test("malformed sequences are raw", arguments: malformed)
  func rejects(sequence: [UInt8]) {
    #expect(detect(sequence).tag == .raw)
    #expect(detect(Array("before ".utf8) + sequence + Array(" and after".utf8)).tag == .raw)
  }

  @Test("every sequence of two bytes, and of three and four around the borders, as Swift judges it")
  func agreesWithSwift() {
    let borders: [UInt8] = [0x7F, 0x80, 0xBF, 0xC0]
    for first in UInt8(0x80)...0xFF {
      for second in UInt8(0x80)...0xFF {
        compare([first, second])
        for third in borders {
          compare([first, second, third])
          for fourth in borders { compare([first, second, third, fourth]) }
        }
      }
    }
  }

  /// Inside a JSON string, where any well-formed character beyond ASCII is allowed.
  private func compare(_ sequence: [UInt8]) {
    let isValid = String(validating: sequence, as: UTF8.self) != nil
    let isJSON = detect(Array("[\"".utf8) + sequence + Array("\"]".utf8)).tag == .json
    if isJSON != isValid { Issue.record("\(sequence): Swift says \(isValid)") }
  }

  static let malformed: [[UInt8]] = [
    // Lone continuations and bytes that never occur.
    [0x80], [0xBF], [0xFE], [0xFF], [0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80],
    // Overlong.
    [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xE0, 0x9F, 0xBF],
    [0xF0, 0x80, 0x80, 0xAF], [0xF0, 0x8F, 0xBF, 0xBF],
    // Surrogates, alone and in pairs (CESU-8).
    [0xED, 0xA0, 0x80], [0xED, 0xAF, 0xBF], [0xED, 0xB0, 0x80], [0xED, 0xBF, 0xBF],
    [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80],
    // Above U+10FFFF.
    [0xF4, 0x90, 0x80, 0x80], [0xF7, 0xBF, 0xBF, 0xBF],
    // Truncated, at the end or by another character.
    [0xC3], [0xE2], [0xE2, 0x82], [0xF0], [0xF0, 0x9F], [0xF0, 0x9F, 0x98],
    [0xC3, 0x41], [0xE2, 0x82, 0x41], [0xF0, 0x9F, 0x98, 0x41], [0xE2, 0xC3, 0xA9],
  ]
}
