import CaptureStore
import Foundation
import TestSupport
import Testing

extension ZcapTests {
  @Suite struct CatTests {
    private func made(_ rig: Rig) throws {
      var capture = MadeCapture()
      capture.add(at: 0, "state", #"{"a": [1, 2]}"#)
      capture.add(at: 1_000_000_000, "words", "some text", "")
      capture.entries.append(
        .init(
          nanoseconds: 2_000_000_000,
          frames: [Array("packed".utf8), [0x81, 0xA1, 0x61, 0xC4, 1, 0xFF]]))
      capture.entries.append(
        .init(nanoseconds: 3_000_000_000, frames: [Array("bytes".utf8), [0, 1, 0xFE, 0x1B]]))
      try capture.write(rig.capture("made"))
    }

    @Test func aMessageIsAnObjectWithItsFramesDecoded() throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.run("cat", "made", "--json")
      #expect(run.exitCode == 0 && run.standardError.isEmpty, "\(run)")
      let frames = run.standardOutput.split(separator: "\n").map { line in
        line.components(separatedBy: "\"frames\":").last ?? ""
      }
      #expect(
        frames == [
          #"[{"codec":"text","value":"state"},{"codec":"json","value":{"a":[1,2]}}]}"#,
          #"[{"codec":"text","value":"words"},{"codec":"text","value":"some text"},"#
            + #"{"codec":"empty","value":null}]}"#,
          #"[{"codec":"text","value":"packed"},"#
            + #"{"codec":"msgpack","guess":true,"value":{"a":{"$bytes":"/w=="}}}]}"#,
          #"[{"codec":"text","value":"bytes"},{"codec":"raw","value":{"$bytes":"AAH+Gw=="}}]}"#,
        ])
      let names = try #require(
        JSONSerialization.jsonObject(
          with: Data(run.standardOutput.split(separator: "\n")[0].utf8)) as? [String: Any])
      #expect(
        Set(names.keys) == ["sequence", "time", "time_ns", "endpoint", "topic", "frames"])
    }

    @Test func forPeopleAFrameIsALine() throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.run("cat", "made")
      let lines = run.standardOutput.split(separator: "\n").map(String.init)
      #expect(run.exitCode == 0 && lines.count == 13, "\(run)")
      #expect(lines[2] == #"  1  json      {"a":[1,2]}"#)
      #expect(lines[12] == "  1  raw       00 01 fe 1b")
      #expect(!run.standardOutput.contains("\u{1B}"))
    }

    @Test func bytesAreWrittenAsTheyAre() throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.run("cat", "made", "--raw", "--frame", "1", "-t", "state", "-t", "words")
      #expect(run.exitCode == 0 && run.standardOutput == #"{"a": [1, 2]}some text"#, "\(run)")
      let hex = try rig.run("cat", "made", "--hex", "--frame", "1", "-t", "bytes")
      let dump = hex.standardOutput.split(separator: "\n").last.map(String.init)
      let spaces = String(repeating: " ", count: 39)
      #expect(dump == "    00000000  00 01 fe 1b\(spaces)|....|", "\(hex)")
    }

    @Test func aRuleSaysWhatFramesAre() throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.run(
        "cat", "made", "--json", "--as", "wor*#1=json", "--as", "*#0=raw", "-t", "words")
      #expect(run.exitCode == 3 && run.complaints.count == 1, "\(run)")
      #expect(
        run.standardOutput.contains(
          #"{"codec":"json","error":"this is no JSON, at byte 0","value":null}"#), "\(run)")
      #expect(run.standardOutput.contains(#"{"codec":"raw","value":{"$bytes":"d29yZHM="}}"#))
    }

    @Test func whatIsCutOffIsToldAsByTheListing() throws {
      let rig = try Rig()
      try MadeCapture.evenly(200, nanoseconds: 1_000).write(rig.capture("made"))
      let path = CapturePath.segment(rig.capture("made"), 0)
      let size = try #require(
        FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
      #expect(truncate(path, off_t(4096 + (size - 4096) / 2)) == 0)
      let listing = try rig.run("ls", "made", "--messages", "--json")
      let run = try rig.run("cat", "made", "--json")
      let lines = run.standardOutput.split(separator: "\n").count
      #expect((1..<200).contains(lines))
      #expect(lines == listing.standardOutput.split(separator: "\n").count)
      #expect(run.exitCode == 3 && run.standardError == listing.standardError, "\(run)")
    }

    @Test func whatIsSelectedIsWhatIsShown() throws {
      let rig = try Rig()
      try made(rig)
      let counts = try [
        ("--limit", "2"), ("--from", "+2s"), ("--until", "+1s"), ("--codec", "msgpack"),
        ("--endpoint", "tcp://127.0.0.1:7001"),
      ].map { option, value in
        let run = try rig.run("cat", "made", "--json", option, value)
        return run.standardOutput.split(separator: "\n").count
      }
      #expect(counts == [2, 2, 1, 1, 4])
    }
  }
}
