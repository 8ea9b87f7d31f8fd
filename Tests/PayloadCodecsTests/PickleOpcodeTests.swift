import PayloadCodecs
import Testing

@Suite("Pickle opcodes")
struct PickleOpcodeTests {
  static let scalars: [(payload: [UInt8], json: String)] = [
    (pickle("N."), "null"), (pickle("I00\n."), "false"), (pickle("I01\n."), "true"),
    (pickle(0x88, "."), "true"), (pickle(0x89, "."), "false"),
    (pickle("I-0012\n."), "-12"), (pickle("I-0\n."), "0"), (pickle("L007L\n."), "7"),
    (pickle("L5\n."), "5"), (pickle("K", 255, "."), "255"), (pickle("M", 1, 2, "."), "513"),
    (pickle("J", 0xFE, 0xFF, 0xFF, 0xFF, "."), "-2"),
    (pickle(0x8A, 0, "."), "0"), (pickle(0x8A, 1, 0x80, "."), "-128"),
    (pickle(0x8A, 2, 0xFF, 0, "."), "255"), (pickle(0x8A, 3, 0xFF, 0xFF, 0xFF, "."), "-1"),
    (pickle(0x8A, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, "."), "18446744073709551616"),
    (pickle(0x8B, 1, 0, 0, 0, 5, "."), "5"),
    (pickle("F1e400\n."), #""Infinity""#), (pickle("Fnan\n."), #""NaN""#),
    (pickle("F-inf\n."), #""-Infinity""#), (pickle("F-0.0\n."), "-0.0"),
    (pickle("G", 0xC0, 0, 0, 0, 0, 0, 0, 0, "."), "-2.0"),
    (pickle("S'a\\'\\x41\\n\\q'\n."), #""a'A\n\\q""#), (pickle("S\"it's\"\n."), #""it's""#),
    (pickle("S'\\xff'\n."), #"{"$bytes":"/w=="}"#),
    (pickle("U", 1, "a."), #""a""#), (pickle("T", 1, 0, 0, 0, "a."), #""a""#),
    (pickle("U", 1, 255, "."), #"{"$bytes":"/w=="}"#),
    // Latin-1, an emoji, a backslash before a u, a character that JSON escapes.
    (pickle("V", 0xE9, "\\U0001f600\\u005cu0041\\u000d\\u001a\n."), #""é😀\\u0041\r\u001a""#),
    (pickle("V\n."), #""""#), (pickle("Va\\\n."), #""a\\""#),
    // A lone surrogate is text to Python only.
    (pickle("V\\ud800\n."), #"{"$bytes":"7aCA"}"#),
    (pickle("X", 3, 0, 0, 0, 0xED, 0xA0, 0x80, "."), #"{"$bytes":"7aCA"}"#),
    (pickle(0x8C, 1, "a."), #""a""#), (pickle(0x8D, 1, 0, 0, 0, 0, 0, 0, 0, "a."), #""a""#),
    (pickle("C", 1, 0, "."), #"{"$bytes":"AA=="}"#),
    (pickle("B", 1, 0, 0, 0, 0, "."), #"{"$bytes":"AA=="}"#),
    (pickle(0x8E, 1, 0, 0, 0, 0, 0, 0, 0, 0, "."), #"{"$bytes":"AA=="}"#),
    (pickle(0x96, 1, 0, 0, 0, 0, 0, 0, 0, 0, "."), #"{"$bytes":"AA=="}"#),
  ]

  static let containers: [(payload: [UInt8], json: String)] = [
    (pickle("]."), "[]"), (pickle(")."), "[]"), (pickle("}."), "{}"), (pickle(0x8F, "."), "[]"),
    (pickle("]Na."), "[null]"), (pickle("](NNe."), "[null,null]"), (pickle("(NNl."), "[null,null]"),
    (pickle("(Nt."), "[null]"), (pickle("N", 0x85, "."), "[null]"),
    (pickle("K", 1, "K", 2, 0x86, "."), "[1,2]"),
    (pickle("K", 1, "K", 2, "K", 3, 0x87, "."), "[1,2,3]"),
    (pickle(0x8F, "(K", 1, 0x90, "."), "[1]"), (pickle("(K", 1, 0x91, "."), "[1]"),
    (pickle("}U", 1, "aNs."), #"{"a":null}"#), (pickle("}(U", 1, "aNu."), #"{"a":null}"#),
    (pickle("(U", 1, "aNd."), #"{"a":null}"#),
    // The stack: POP of a value, POP of a mark, POP_MARK, DUP.
    (pickle("NK", 1, "0."), "null"), (pickle("N(0."), "null"), (pickle("N(K", 1, "1."), "null"),
    (pickle("K", 1, "2", 0x86, "."), "[1,1]"),
    // The memo, by each of its opcodes.
    (pickle("K", 1, "p10\n0g10\n."), "1"), (pickle("K", 1, "q", 9, "0h", 9, "."), "1"),
    (pickle("K", 1, "r", 0, 1, 0, 0, "0j", 0, 1, 0, 0, "."), "1"),
    (pickle("K", 1, 0x94, "0h", 0, "."), "1"),
    (pickle(0x97, 0x97, 0x98, 0x86, "."), #"[{"$buffer":0},{"$buffer":1}]"#),
  ]

  /// `a.b` is what would be imported or called.
  static let descriptions: [(payload: [UInt8], json: String)] = [
    (pickle("ca\nb\n."), #"{"$global":"a.b"}"#),
    (pickle("U", 1, "aU", 1, "b", 0x93, "."), #"{"$global":"a.b"}"#),
    // Names that are none.
    (pickle("NK", 1, 0x93, "."), #"{"$global":[null,1]}"#),
    (pickle("ca\nb\n)R."), #"{"$object":"a.b","args":[]}"#),
    (pickle("ca\nb\n)", 0x81, "."), #"{"$object":"a.b","args":[]}"#),
    (
      pickle("ca\nb\n)}U", 1, "kNs", 0x92, "."),
      #"{"$object":"a.b","args":[],"kwargs":{"k":null}}"#
    ),
    (pickle("(K", 1, "ia\nb\n."), #"{"$object":"a.b","args":[1]}"#),
    (pickle("(ca\nb\nK", 1, "o."), #"{"$object":"a.b","args":[1]}"#),
    (pickle("ca\nb\n)R}U", 1, "kNsb."), #"{"$object":"a.b","args":[],"state":{"k":null}}"#),
    (pickle("ca\nb\n)RNa."), #"{"$object":"a.b","args":[],"items":[null]}"#),
    (pickle("ca\nb\n)RK", 1, "Ns."), #"{"$object":"a.b","args":[],"entries":{"1":null}}"#),
    // What is called came of a call; the arguments are no tuple; a state for a list.
    (pickle("ca\nb\n)R)R."), #"{"$object":{"$object":"a.b","args":[]},"args":[]}"#),
    (pickle("NNR."), #"{"$object":null,"args":null}"#),
    (pickle("]Nb."), #"{"$object":[],"args":[],"state":null}"#),
    (pickle("Pid\n."), #"{"$persistent":"id"}"#),
    (pickle("K", 7, "Q."), #"{"$persistent":7}"#),
    (pickle(0x82, 5, "."), #"{"$extension":5}"#), (pickle(0x83, 5, 1, "."), #"{"$extension":261}"#),
    (pickle(0x84, 5, 0, 0, 0, ")R."), #"{"$object":{"$extension":5},"args":[]}"#),
    (pickle("c__builtin__\neval\n(S'1'\ntR."), #"{"$object":"__builtin__.eval","args":["1"]}"#),
    (
      pickle("c_codecs\nencode\n(V", 0xE9, "\nVutf-8\ntR."),
      #"{"$object":"_codecs.encode","args":["é","utf-8"]}"#
    ),
  ]

  @Test func scalarsAreShown() throws {
    for (payload, json) in Self.scalars { #expect(try shownPickle(payload) == json, "\(payload)") }
  }

  @Test func containersAreShown() throws {
    for (payload, json) in Self.containers {
      #expect(try shownPickle(payload) == json, "\(payload)")
    }
  }

  @Test func whatWouldBeImportedOrCalledIsDescribed() throws {
    for (payload, json) in Self.descriptions {
      #expect(try shownPickle(payload) == json, "\(payload)")
    }
  }

  @Test func whatEndsEarlyIsTruncatedAndWhatGoesOnMalformed() {
    for (payload, _) in Self.scalars + Self.containers + Self.descriptions {
      for count in payload.indices {
        #expect(pickleFailure(Array(payload[..<count])) == .truncated, "\(payload), \(count) bytes")
      }
      #expect(pickleFailure(payload + pickle("N")) == .malformed)
    }
  }

  @Test func stacksThatCannotBeAreMalformed() {
    let broken = [
      ".", "(.", "N(.", "0.", "1.", "2.", "N1.", "(2.", "e.", "](Ne", "t.", "N(u.", "}(Nu.", "NNa.",
      "]NNs.", "}Na.", ")Na.", "R.", "NR.", "N(o.", "(o.", "ia\nb\n.", "b.", "Q.", "h", "g0\n.",
      "gx\n.", "p0\n.", "Ix\n.", "I\n.", "I-\n.", "I1L\n.", "Lx\n.", "Fx\n.", "Sx\n.", "S'\n.",
      "S'\\xg0'\n.", "V\\u00g0\n.", "V\\U00110000\n.", "V\\u00\n.", "\u{7F}.",
    ]
    for text in broken { #expect(pickleFailure(Array(text.utf8)) != nil, "\(text)") }
    #expect(pickleFailure(pickle(0x80, 6, "N.")) == .unsupported)
    #expect(pickleFailure(pickle("h", 3, ".")) == .malformed)
  }

  @Test func lengthsBeyondTheEndAreTruncated() {
    let long = [UInt8](repeating: 0xFF, count: 8)
    for opcode in [UInt8(ascii: "B"), UInt8(ascii: "T"), UInt8(ascii: "X"), 0x8B] {
      #expect(pickleFailure([opcode] + long[..<4] + [0x2E]) == .truncated)
    }
    // Of 64 bits: BINUNICODE8, BINBYTES8, FRAME, BYTEARRAY8.
    for opcode: UInt8 in [0x8D, 0x8E, 0x95, 0x96] {
      #expect(pickleFailure([opcode] + long + [0x2E]) == .truncated)
      #expect(pickleFailure([opcode] + long[..<7] + [0x7F, 0x2E]) == .truncated)
    }
  }
}
