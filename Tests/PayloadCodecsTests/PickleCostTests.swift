import PayloadCodecs
import Testing

@Suite("Pickles that cost much")
struct PickleCostTests {
  @Test func stackMarksMemoAndValuesAreBounded() {
    var limits = DecodingLimits()
    limits.values = 100
    let many: [(start: String, again: [UInt8])] = [
      ("", pickle("N")), ("", pickle("(")), ("N", pickle("2")), ("N", pickle(0x94)),
      ("Nq\u{0}", pickle("h", 0)),
    ]
    for (start, again) in many {
      let payload = Array(start.utf8) + (0..<101).flatMap { _ in again } + pickle(".")
      #expect(failure(payload, by: PickleDecoder(), limits: limits) == .limit, "\(again)")
    }
  }

  /// One number of 128 KiB of zeros, or of copies of its sign, which a list has 20,000 times.
  @Test(.timeLimit(.minutes(1)))
  func zerosInFrontOfNumbersAreReadOnce() throws {
    let count = 1 << 17
    let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: count)
    let signs = [UInt8](repeating: 0xFF, count: count)
    let length = pickle(0, 0, 2, 0)
    let numbers = [
      (pickle("I", zeros, "7\n"), "7"), (pickle(0x8B, length, signs), "-1"),
      (pickle(0x8B, length, [UInt8](repeating: 0, count: count)), "0"),
    ]
    let again = (0..<20_000).flatMap { _ in pickle("h", 0) }
    for (number, json) in numbers {
      let text = try shownPickle(pickle(number, "q", 0, "0](", again, "e."))
      #expect(text.utf8.count == (json.utf8.count + 1) * 20_000 + 1)
      #expect(text.hasPrefix("[\(json),\(json),"))
    }
  }

  /// 128 KiB of text that is not Latin-1 at its end, of which bytes are asked for 20,000 times.
  @Test(.timeLimit(.minutes(1)))
  func bytesOfTheSameTextAreNotMadeAgainAndAgain() {
    let text = pickle("X", 3, 0, 2, 0, [UInt8](repeating: 0x61, count: 1 << 17), "€")
    let setUp = pickle(
      "c_codecs\nencode\nq", 0, "0(", text, "X", 6, 0, 0, 0, "latin1tq", 1, "0](")
    let again = (0..<20_000).flatMap { _ in pickle("h", 0, "h", 1, "R") }
    #expect(pickleFailure(setUp + again + pickle("e.")) == .limit)
  }

  /// Protocol 0 has bytes as text of Latin-1.
  @Test func manyBytesOfProtocol0AreShown() throws {
    let payload = pickle(
      "c_codecs\nencode\np0\n(V", [UInt8](repeating: 0xFF, count: 3000),
      "\np1\nVlatin1\np2\ntp3\nRp4\n.")
    let json = String(repeating: "/", count: 4000)
    #expect(try shownPickle(payload) == #"{"$bytes":"\#(json)"}"#)
  }

  /// An integer of 1100 bytes costs the square of its size in decimal.
  @Test func largeIntegersAreHexadecimal() throws {
    let zeros = [UInt8](repeating: 0, count: 1099)
    let one = pickle(0x8B, 0x4C, 4, 0, 0, zeros, 1, ".")
    let json = "0x1" + String(repeating: "0", count: 2198)
    #expect(try shownPickle(one) == #"{"$int":"\#(json)"}"#)
  }

  @Test func valuesInsideValuesAreBounded() {
    let depth = 10_000
    func repeated(_ part: [UInt8]) -> [UInt8] { (0..<depth).flatMap { _ in part } }
    // Tuples of one, persistent identifiers, calls of calls, states, keys.
    let bombs = [
      pickle("N", repeated([0x85]), "."), pickle("N", repeated(pickle("Q")), "."),
      pickle("ca\nb\n", repeated(pickle(")R")), "."),
      pickle("N", repeated(pickle("q", 0, "0ca\nb\n)Rh", 0, "b")), "."),
      pickle("N", repeated(pickle("q", 0, "0}h", 0, "Ns")), "."),
    ]
    for bomb in bombs { #expect(pickleFailure(bomb) == .limit) }
  }

  @Test func valuesInsideThemselvesAreToldByHowManyLevels() throws {
    #expect(try shownPickle(pickle("}q", 0, "U", 1, "ah", 0, "s.")) == #"{"a":{"$cycle":1}}"#)
    #expect(try shownPickle(pickle("]q", 0, "]h", 0, "aa.")) == #"[[{"$cycle":2}]]"#)
    #expect(try shownPickle(pickle("}q", 0, "h", 0, "Ns.")) == #"{"{\"$cycle\":1}":null}"#)
    #expect(
      try shownPickle(pickle("ca\nb\n)Rq", 0, "h", 0, "b."))
        == #"{"$object":"a.b","args":[],"state":{"$cycle":1}}"#)
  }
}
