import CaptureStore
import PayloadCodecs
import TestSupport
import Testing

@testable import CaptureIndex

@Suite struct FrameTagsTests {
  private static let json = "{\"value\": 1}"
  private static let text = "a line of plain text"

  /// The tags that the index gives to each of some messages.
  private func tags(_ messages: [TestMessage]) throws -> [String] {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("c"), messages, segmentSize: 1 << 20)
    return try IndexContent(IndexReader(capture)).tags
  }

  @Test func everyFrameHasItsOwnTag() throws {
    let messages = [
      TestMessage("topic", Self.json), TestMessage("t2", Self.text, "", Self.json),
      TestMessage([Array("t3".utf8), [0, 1, 2, 0xFF]]), TestMessage([]), TestMessage(""),
    ]
    #expect(try tags(messages) == ["text|json", "text|text|empty|json", "text|raw", "", "empty"])
  }

  @Test func whatATopicMeansBeginsAnewWhereASampleContradicts() throws {
    let messages =
      Array(repeating: TestMessage("t", Self.json), count: 4)
      + Array(repeating: TestMessage("t", Self.text), count: 3)
    // The fifth message is still a sample; from it on the frames are text.
    #expect(
      try tags(messages)
        == Array(repeating: "text|json", count: 4) + Array(repeating: "text|text", count: 3))
  }

  @Test func betweenSamplesTheLastEraHolds() throws {
    let messages =
      Array(repeating: TestMessage("t", Self.json), count: 64 + 1)
      + Array(repeating: TestMessage("t", Self.text), count: 64)
    let tags = try tags(messages)
    // Samples are 0...7, 64, 128: the change at 65 is seen at 128.
    #expect(Array(tags[..<128]) == Array(repeating: "text|json", count: 128))
    #expect(tags[128] == "text|text")
  }

  /// Cameras of several sizes send under one topic: every message has its own tag, sample or not.
  @Test func arraysOfAnotherSizeAreLookedAt() throws {
    var messages: [TestMessage] = []
    var expected: [String] = []
    for number in 0..<200 {
      let size = number < 20 ? 4 : [2, 3, 5][number % 3]
      let header = Array(#"{"dtype":"uint8","shape":[\#(size),2]}"#.utf8)
      let isPicture = number % 7 == 3
      let body: [UInt8] =
        isPicture
        ? [0xFF, 0xD8, 0xFF, 0xE0, UInt8(number), 1, 2, 0xFF, 0xD9]
        : [UInt8](repeating: 1, count: size * 2)
      if number % 5 == 4 {
        // The header alone, or with nothing behind it.
        let isShort = number % 2 == 0
        messages.append(TestMessage([Array("t".utf8), header] + (isShort ? [] : [[]])))
        expected.append(isShort ? "text|json" : "text|json|empty")
        continue
      }
      messages.append(TestMessage([Array("t".utf8), header, body]))
      expected.append("text|json|" + (isPicture ? "image/jpeg" : "ndarray(uint8,\(size)x2)"))
    }
    #expect(try tags(messages) == expected)
  }

  /// Only what is held decides which messages are looked at: a walk may begin anywhere.
  @Test func whatIsHeldSaysWhatIsLookedAt() {
    let checks = { FrameTags(storedText: $0).checks(ruled: $1) }
    #expect(checks("text|json|ndarray(uint8,4x2)", []).map(\.kind) == [.byteCount(8)])
    #expect(checks("text|msgpack|image/png", []).map(\.position) == [2])
    #expect(checks("text|json|image/jpeg", []).map(\.kind) == [.mark([0xFF, 0xD8, 0xFF])])
    for text in ["text|image/png", "image/png", "text|json|text", "json|ndarray(uint8)", "-"] {
      #expect(checks(text, []).isEmpty, "\(text)")
    }
    #expect(checks("json|ndarray(uint8,4x2)", [nil, .raw]).isEmpty, "a rule has the last word")
  }

  /// Arrays of any length: their sizes are told until there would be a line for nearly each message.
  @Test func afterManySizesArraysAreOfAnySize() throws {
    let messages = (1...400).map { size in
      let header = Array(#"{"dtype":"<f4","shape":[\#(size)]}"#.utf8)
      return TestMessage([Array("t".utf8), header, [UInt8](repeating: 7, count: size * 4)])
    }
    let tags = try tags(messages)
    let shaped = FrameTags.shapedErasMax
    #expect(tags[..<shaped].last == "text|json|ndarray(float32,\(shaped))")
    #expect(Set(tags[shaped...]) == ["text|json|ndarray(float32)"])
  }

  @Test func anEmptyFrameDoesNotChangeWhatItsPlaceMeans() throws {
    let messages = [
      TestMessage("t", Self.json), TestMessage("t", ""), TestMessage("t", Self.json),
      TestMessage("t"), TestMessage("t", "", Self.text), TestMessage("t", Self.json, ""),
    ]
    #expect(
      try tags(messages) == [
        "text|json", "text|empty", "text|json", "text", "text|empty|text", "text|json|empty",
      ])
  }

  @Test func framesBehindTheSixteenthAreNotNamed() throws {
    let frames = Array(repeating: Array("some text here".utf8), count: 16)
    let expected = Array(repeating: "text", count: 16).joined(separator: "|")
    #expect(
      try tags([TestMessage(frames), TestMessage(frames + [[1]]), TestMessage(frames + frames)])
        == [expected, expected + "|...", expected + "|..."])
  }

  @Test func aNewShapeIsLookedAtAtOnce() throws {
    let messages =
      Array(repeating: TestMessage("t", Self.json), count: 20)
      + [TestMessage("t", Self.json, Self.text)]
    #expect(try tags(messages).last == "text|json|text")
  }

  @Test func storedTextComesBack() {
    for text in [
      "", "-", "json", "text|json", "-|-|raw", "text|-", "a newer tag/of later|x",
      "text~|protobuf?|raw|json", "?|~", "-|capnp?",
    ] {
      #expect(FrameTags(storedText: text).storedText == text)
    }
  }

  /// A guess that a later sample makes sure is none any more; messages before it are of the same row.
  @Test func howSureATagIsStaysWithIt() throws {
    let guess: [UInt8] = [0x08, 0x96, 0x01, 0x12, 0x07] + Array("testing".utf8)
    let doubtful = [Array("a topic".utf8), guess]
    let small = [Array("another".utf8), [0x81, 0x01, 0x02]]
    let large = [
      Array("another".utf8), [0x82, 0xA4] + Array("name".utf8) + [0xA1, 0x78, 0xA1, 0x79, 0x01],
    ]
    let directory = try TemporaryDirectory()
    let rows = { (name: String, messages: [[[UInt8]]]) in
      let capture = try Capture.recorded(directory.file(name), messages.map { TestMessage($0) })
      return try IndexReader(capture).topicRows()
    }
    let first = try rows("a", [doubtful, small, small])
    #expect(first.map(\.codec) == ["text|protobuf", "text|msgpack"])
    #expect(first.map(\.guesses) == [[1], [1]])
    let second = try rows("b", [doubtful, small, large])
    #expect(second.map(\.codec) == first.map(\.codec))
    #expect(second.map(\.guesses) == [[1], []])
    #expect(second.map(\.messages) == [1, 2])
  }

  @Test func aTopicThatAlwaysChangesIsLeftAlone() throws {
    let messages = (0..<3).flatMap { round in
      Array(repeating: TestMessage("t", round % 2 == 0 ? Self.json : Self.text), count: 64)
    }
    let tags = try tags(messages)
    #expect(Set(tags) == ["text|json", "text|text"])
    #expect(FrameTags.erasMax * Int(FrameTags.sampleStride) < 100_000)
  }
}
