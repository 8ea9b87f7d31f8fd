import CaptureStore
import Foundation
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// What is made for triggers beside a ring, and how it stays out of the recorder's way.
  @Suite struct TriggerTests {
    /// It says why, and leaves the capture sealed.
    @Test func aRecordingThatCannotTakeRequestsDoesNotBegin() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start(["record", publisher.endpoint, "-o", "ring", "--keep", "1h"])
      try publisher.waitForSubscriptions()
      try publisher.publish("topic", "payload")
      try rig.waitForMessages(1, in: "ring")
      record.send(signal: SIGINT)
      #expect(try record.wait().exitCode == 0)

      // What is too deep is not removed by its path.
      let folder = "\(rig.capture("ring"))/triggers"
      func shell(_ script: String) throws -> ProcessRun {
        let arguments = ["-c", script, "sh", folder].map { Array($0.utf8) }
        return try ChildProcess("/bin/sh", arguments, directory: rig.directory.path).wait()
      }
      let name = String(repeating: "x", count: 200)
      let deep = "mkdir -p $1 && cd $1 && for i in $(seq 25); do mkdir $n && cd -P $n; done"
      defer { _ = try? shell("rm -rf $1") }
      #expect(try shell("n=\(name); \(deep)").exitCode == 0)

      let run = try rig.run("record", publisher.endpoint, "-o", "ring", "--append")
      #expect(run.exitCode == 1)
      let complaint = try #require(run.complaints.last)
      #expect(complaint.contains("ring/triggers: ") && complaint.contains("File exists"))
      let row = try rig.storeRow("ring")
      #expect(row["state"] == "sealed" && row["messages"] == 1 && row["lost"] == 0, "\(row)")
      #expect(try rig.run("verify", "ring").exitCode == 0)
    }
  }
}
