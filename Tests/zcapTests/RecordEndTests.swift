import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// How a recording ends: by a signal or by a limit.
  @Suite struct RecordEndTests {
    @Test func whatIsIgnoredFromTheStartEndsNothing() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let command = "trap '' HUP; exec \"$0\" record \"$1\" -o c --json"
      let recorder = try ChildProcess(
        "/bin/sh", ["-c", command, Programs.zcap(), publisher.endpoint].map { Array($0.utf8) },
        environment: ["ZCAP_STORE": rig.store], directory: rig.directory.path)
      try publisher.waitForSubscriptions()
      recorder.send(signal: SIGHUP)
      try publisher.publish("topic", "still there")
      try rig.waitForMessages(1, in: "c")
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
    }

    @Test func closedStandardFilesAreNotWrittenInto() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let command = "exec \"$0\" record \"$1\" -o c --json <&- >&- 2>&-"
      let recorder = try ChildProcess(
        "/bin/sh", ["-c", command, Programs.zcap(), publisher.endpoint].map { Array($0.utf8) },
        environment: ["ZCAP_STORE": rig.store], directory: rig.directory.path)
      try publisher.waitForSubscriptions()
      for file in 0...2 {
        let path = "/proc/\(recorder.pid)/fd/\(file)"
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == "/dev/null")
      }
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
      #expect(try rig.storeRow("c")["state"] == "sealed")
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func aSignalSealsTheCapture(signal: CInt) throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", publisher.endpoint, "-o", "ended", "--json"])
      try publisher.waitForSubscriptions()
      for number in 0..<1000 { try publisher.publish("topic", String(number)) }
      try rig.waitForMessages(1000, in: "ended")
      recorder.send(signal: signal)
      let run = try recorder.wait()

      #expect(run.exitCode == 0, "\(run)")
      let summary = try run.summary
      #expect(summary["reason"] == "stopped" && summary["complete"] == true)
      #expect(summary["messages"] == 1000 && summary["indexed"] == 1000)
      #expect(summary["failure"] == .null && summary["index_failure"] == .null)
      let row = try rig.storeRow("ended")
      #expect(row["state"] == "sealed" && row["messages"] == 1000 && row["lost"] == 0)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalUnderLoadLosesNothingThatWasReceived(signal: CInt) throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("load"))
      let recorder = try rig.start(["record", publisher.endpoint, "-o", "load", "--json"])
      try publisher.waitForSubscriptions()
      let deadline = monotonicSeconds() + 60
      try publisher.publishLoad { number in
        if number == 20_000 { recorder.send(signal: signal) }
        return number % 64 != 0 || recorder.isRunning && monotonicSeconds() < deadline
      }
      let run = try recorder.wait()
      #expect(run.exitCode == 0, "\(run)")
      #expect(try rig.storeRow("load")["state"] == "sealed")
      let arrivals = try rig.replayed("load")
      let count = try #require(try run.summary.integer("messages"))
      #expect(count > 0)
      #expect(arrivals.numberingFault(frame: 1, count: count) == nil)
    }

    /// While there is time to mend it, and in the end.
    @Test func whatWillNeverComeIsTold() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start([
        "record", publisher.endpoint, "tcp://zcap.invalid:5555", "-o", "made", "-t", "load",
        "--sequence", "lode:frame=1:offset=0:u8",
      ])
      try publisher.waitForSubscriptions()
      try publisher.publish("load", "x")
      try waitFor("the host to be looked up") {
        recorder.standardError.contains("host zcap.invalid: ")
      }
      recorder.send(signal: SIGINT)
      let run = try recorder.wait()
      #expect(run.exitCode == 0, "\(run)")
      #expect(
        run.standardError.contains("no message came from tcp://zcap.invalid:5555 of topics that"))
      #expect(run.standardError.contains("no message has the counter lode:"), "\(run)")
    }

    @Test func aRecordingWithoutMessagesIsSealedToo() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", publisher.endpoint, "-o", "silent"])
      try publisher.waitForSubscriptions()
      recorder.send(signal: SIGINT)
      let run = try recorder.wait()
      #expect(run.exitCode == 0)
      #expect(run.standardError.contains("no message came from \(publisher.endpoint)"))
      let row = try rig.storeRow("silent")
      #expect(row["state"] == "sealed" && row["messages"] == 0 && row["start"] == .null)
      #expect(try rig.list("silent").isEmpty)
    }

    /// The end of a capture that somebody deleted: it is told, and not that it is sealed.
    @Test func whatCannotBeSealedIsToldForWhatItIs() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", publisher.endpoint, "-o", "deleted", "--json"])
      try publisher.waitForSubscriptions()
      try publisher.publish("topic", "payload")
      try rig.waitForMessages(1, in: "deleted")
      try FileManager.default.removeItem(atPath: rig.capture("deleted"))
      recorder.send(signal: SIGINT)
      let run = try recorder.wait()
      #expect(run.exitCode == 3, "\(run)")
      let summary = try run.summary
      #expect(summary["reason"] == "stopped" && summary["complete"] == false)
      #expect(summary["failure"] == .null)
      #expect(summary.text("seal_failure")?.contains("No such file") == true)
      #expect(run.standardError.contains("not all of it is known to be on stable storage: "))
      #expect(!run.standardError.contains("ended early"))
      #expect(!run.standardError.contains("is sealed"))
    }

    @Test func countEndsTheRecordingExactly() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(
        ["record", publisher.endpoint, "-o", "counted", "--count", "7", "--json"])
      try publisher.waitForSubscriptions()
      for number in 0..<20 { try publisher.publish("topic", String(number)) }
      let run = try recorder.wait()
      #expect(run.exitCode == 0)
      let summary = try run.summary
      #expect(summary["reason"] == "count" && summary["messages"] == 7)
      #expect(try rig.replayed("counted").texts(frame: 1) == (0..<7).map(String.init))
      #expect(try rig.storeRow("counted")["state"] == "sealed")
    }

    @Test func sizeEndsTheRecordingWithTheMessageThatReachesIt() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(
        ["record", publisher.endpoint, "-o", "sized", "--size", "10KiB", "--json"])
      try publisher.waitForSubscriptions()
      for _ in 0..<20 { try publisher.publish([[UInt8](repeating: 7, count: 1000)]) }
      let run = try recorder.wait()
      #expect(run.exitCode == 0)
      let summary = try run.summary
      #expect(summary["reason"] == "size")
      #expect(summary["messages"] == 11 && summary["bytes"] == 11_000)
    }

    @Test func durationEndsTheRecording() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(
        ["record", publisher.endpoint, "-o", "timed", "--duration", "1.5s", "--json"])
      try publisher.waitForSubscriptions()
      try publisher.publish("topic", "payload")
      let run = try recorder.wait(seconds: 20)
      #expect(run.exitCode == 0)
      let summary = try run.summary
      #expect(summary["reason"] == "duration" && summary["messages"] == 1)
      let elapsed = try #require(summary.number("elapsed_s"))
      // Far more only when the machine is busy; far less never.
      #expect(elapsed >= 1.5 && elapsed < 8)
    }

    @Test func statusLinesAreJSONObjectsOnStandardOutputOnly() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", publisher.endpoint, "-o", "status", "--json"])
      try publisher.waitForSubscriptions()
      try publisher.publish("topic", "payload")
      _ = try recorder.waitForLine { try JSONRow($0)["messages"] == 1 }
      recorder.send(signal: SIGINT)
      let run = try recorder.wait()
      let rows = try JSONRow.rows(run.standardOutput)
      #expect(rows.first?["event"] == "started" && rows.last?["event"] == "summary")
      #expect(rows.first?["endpoints"] == .texts([publisher.endpoint]))
      let statuses = rows.dropFirst().dropLast()
      #expect(statuses.allSatisfy { $0["event"] == "status" })
      #expect(statuses.allSatisfy { $0.integer("free_bytes") ?? 0 > 0 })
      // What it records and what it recorded; no status, since this is no terminal.
      #expect(run.complaints.count == 2, "\(run.standardError)")
      #expect(!run.standardError.contains("\r") && !run.standardError.contains("\u{1B}"))
    }
  }
}
