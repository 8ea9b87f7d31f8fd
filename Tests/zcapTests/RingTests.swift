import CaptureStore
import Foundation
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// `zcap record --keep`: recordings of which only the newest is kept.
  @Suite struct RingTests {
    /// Records numbered messages into a ring of 1 MiB for as long as `meanwhile` takes, and on
    /// until it has gone around once more.
    private static func record(
      _ rig: Rig, _ arguments: [String] = ["--keep", "1MiB"],
      meanwhile: (_ isDone: () -> Bool) throws -> Void = { _ in }
    ) throws -> (run: ProcessRun, count: Int) {
      let publisher = try Publisher()
      let record = try rig.start(
        ["record", publisher.endpoint, "-o", "ring", "--json"] + arguments)
      try publisher.waitForSubscriptions()
      var count = 0
      func publish(_ more: Int) throws {
        for _ in 0..<more {
          try publisher.publish("load", String(count), String(repeating: "x", count: 700))
          count += 1
        }
      }
      try publish(6000)
      try waitFor("the ring to go around") {
        (try? Capture(path: rig.capture("ring")).segmentFiles().first?.number ?? 0) ?? 0 > 8
      }
      func waitForTheLast() throws {
        try waitFor("the last message to be there") {
          let walk = try CaptureWalk(Capture(path: rig.capture("ring")))
          return walk.inOrder.last?.frames[1] == Array(String(count - 1).utf8)
        }
      }
      // What is still on its way would make room of what `meanwhile` finds.
      try waitForTheLast()
      try meanwhile { (try? publish(50)) == nil }
      try publish(3000)
      try waitForTheLast()
      record.send(signal: SIGINT)
      return (try record.wait(), count)
    }

    /// The numbers of what is there, in their order.
    private static func numbers(_ capture: Capture) throws -> [Int] {
      let walk = try CaptureWalk(unused: capture)
      #expect(walk.isClean)
      return walk.inOrder.compactMap { Int(String(decoding: $0.frames[1], as: UTF8.self)) }
    }

    @Test func theNewestIsKept() throws {
      let rig = try Rig()
      let (run, count) = try Self.record(rig)
      #expect(run.exitCode == 0, "\(run)")
      #expect(run.complaints.first?.contains("the last 1 MiB of it") == true)
      let summary = try run.summary
      #expect(summary["messages"] == .integer(count) && summary["complete"] == true)
      let capture = try Capture(path: rig.capture("ring"))
      let numbers = try Self.numbers(capture)
      #expect(numbers == Array(count - numbers.count..<count))
      #expect(numbers.count > 500 && numbers.count < 1400)
      #expect(try capture.segmentFiles().reduce(0) { $0 + $1.size } <= 1 << 20)
      let row = try #require(try rig.list().first)
      #expect(row["messages"] == .integer(numbers.count) && row["lost"] == 0)
      #expect(try rig.run("verify", "ring").exitCode == 0)
      let (again, more) = try Self.record(rig, ["--append"])
      #expect(again.exitCode == 0, "\(again)")
      let rest = try Self.numbers(Capture(path: rig.capture("ring")))
      #expect(rest == Array(more - rest.count..<more))
      #expect(try rig.run("verify", "ring").exitCode == 0)
    }

    /// The replay is slower than the ring: it goes on with what it has, and says what it missed.
    @Test func aReplayInFlightSendsNothingButWhatWasRecorded() throws {
      let rig = try Rig()
      let endpoint = rig.endpoint("replayed")
      var arrivals: [Subscriber.Arrival] = []
      var replayed: ProcessRun?
      let (run, _) = try Self.record(rig) { isDone in
        try waitFor("the index to know of what is there") {
          try !rig.list("ring", "--messages", "--limit", "1").isEmpty
        }
        let subscriber = try Subscriber(connecting: endpoint)
        let replay = try rig.start(
          ["replay", "ring", "--rate", "0.001", "--bind", endpoint, "--wait-subscribers", "1"]
            + ["--json"])
        arrivals = try subscriber.receive(1)
        let first = try Capture(path: rig.capture("ring")).segmentFiles().first!.number
        try waitFor("the ring to go around once more") {
          _ = isDone()
          return try Capture(path: rig.capture("ring")).segmentFiles().first!.number > first + 16
        }
        replay.send(signal: SIGINT)
        arrivals += try subscriber.receiveAll()
        replayed = try replay.wait()
      }
      #expect(run.exitCode == 0, "\(run)")
      #expect(replayed?.exitCode == 3)
      let numbers = arrivals.texts(frame: 1).compactMap { Int($0) }
      #expect(numbers == numbers.sorted() && Set(numbers).count == arrivals.count)
      #expect(arrivals.allSatisfy { $0.frames[2] == [UInt8](repeating: 0x78, count: 700) })
      #expect(try replayed?.summary["damaged"] == 0)
    }

    /// A topic, a signal and a command: each makes a capture of its own.
    @Test func triggersKeepAWindow() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start([
        "record", publisher.endpoint, "-o", "ring", "--keep", "1MiB", "--trigger", "alarm",
        "--before", "1h", "--after", "0s", "--json",
      ])
      try publisher.waitForSubscriptions()
      func pins() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: rig.store).filter { $0 != "ring" }
      }
      /// Publishes until the capture that a trigger asked for is whole: little, so that the ring
      /// does not lose what it says of the last ones.
      func publish(until count: Int) throws {
        try waitFor("\(count) windows to be kept") {
          for _ in 0..<20 { try publisher.publish("load", String(repeating: "x", count: 700)) }
          return try pins().filter {
            (try? Capture(path: rig.capture($0)).isBeingRecorded) == false
          }.count == count
        }
      }
      for _ in 0..<3000 { try publisher.publish("load", String(repeating: "x", count: 700)) }
      // Messages of such a topic that come together make one capture.
      for _ in 0..<100 { try publisher.publish("alarm/1", "fire") }
      try publish(until: 1)
      record.send(signal: SIGUSR1)
      try publish(until: 2)
      let asked = try rig.start(["trigger", "ring", "--label", "by hand", "--json", "--wait"])
      try publish(until: 3)
      // It waits until the capture is whole; and a ring of 1 MiB does not have an hour.
      let waited = try asked.wait()
      #expect(waited.exitCode == 3 && waited.standardError.contains("no longer had"), "\(waited)")
      // What ends with the recording is told by then, but has no place in it any more.
      func events() throws -> [String?] {
        try rig.list("ring", "--events").map { $0.text("event") }
      }
      try waitFor("the recording to say that it has them") { try events().contains("pinned") }
      record.send(signal: SIGINT)
      let run = try record.wait()
      #expect(run.exitCode == 0, "\(run)")
      for reason in ["topic alarm", "SIGUSR1", "by hand"] {
        #expect(run.complaints.count { $0.contains("triggered (\(reason))") } == 1, "\(run)")
      }
      #expect(run.complaints.count { $0.contains("the ring had no more") } == 3, "\(run)")

      let labels = try pins().sorted().map { name in
        let capture = try Capture(path: rig.capture(name))
        #expect(try CaptureWalk(unused: capture).isClean)
        #expect(try rig.run("verify", name).exitCode == 0)
        return capture.manifest.labels["trigger"]
      }
      #expect(labels == ["topic alarm", "SIGUSR1", "by hand"])
      #expect(try events().contains("triggered") && events().contains("pinned"))
      #expect(try rig.run("trigger", "ring").standardError.contains("nobody records it"))
    }

    /// Fewer files may be open than the ring has segments.
    @Test func aRingOfManySegmentsHasFewOpenFiles() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let line = #"ulimit -n 100; exec "$0" "$@""#
      let arguments = try [
        "-c", line, Programs.zcap(), "record", publisher.endpoint, "-o", "ring", "--keep", "64MiB",
        "--segment-size", "64KiB", "--json",
      ]
      let record = try ChildProcess(
        "/bin/sh", arguments.map { Array($0.utf8) }, environment: ["ZCAP_STORE": rig.store],
        directory: rig.directory.path)
      try publisher.waitForSubscriptions()
      for number in 0..<20_000 {
        try publisher.publish("load", String(number), String(repeating: "x", count: 700))
      }
      try rig.waitForMessages(20_000, in: "ring")
      record.send(signal: SIGINT)
      let run = try record.wait()
      #expect(run.exitCode == 0, "\(run)")
      let capture = try Capture(path: rig.capture("ring"))
      #expect(try capture.segmentFiles().count > 200)
      #expect(try Self.numbers(capture) == Array(0..<20_000))
    }

    /// Who takes it for a ring hears that it is none, and loses nothing.
    @Test func aTriggerForARecordingThatKeepsEverythingIsTold() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start(["record", publisher.endpoint, "-o", "all", "--json"])
      try publisher.waitForSubscriptions()
      record.send(signal: SIGUSR1)
      try publisher.publish("topic", "payload")
      try rig.waitForMessages(1, in: "all")
      record.send(signal: SIGINT)
      let run = try record.wait()
      #expect(run.exitCode == 0, "\(run)")
      #expect(run.complaints.contains { $0.contains("SIGUSR1") && $0.contains("is no ring") })
    }

    /// What lies in the folder and is no request does not disturb the recorder.
    @Test func aRequestThatNobodyMakesIsPassedOver() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start([
        "record", publisher.endpoint, "-o", "ring", "--keep", "1h", "--before", "1h", "--after",
        "0s", "--json",
      ])
      try publisher.waitForSubscriptions()
      let folder = URL(fileURLWithPath: "\(rig.capture("ring"))/triggers")
      try waitFor("the recorder to take requests") {
        FileManager.default.fileExists(atPath: folder.path)
      }
      let texts = [
        "", "{}", "{\"time\": \(Int64.min)}", "{\"time\": \(Int64.max)}", "{\"time\": 1}",
        "{\"time\": \(CaptureClock.monotonicNanoseconds()), \"before\": -1}",
      ]
      for (index, text) in texts.enumerated() {
        try Data(text.utf8).write(
          to: folder.appending(path: "\(index).request"), options: .atomic)
      }
      try waitFor("the requests to be taken") {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty
      }
      try publisher.publish("a", "b")
      let asked = try rig.run("trigger", "ring", "--before", "200000d", "--json")
      #expect(asked.exitCode == 64)
      let again = try rig.run("trigger", "ring", "--before", "100000d", "--json")
      #expect(again.exitCode == 0, "\(again)")
      try FileManager.default.removeItem(at: folder)
      let unheard = try rig.run("trigger", "ring")
      #expect(unheard.exitCode == 1 && unheard.standardError.contains("does not answer"))
      record.send(signal: SIGINT)
      #expect(try record.wait().exitCode == 0)
      let pins = try FileManager.default.contentsOfDirectory(atPath: rig.store)
      #expect(pins.count { $0 != "ring" } == 1)
    }

    /// A recorder that is killed takes the rest of the window with it.
    @Test func aWindowThatWasCutIsNotKnownToBeComplete() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let record = try rig.start(["record", publisher.endpoint, "-o", "ring", "--keep", "1h"])
      try publisher.waitForSubscriptions()
      try publisher.publish("a", "b")
      try waitFor("the recorder to take requests") {
        FileManager.default.fileExists(atPath: "\(rig.capture("ring"))/triggers")
      }
      let asked = try rig.run("trigger", "ring", "--after", "1h")
      #expect(asked.exitCode == 0, "\(asked)")
      let pin = asked.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
      #expect(try rig.run("ls", pin).exitCode == 0, "it is there at once")
      record.send(signal: SIGKILL)
      _ = try record.wait()
      try Capture(path: pin).waitUntilUnused()
      let listed = try rig.run("ls", pin, "--require-complete")
      #expect(listed.exitCode == 3)
      #expect(listed.standardError.contains("before all of the time that was asked for was over"))
    }
  }
}
