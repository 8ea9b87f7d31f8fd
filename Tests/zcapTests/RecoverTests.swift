import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// `zcap recover`, and recording on into a capture that is there.
  @Suite struct RecoverTests {
    /// Records numbered messages from `first` on until `count` more are in the capture.
    private func record(
      _ rig: Rig, _ publisher: Publisher, first: Int, count: Int, ending signal: CInt,
      _ options: [String] = []
    ) throws -> ProcessRun {
      let recorder = try rig.start(
        ["record", publisher.endpoint, "-o", "c", "--json", "--append"] + options)
      try publisher.waitForSubscriptions()
      for number in first..<first + count { try publisher.publish("n", String(number)) }
      try rig.waitForMessages(first + count, in: "c")
      recorder.send(signal: signal)
      return try recorder.wait()
    }

    @Test func aKilledRecordingIsMadeWholeAndGoneOnWith() throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("p"))
      _ = try record(rig, publisher, first: 0, count: 300, ending: SIGKILL)
      #expect(try rig.storeRow("c")["state"] == "unclean")

      let recovered = try rig.run("recover", "c", "--json")
      #expect(recovered.exitCode == 0, "\(recovered)")
      let row = try #require(try JSONRow.rows(recovered.standardOutput).first)
      #expect(row["messages"] == 300 && row["lost"] == 0 && row["recovered"] == true)
      #expect(try rig.storeRow("c")["state"] == "sealed")
      let doubt = try rig.run("ls", "c", "--require-complete")
      #expect(doubt.exitCode == 3 && doubt.standardError.contains("1 recovered"), "\(doubt)")
      let verified = try rig.run("verify", "c")
      #expect(verified.exitCode == 0 && verified.standardOutput.contains("whole"), "\(verified)")
      let before = try rig.listing(of: rig.store)
      #expect(try rig.run("recover", "c").exitCode == 0)
      #expect(try rig.listing(of: rig.store) == before, "twice is once")

      let summary = try record(rig, publisher, first: 300, count: 200, ending: SIGINT).summary
      #expect(summary["messages"] == 200 && summary["indexed"] == 200)
      #expect(try rig.storeRow("c")["messages"] == 500)
      let arrivals = try rig.replayed("c")
      #expect(arrivals.numberingFault(frame: 1, count: 500) == nil)
      let listing = try rig.run("ls", "c", "--json").standardOutput
      #expect(try rig.run("reindex", "c").exitCode == 0)
      #expect(try rig.run("ls", "c", "--json").standardOutput == listing)
    }

    @Test func goingOnRecoversByItself() throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("p"))
      for round in 0..<4 {
        let ending = round == 3 ? SIGINT : SIGKILL
        _ = try record(
          rig, publisher, first: round * 150, count: 150, ending: ending,
          ["--segment-size", "64KiB"])
      }
      let row = try rig.storeRow("c")
      #expect(row["messages"] == 600 && row["lost"] == 0 && row["state"] == "sealed")
      let verified = try rig.run("verify", "c")
      #expect(verified.exitCode == 0 && verified.standardOutput.contains("index ok"), "\(verified)")
      #expect(try rig.replayed("c").numberingFault(frame: 1, count: 600) == nil)
    }

    @Test func labelsAreAddedToACaptureThatIsGoneOnWith() throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("p"))
      _ = try record(
        rig, publisher, first: 0, count: 1, ending: SIGINT, ["--label", "a=1", "--label", "b=1"])
      _ = try record(
        rig, publisher, first: 1, count: 1, ending: SIGINT, ["--label", "b=2", "--label", "c=3"])
      let manifest = try Data(contentsOf: URL(filePath: "\(rig.capture("c"))/capture.json"))
      struct Labels: Decodable { var labels: [String: String] }
      let labels = try JSONDecoder().decode(Labels.self, from: manifest).labels
      #expect(labels == ["a": "1", "b": "2", "c": "3"])
    }

    @Test func aLimitOnTheSizeOfFilesIsAnErrorAndNotASignal() throws {
      let rig = try Rig()
      let command = "ulimit -f 32; exec \"$0\" record ipc://x -o c --segment-size 64KiB"
      let run = try ChildProcess(
        "/bin/bash", ["-c", command, Programs.zcap()].map { Array($0.utf8) },
        environment: ["ZCAP_STORE": rig.store], directory: rig.directory.path
      ).wait()
      #expect(run.exitCode == 1 && run.complaints.count == 1, "\(run)")
      #expect(!FileManager.default.fileExists(atPath: rig.capture("c")))
    }

    @Test func mistakesAreOneClearLine() throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("p"))
      func complaint(_ arguments: String...) throws -> (CInt?, String) {
        let run = try rig.start(arguments).wait()
        #expect(run.complaints.count == 1, "\(run)")
        return (run.exitCode, run.standardError)
      }
      #expect(try complaint("recover", "nothing").0 == 1)
      #expect(try complaint("record", publisher.endpoint, "--append").0 == 64)
      #expect(try complaint("record", publisher.endpoint, "--sync", "soon").0 == 64)
      #expect(try complaint("record", publisher.endpoint, "--min-free", "110%").0 == 64)
      let full = try complaint("record", publisher.endpoint, "-o", "c", "--min-free", "99.999%")
      #expect(full.0 == 1 && full.1.contains("--min-free"))
      #expect(!FileManager.default.fileExists(atPath: rig.capture("c")))

      let recorder = try rig.start(["record", publisher.endpoint, "-o", "c"])
      try publisher.waitForSubscriptions()
      let busy = try complaint("recover", "c")
      #expect(busy.0 == 1 && busy.1.contains("another zcap is recording"))
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
    }
  }
}
