import CaptureStore
import TestSupport
import Testing

@testable import CaptureIndex

@Suite struct SequenceRuleTests {
  @Test(arguments: [
    ("frames/:frame=1:offset=0:u32le", "frames/", 1, 0, 4, false),
    (":frame=0:offset=8:u8", "", 0, 8, 1, false),
    ("a:b:c:frame=-1:offset=2:u64be", "a:b:c", -1, 2, 8, true),
    ("tab\\x09\\\\:frame=2:offset=4294967296:u16be", "tab\t\\", 2, 1 << 32, 2, true),
    (" größer:frame=0:offset=0:u16le", " größer", 0, 0, 2, false),
  ]) func aRuleIsReadAsItIsWritten(
    text: String, prefix: String, frame: Int, offset: Int, width: Int, isBigEndian: Bool
  ) throws {
    let rule = try #require(SequenceRule(text))
    #expect(rule.prefix == Array(prefix.utf8))
    #expect(rule.frame == frame && rule.offset == offset)
    #expect(rule.width == width && rule.isBigEndian == isBigEndian)
    #expect(rule.description == text)
  }

  @Test func aPrefixMayBeAnyBytes() throws {
    let bytes: [UInt8] = [0x00, 0xFF, 0x3A, 0x0A, 0x5C]
    let text = ":frame=0:offset=0:u8"
    let escaped = bytes.flatMap { $0 == 0x5C ? [0x5C, 0x5C] : [$0] }
    let rule = try SequenceRule(bytes: escaped + Array(text.utf8))
    #expect(rule.prefix == bytes)
    #expect(rule.description == "\\x00\\xff:\\x0a\\\\" + text)
    #expect(SequenceRule(rule.description) == rule)
  }

  @Test(arguments: [
    "", "u8", "frame=1:offset=0:u32le", "p:frame=1:offset=0:u32", "p:frame=1:offset=0:i32le",
    "p:offset=0:frame=1:u8", "p:frame=x:offset=0:u8", "p:frame=1:offset=-1:u8",
    "p:frame=1:offset=:u8", "p:frame=99999999:offset=0:u8", "p\\:frame=1:offset=0:u8",
    "p\\xg0:frame=1:offset=0:u8", "p\\x0:frame=1:offset=0:u8", "p:frame=1:offset=0:u8:",
    "p:frame=1:offset=99999999999999999999:u8",
  ]) func whatIsNoRuleIsRefused(text: String) { #expect(SequenceRule(text) == nil) }

  @Test func theNumberIsReadFromWhereTheRuleSays() throws {
    let directory = try TemporaryDirectory()
    let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 0xF9]
    let capture = try Capture.recorded(
      directory.file("c"), [TestMessage([Array("t".utf8), bytes, [0xAA]])])
    var cursor = CaptureCursor(capture, verifying: .body)
    let record = try #require(CaptureWalk.record(cursor.next()))
    let segment = try #require(cursor.segment)
    func value(_ text: String) throws -> UInt64? {
      try #require(SequenceRule(text)).value(of: record, in: segment)
    }
    #expect(try value(":frame=1:offset=0:u8") == 1)
    #expect(try value(":frame=1:offset=7:u16le") == 0xF908)
    #expect(try value(":frame=1:offset=7:u16be") == 0x08F9)
    #expect(try value(":frame=1:offset=5:u32le") == 0xF908_0706)
    #expect(try value(":frame=-2:offset=5:u32be") == 0x0607_08F9)
    #expect(try value(":frame=1:offset=1:u64le") == 0xF908_0706_0504_0302)
    #expect(try value(":frame=1:offset=1:u64be") == 0x0203_0405_0607_08F9)
    #expect(try value(":frame=-1:offset=0:u8") == 0xAA)
    for outside in [
      ":frame=1:offset=2:u64be", ":frame=1:offset=8:u16le", ":frame=1:offset=9:u8",
      ":frame=1:offset=4294967296:u8", ":frame=3:offset=0:u8", ":frame=-4:offset=0:u8",
      ":frame=2:offset=0:u16be",
    ] {
      #expect(try value(outside) == nil, "\(outside)")
    }
  }
}
