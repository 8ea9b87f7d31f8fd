import PayloadCodecs
import Testing

@testable import CaptureIndex

@Suite struct CodecRuleTests {
  @Test func aRuleIsAGlobAFrameAndATag() throws {
    let rule = try CodecRule(bytes: Array("imu/*#1=struct(<I:a=b)".utf8))
    #expect(rule.glob == Array("imu/*".utf8) && rule.frame == 1)
    #expect(rule.tag.rawValue == "struct(<I:a=b)")
    #expect(rule.matches(topic: Array("imu/left/1".utf8)))
    #expect(!rule.matches(topic: Array("im".utf8)) && !rule.matches(topic: nil))
    let odd = try CodecRule(bytes: Array("a#b=c#1#2=raw".utf8))
    #expect(odd.glob == Array("a#b=c#1".utf8) && odd.frame == 2)
    #expect(try CodecRule(bytes: Array("*#0=raw".utf8)).matches(topic: nil))
  }

  @Test(arguments: [
    "", "imu", "imu#1", "imu#=raw", "imu#x=raw", "imu#1=", "imu#-1=raw", "i#1=a|b",
    "i#99999999999999999999=raw", "i#70000=raw", "i#1=a\nb",
  ])
  func whatIsNoneIsRefused(text: String) {
    #expect(throws: CodecRule.Mistake.self) { try CodecRule(bytes: Array(text.utf8)) }
  }

  @Test(arguments: [Array("a/*".utf8), [0xFF, 0x5C, 0x0A], Array("naïve\\x41".utf8)])
  func itsDescriptionIsTheSameRule(glob: [UInt8]) throws {
    let rule = try CodecRule(bytes: glob + Array("#3=struct(<4s:née)".utf8))
    #expect(CodecRule(rule.description) == rule)
    #expect([CodecRule](storedText: [rule, rule].storedText) == [rule, rule])
    #expect(!rule.description.contains("\n"))
  }

  @Test func theFirstThatFitsCounts() throws {
    let rules = try ["a*#2=json", "*#2=raw", "ab#0=text"].map {
      try CodecRule(bytes: Array($0.utf8))
    }
    #expect(rules.tags(ofTopic: Array("ab".utf8)) == [.text, nil, .json])
    #expect(rules.tags(ofTopic: Array("b".utf8)) == [nil, nil, .raw])
    #expect(rules.tags(ofTopic: nil) == [nil, nil, .raw])
  }
}
