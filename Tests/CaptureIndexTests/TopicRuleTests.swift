import CaptureStore
import TestSupport
import Testing

@testable import CaptureIndex

@Suite struct TopicRuleTests {
  struct Case: Sendable {
    var rule: TopicRule
    var frames: [[UInt8]]
    var topic: [UInt8]?

    init(_ rule: TopicRule, _ frames: [String], _ topic: String?) {
      self.rule = rule
      self.frames = frames.map { Array($0.utf8) }
      self.topic = topic.map { Array($0.utf8) }
    }
  }

  static let long = String(repeating: "x", count: 3000)
  static let cut = String(repeating: "x", count: 1024)

  static let cases: [Case] = [
    // Several frames: the first one, whatever it holds.
    Case(.auto, ["orders", "{}"], "orders"),
    Case(.auto, ["", "payload"], ""),
    Case(.auto, ["{\"a\": 1}", ""], nil),
    Case(.auto, ["{" + long + "}", ""], nil),
    Case(.auto, ["{}", ""], nil),
    Case(.auto, ["{", ""], "{"),
    Case(.auto, ["{\"a\": 1} ", ""], "{\"a\": 1} "),
    Case(.auto, ["[1]", ""], "[1]"),
    Case(.auto, ["two words", "x"], "two words"),
    Case(.auto, [long, "x"], cut),
    // One frame: a word and a space.
    Case(.auto, ["orders {\"id\": 1}"], "orders"),
    Case(.auto, ["orders"], nil),
    Case(.auto, ["orders "], "orders"),
    Case(.auto, [" event \u{80}\u{4}pickle"], " event"),
    Case(.auto, [" "], nil),
    Case(.auto, ["  x"], " "),
    Case(.auto, [""], nil),
    Case(.auto, ["{\"id\": 1}"], nil),
    Case(.auto, ["[1, 2]"], nil),
    Case(.auto, ["\"a b\""], nil),
    Case(.auto, ["a\tb c"], nil),
    Case(.auto, ["\u{1}a b"], nil),
    Case(.auto, ["a\u{7F} b"], nil),
    Case(.auto, ["temp\u{E9}rature 21"], "temp\u{E9}rature"),
    Case(.auto, [long + " x"], nil),
    Case(.auto, [], nil),
    Case(.frame, ["orders {}"], "orders {}"),
    Case(.frame, [""], ""),
    Case(.frame, [], nil),
    Case(.frame, [long], cut),
    Case(.delimiter([0x2F]), ["a/b/c"], "a"),
    Case(.delimiter([0x2F]), ["/b"], ""),
    Case(.delimiter([0x2F]), ["abc"], nil),
    Case(.delimiter(Array("::".utf8)), ["a:b::c"], "a:b"),
    Case(.delimiter(Array("::".utf8)), ["a:"], nil),
    Case(.delimiter(Array("aab".utf8)), ["aaab"], "a"),
    Case(.delimiter([0x2F]), ["a/b", "c/d"], "a"),
    Case(.delimiter([0x2F]), [""], nil),
    Case(.prefix(4), ["orders"], "orde"),
    Case(.prefix(4), ["or"], "or"),
    Case(.prefix(4), [""], ""),
    Case(.prefix(.max), [long], cut),
    Case(.none, ["orders", "x"], nil),
  ]

  @Test func topicsAreWhatTheRuleSays() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(
      directory.file("c"), Self.cases.map { TestMessage($0.frames) })
    var cursor = CaptureCursor(capture, verifying: .body)
    for expected in Self.cases {
      let record = try #require(CaptureWalk.record(cursor.next()))
      let segment = try #require(cursor.segment)
      let topic = expected.rule.topic(of: record, in: segment).map { range in
        segment.bytes.extracting(range).withUnsafeBytes { Array($0) }
      }
      #expect(topic == expected.topic, "\(expected.rule) of \(expected.frames.map(\.count))")
    }
  }

  @Test func theSecondSpellingOfAutoIsTheFirst() throws {
    var traffic = RandomTraffic(SplitMix64())
    let directory = try TemporaryDirectory()
    let messages =
      traffic.messages(500)
      + (0..<500).map { _ in TestMessage([traffic.random.bytes(traffic.random.int(0...12))]) }
    let capture = try Capture.recorded(directory.file("c"), messages)
    var cursor = CaptureCursor(capture, verifying: .body)
    for message in messages {
      let record = try #require(CaptureWalk.record(cursor.next()))
      let range = TopicRule.auto.topic(of: record, in: cursor.segment!)
      let topic = range.map { cursor.segment!.bytes.extracting($0).withUnsafeBytes { Array($0) } }
      #expect(topic == automaticTopic(message.frames))
    }
  }

  @Test(
    arguments: [
      ("auto", .auto), ("frame", .frame), ("none", .none), ("prefix:12", .prefix(12)),
      ("delimiter:/", .delimiter([0x2F])), ("delimiter:::", .delimiter([0x3A, 0x3A])),
      ("delimiter: ", .delimiter([0x20])), ("delimiter:\r\n", .delimiter([13, 10])),
      ("delimiter:\u{301}x", .delimiter([0xCC, 0x81, 0x78])),
    ] as [(String, TopicRule)]) func spellingsComeBack(text: String, rule: TopicRule)
  {
    #expect(TopicRule(text) == rule)
    #expect(Array(rule.description.utf8) == Array(text.utf8))
  }

  @Test(arguments: [
    "", "Auto", "auto:", "auto ", "delimiter", "delimiter:", "prefix", "prefix:", "prefix:0",
    "prefix:-1", "prefix:x", "prefix:1.5", "prefix:99999999999999999999", "frame:1", "none:",
  ]) func otherSpellingsAreNoRule(text: String) {
    #expect(TopicRule(text) == nil)
  }
}
