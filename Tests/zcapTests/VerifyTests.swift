import Foundation
import TestSupport
import Testing

@testable import CaptureStore

extension ZcapTests {
  @Suite struct VerifyTests {
    private static let fields = [
      "capture", "path", "state", "segments", "messages", "bytes", "damaged_bytes", "torn_bytes",
      "corrupt_bytes", "lost", "problems", "problems_omitted", "index", "index_differences",
      "seconds", "bytes_per_s",
    ]

    /// The object of a line; `problems` is a list of objects, which `JSONRow` does not know.
    private static func object(_ line: String) throws -> [String: Any] {
      let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
      return try #require(value as? [String: Any])
    }

    @Test func allGoldenCapturesAreWhole() throws {
      let rig = try Rig()
      let child = try rig.start(
        ["verify", "--json"], environment: ["ZCAP_STORE": GoldenCaptureTests.folder])
      let run = try child.wait()
      #expect(run.exitCode == 0, "\(run)")
      let rows = try run.standardOutput.split(separator: "\n").map { try Self.object(String($0)) }
      #expect(
        Set(GoldenCaptureTests.names).isSubset(of: rows.compactMap { $0["capture"] as? String }))
      for row in rows {
        #expect(Set(row.keys) == Set(Self.fields))
        #expect(row["state"] as? String == "sealed" && row["lost"] as? Int == 0)
        #expect((row["problems"] as? [Any])?.isEmpty == true && row["bytes"] as? Int ?? 0 > 4096)
      }
    }

    /// Segments are left behind before they are sealed; and all topics share one counter.
    @Test func theIndexOfARecordingIsTheOneThatReindexMakes() throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("p"))
      let options = ["--segment-size", "64KiB", "--sequence", ":frame=1:offset=0:u8:shared"]
      try rig.record([publisher], to: "c", options) {
        for number in 0..<3_000 {
          let topic = Array("topic \(number % 3)".utf8)
          try publisher.publish([topic, [UInt8](repeating: UInt8(number % 256), count: 500)])
        }
        return 3_000
      }
      let run = try rig.run("verify", "c")
      #expect(run.exitCode == 0, "\(run)")
      #expect(try rig.storeRow("c")["lost"] == 0)
    }

    @Test func aWholeCaptureIsOneLineAndExitCode0() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("c"))
      let without = try rig.run("verify")
      #expect(without.exitCode == 0 && without.standardError.isEmpty, "\(without)")
      #expect(
        without.standardOutput.contains("c: whole, 100 messages in 1 segment, index missing"))
      #expect(try rig.run("reindex", "c").exitCode == 0)
      let before = try rig.listing(of: rig.capture("c"))
      let with = try rig.run("verify", "c")
      #expect(with.exitCode == 0 && with.standardOutput.contains("index ok"), "\(with)")
      #expect(with.standardOutput.split(separator: "\n").count == 1)
      #expect(try rig.listing(of: rig.capture("c")) == before, "checking changes nothing")
    }

    @Test func aFlippedByteIsToldWithItsPlaceAndWhatToDo() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("c"))
      try rig.flipByte(in: "c", message: 42)
      let run = try rig.run("verify", "c")
      #expect(run.exitCode == 3)
      #expect(run.standardOutput.contains("1 problem, 99 messages"), "\(run)")
      #expect(run.complaints.count == 1)
      for part in ["000000000000.zseg: offset ", "sequence 42", "body check", "from a copy"] {
        #expect(run.standardError.contains(part), "\(run)")
      }
      let json = try rig.run("verify", "c", "--json")
      #expect(json.exitCode == 3 && json.standardError.isEmpty)
      let row = try Self.object(json.standardOutput)
      #expect(row["lost"] as? Int == 1 && row["messages"] as? Int == 99)
      let problem = try #require((row["problems"] as? [[String: Any]])?.first)
      #expect(problem["segment"] as? Int == 0 && problem["first_sequence"] as? Int == 42)
      #expect(problem["kind"] as? String == "corrupt")
      #expect(problem["bytes"] as? Int == row["corrupt_bytes"] as? Int)
    }

    @Test func anIndexThatSaysSomethingElseIsTold() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("a"))
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("b"))
      #expect(try rig.run("reindex", "a", "b").exitCode == 0)
      let manager = FileManager.default
      try manager.removeItem(atPath: "\(rig.capture("b"))/index.sqlite")
      try manager.copyItem(
        atPath: "\(rig.capture("a"))/index.sqlite", toPath: "\(rig.capture("b"))/index.sqlite")
      let run = try rig.run("verify")
      #expect(run.exitCode == 3 && run.standardOutput.split(separator: "\n").count == 2)
      #expect(run.standardError.contains("another capture"), "\(run)")
      #expect(run.standardError.contains("zcap reindex"))
    }

    @Test func aCutSegmentIsUncleanAndRecoverIsNamed() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("c"))
      let path = CapturePath.segment(rig.capture("c"), 0)
      let size = try #require(try FileSystem.system.metadata(path)).size
      truncate(path, off_t(size - 60))
      let run = try rig.run("verify", "c", "--json")
      #expect(run.exitCode == 3)
      let row = try Self.object(run.standardOutput)
      #expect(row["state"] as? String == "unclean" && row["torn_bytes"] as? Int ?? 0 > 0)
      #expect(row["corrupt_bytes"] as? Int == 0)
      #expect(try rig.run("verify", "c").standardError.contains("zcap recover"))
    }

    @Test func whatCannotBeCheckedIsExitCode1AndTheRestIsChecked() throws {
      let rig = try Rig()
      try MadeCapture.evenly(10, nanoseconds: 1_000_000).write(rig.capture("good"))
      try MadeCapture.evenly(10, nanoseconds: 1_000_000).write(rig.capture("newer"))
      try rig.makeSegmentNewer(in: "newer")
      for bad in ["newer", "absent"] {
        let run = try rig.run("verify", bad, "good")
        #expect(run.exitCode == 1 && run.standardOutput.contains("good: whole"), "\(run)")
        #expect(run.complaints.count == 1)
      }
    }

    @Test func aCaptureThatIsBeingRecordedIsCheckedUpToNow() throws {
      let rig = try Rig()
      let writer = try CaptureWriter(
        creating: rig.capture("live"), manifest: .test(), segmentSize: 1 << 20)
      for number in 0..<50 { try writer.append(TestMessage("\(number)")) }
      let run = try rig.run("verify", "live", "--json")
      #expect(run.exitCode == 0, "\(run)")
      let row = try Self.object(run.standardOutput)
      #expect(row["state"] as? String == "recording" && row["messages"] as? Int == 50)
      #expect(try rig.run("verify", "live").standardOutput.contains("being recorded"))
      try writer.finish()
    }
  }
}
