import CaptureStore
import Foundation
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// What is made for triggers beside a ring, and how it stays out of the recorder's way.
  @Suite struct TriggerTests {
    /// The CPUs that the threads of a process may run on, such as `0-3`: of those with this name,
    /// which the threads that they start have, too; nil for the first one.
    private static func processors(ofThreads name: String?, of pid: Int32) throws -> Set<String> {
      let folder = "/proc/\(pid)/task"
      func text(_ file: String) -> String {
        (try? String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)) ?? ""
      }
      let threads = try FileManager.default.contentsOfDirectory(atPath: folder).filter { thread in
        name.map { text("\(thread)/comm") == "\($0)\n" } ?? (thread == String(pid))
      }
      return Set(
        threads.compactMap { thread in
          let lines = text("\(thread)/status").split(separator: "\n")
          return lines.first { $0.hasPrefix("Cpus_allowed_list:") }?
            .split(whereSeparator: \.isWhitespace).last.map(String.init)
        })
    }

    /// Stopped in good order or not: an hour was asked for, and is not there.
    @Test func aWindowThatTheRecordingDidNotLastForIsNotComplete() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start(["record", publisher.endpoint, "-o", "ring", "--keep", "1h"])
      try publisher.waitForSubscriptions()
      for _ in 0..<20 { try publisher.publish("load", "x") }
      let trigger = try rig.start(["trigger", "ring", "--after", "1h", "--wait"])
      let path = try trigger.waitForLine()
      record.send(signal: SIGINT)
      let ended = try record.wait()
      #expect(
        ended.exitCode == 0 && ended.standardError.contains("ended before the rest"), "\(ended)")
      let waited = try trigger.wait()
      #expect(waited.exitCode == 3 && waited.complaints.count == 1, "\(waited)")
      #expect(try rig.run("ls", path, "--require-complete").exitCode == 3)
      #expect(try rig.run("verify", path).exitCode == 0)
    }

    private static func wait(for record: ChildProcess, messages: Int) throws {
      _ = try record.waitForLine { try JSONRow($0).integer("messages") == messages }
    }

    /// Killed in the time behind the trigger, when a flight recorder matters most.
    @Test func aWindowOfAKilledRecorderHasAllThatWasRecorded() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start([
        "record", publisher.endpoint, "-o", "ring", "--keep", "1h", "--json",
      ])
      try publisher.waitForSubscriptions()
      for number in 0..<100 { try publisher.publish("load", String(number)) }
      try Self.wait(for: record, messages: 100)
      let path = String(
        try rig.run("trigger", "ring", "--after", "1h").standardOutput.split(separator: "\n")[0])
      for number in 100..<150 { try publisher.publish("load", String(number)) }
      try Self.wait(for: record, messages: 150)
      record.send(signal: SIGKILL)
      _ = try record.wait()
      #expect(try rig.run("verify", path).exitCode == 3)
      #expect(try rig.run("recover", path).exitCode == 0)
      #expect(try rig.replayed(path).numberingFault(frame: 1, count: 150) == nil)
      #expect(try rig.run("verify", path).exitCode == 0)
      let whole = try rig.run("ls", path, "--require-complete")
      #expect(whole.exitCode == 3 && whole.standardError.contains("ended before all"), "\(whole)")
    }

    /// From another folder than the recorder's, and named in another way.
    @Test func aTriggerWorksFromAnyFolder() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start([
        "record", publisher.endpoint, "-o", "./ring", "--keep", "1h", "--json",
      ])
      try publisher.waitForSubscriptions()
      try publisher.publish("load", "x")
      try Self.wait(for: record, messages: 1)
      let elsewhere = try TemporaryDirectory()
      for ring in ["\(rig.directory.path)/ring", "\(rig.directory.path)/ring/"] {
        let arguments = ["trigger", ring, "--after", "0s", "--wait"]
        let trigger = try ChildProcess(
          Programs.zcap(), arguments.map { Array($0.utf8) }, environment: [:],
          directory: elsewhere.path
        ).wait()
        #expect(trigger.exitCode == 0, "\(trigger)")
        #expect(trigger.standardOutput.hasPrefix("\(rig.directory.path)/ring.2"), "\(trigger)")
      }
      record.send(signal: SIGINT)
      #expect(try record.wait().exitCode == 0)
    }

    /// What a ring that is gone on with kept so far counts for its windows, too.
    @Test func aRingThatIsGoneOnWithHasNoLongerWindowsThanItKeeps() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let ring = ["record", publisher.endpoint, "-o", "ring"]
      #expect(try rig.start(ring + ["--keep", "3s", "--duration", "50ms"]).wait().exitCode == 0)
      let second = try Publisher()
      let goOn = ["record", second.endpoint, "-o", "ring", "--append", "--json"]
      let refused = try rig.start(goOn + ["--before", "10m"]).wait()
      #expect(refused.exitCode == 64 && refused.standardError.contains("keeps 3s"), "\(refused)")
      let record = try rig.start(goOn)
      try second.waitForSubscriptions()
      try second.publish("load", "x")
      try Self.wait(for: record, messages: 1)
      let trigger = try rig.run("trigger", "ring", "--after", "0s", "--wait")
      #expect(trigger.exitCode == 0, "\(trigger)")
      record.send(signal: SIGINT)
      #expect(try record.wait().exitCode == 0)
    }

    /// A ring that is a file system of its own: found out before the trigger.
    @Test(.enabled(if: MountedDisk.isAllowed))
    func aRingBesideWhichNothingCanBeMadeSaysSo() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let ring = ["record", publisher.endpoint, "--duration", "100ms"]
      #expect(try rig.start(ring + ["-o", "ring", "--keep", "1h"]).wait().exitCode == 0)
      let disk = try MountedDisk(.tmpfs)
      for name in try FileManager.default.contentsOfDirectory(atPath: rig.capture("ring")) {
        try FileManager.default.copyItem(
          atPath: "\(rig.capture("ring"))/\(name)", toPath: "\(disk.path)/\(name)")
      }
      let goOn = ring + ["-o", disk.path, "--append", "--min-free", "0", "--segment-size", "1MiB"]
      let told = try rig.start(goOn).wait()
      #expect(told.exitCode == 0, "\(told)")
      #expect(told.standardError.contains("triggers will make no captures"), "\(told)")
      let refused = try rig.start(goOn + ["--trigger", "alarm"]).wait()
      #expect(refused.exitCode == 1 && refused.standardError.contains("link"), "\(refused)")
    }

    /// The last message before a limit may be what everybody waited for.
    @Test func theMessageThatEndsARecordingTriggers() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start([
        "record", publisher.endpoint, "-o", "ring", "--keep", "1h", "--trigger", "alarm",
        "--count", "2", "--json",
      ])
      try publisher.waitForSubscriptions()
      try publisher.publish("load", "x")
      try publisher.publish("alarm", "y")
      let run = try record.wait()
      #expect(run.exitCode == 0 && run.standardError.contains("triggered (topic alarm)"), "\(run)")
      #expect(try run.summary.integer("windows") == 1)
      #expect(try run.summary.integer("windows_failed") == 0)
    }

    /// It is there from the beginning, whatever the recorder has for itself.
    @Test func windowsAreIndexedByAThreadThatIsNotOnTheRecordersCPU() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let cpu = String(try #require(Processors.allowed.max()))
      let record = try rig.start([
        "record", publisher.endpoint, "-o", "ring", "--keep", "1h", "--before", "1h", "--after",
        "0s", "--cpu", cpu, "--json",
      ])
      try publisher.waitForSubscriptions()
      let others = try Self.processors(ofThreads: nil, of: record.pid)
      func indexing() throws -> Set<String> {
        try Self.processors(ofThreads: "zcap pin index", of: record.pid)
      }
      #expect(others.count == 1)
      try waitFor("the threads to have their names") {
        try indexing() == others
          && Self.processors(ofThreads: "zcap recorder", of: record.pid) == [cpu]
      }
      for count in 1...5 {
        record.send(signal: SIGUSR1)
        try waitFor("window \(count) to have its index") {
          for _ in 0..<20 { try publisher.publish("load", String(repeating: "x", count: 700)) }
          #expect(try indexing() == others)
          return try FileManager.default.contentsOfDirectory(atPath: rig.store).count {
            $0 != "ring"
              && FileManager.default.fileExists(atPath: "\(rig.capture($0))/index.sqlite")
          } == count
        }
      }
      record.send(signal: SIGINT)
      #expect(try record.wait().exitCode == 0)
    }

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
