import Glibc
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  @Suite struct ReplayTests {
    @Test func loopPlaysTheCaptureAgain() throws {
      let rig = try Rig()
      try MadeCapture.evenly(700, nanoseconds: 1_000_000).write(rig.capture("made"))
      let numbers = try rig.replayed("made", "--loop", "3").texts(frame: 1)
      let once = (0..<700).map(String.init)
      #expect(numbers == once + once + once)
    }

    @Test func helpTellsWhatLoopIsWithoutANumber() throws {
      let help = try Rig().run("replay", "--help").standardOutput
      #expect(help.contains("without end") && !help.contains("LoopCount"))
    }

    @Test func loopWithoutANumberGoesOnUntilASignal() throws {
      let rig = try Rig()
      try MadeCapture.evenly(10, nanoseconds: 1_000_000).write(rig.capture("made"))
      let endpoint = rig.endpoint("endless")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start(
        ["replay", "made", "--loop", "--bind", endpoint, "--wait-subscribers", "1", "--json"])
      let numbers = try subscriber.receive(95).texts(frame: 1)
      #expect(numbers == (0..<95).map { String($0 % 10) })
      replay.send(signal: SIGINT)
      let run = try replay.wait()
      #expect(run.exitCode == 0, "to be stopped is the end of what has no other")
      #expect(try run.summary["stopped"] == true)
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalStopsTheReplay(signal: CInt) throws {
      let rig = try Rig()
      try MadeCapture.evenly(6000, nanoseconds: 10_000_000).write(rig.capture("made"))
      let endpoint = rig.endpoint("stopped")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start(
        ["replay", "made", "--bind", endpoint, "--wait-subscribers", "1", "--json"])
      var arrivals = try subscriber.receive(5)
      replay.send(signal: signal)
      arrivals += try subscriber.receiveAll(seconds: 20)
      let run = try replay.wait(seconds: 20)
      #expect(run.exitCode == 3, "\(run)")
      let summary = try run.summary
      #expect(summary["stopped"] == true && summary["messages"] == .integer(arrivals.count))
      #expect(arrivals.texts(frame: 1) == arrivals.indices.map(String.init))
      #expect(arrivals.count < 6000)
    }

    @Test func aBoundSubscriberIsConnectedTo() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("made"))
      let subscriber = try Subscriber(binding: "tcp://127.0.0.1:*")
      let replay = try rig.start(
        ["replay", "made", "--connect", subscriber.endpoint, "--rate", "max"]
          + ["--wait-subscribers", "1"])
      #expect(try subscriber.receiveAll().texts(frame: 1) == (0..<100).map(String.init))
      #expect(try replay.wait().exitCode == 0)
    }

    @Test func aWildcardThatIsBoundIsToldAsWhatItBecame() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("made"))
      let replay = try rig.start(
        ["replay", "made", "--bind", "tcp://127.0.0.1:*", "--wait-subscribers", "1", "--json"])
      let started = try JSONRow(try replay.waitForLine())
      let endpoint = try #require(started.texts("endpoints")?.first)
      let subscriber = try Subscriber(connecting: endpoint)
      #expect(try subscriber.receiveAll().texts(frame: 1) == (0..<100).map(String.init))
      #expect(try replay.wait().exitCode == 0)
    }

    @Test func aReplayThatReachedNobodySaysSo() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000).write(rig.capture("made"))
      let run = try rig.run("replay", "made", "--bind", rig.endpoint("nobody"))
      #expect(run.exitCode == 0)
      #expect(run.standardError.contains("nobody subscribed at \(rig.endpoint("nobody"))"))
    }

    @Test func everyMessageReachesOneOfThePullers() throws {
      let rig = try Rig()
      try MadeCapture.evenly(5000, nanoseconds: 1000).write(rig.capture("made"))
      let endpoint = rig.endpoint("work")
      let pullers = try [
        Subscriber(.pull, connecting: endpoint), Subscriber(.pull, connecting: endpoint),
      ]
      let replay = try rig.start(
        ["replay", "made", "--bind", endpoint, "--type", "push", "--rate", "max"]
          + ["--wait-subscribers", "2", "--wait-timeout", "30s"])
      let parts = try receiveAll(from: pullers).map { arrivals in
        arrivals.texts(frame: 1).compactMap { Int($0) }
      }
      #expect(try replay.wait().exitCode == 0)
      #expect(parts.allSatisfy { !$0.isEmpty && $0 == $0.sorted() })
      let isExact = parts.joined().sorted() == Array(0..<5000)
      #expect(isExact, "\(parts.map(\.count)) messages")
    }

    @Test func framesArriveAsTheyWere() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.segmentSize = 64 << 10
      let shapes: [[Int]] = [
        [0], [0, 0, 0], [1], [33, 34], [8191, 8192, 8193], [100_000, 0, 1 << 20],
        Array(repeating: 1, count: 200), [1023, 1024, 1025], [5],
      ]
      for (number, shape) in shapes.enumerated() {
        let frames = shape.enumerated().map { position, size in
          (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ position &+ number) }
        }
        capture.entries.append(.init(nanoseconds: Int64(number), frames: frames))
      }
      try capture.write(rig.capture("made"))
      #expect(try rig.replayed("made").map(\.frames) == capture.entries.map(\.frames))
    }

    @Test func damagedRecordsAreLeftOutAndTold() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000, topic: "the topic of it")
        .write(rig.capture("made"))
      try rig.flipByte(in: "made", message: 42)
      let numbers = try rig.replayed("made", exitCode: 3).texts(frame: 1)
      #expect(numbers == (0..<100).filter { $0 != 42 }.map(String.init))

      let messages = try rig.run("ls", "made", "--messages", "--json")
      #expect(messages.exitCode == 3 && messages.complaints.count == 1)
      #expect(try JSONRow.rows(messages.standardOutput).count == 99)
      let reindex = try rig.run("reindex", "made")
      #expect(reindex.exitCode == 3)
      #expect(reindex.standardError.contains("1 message is lost"))
      #expect(try rig.storeRow("made")["lost"] == 1)
    }
  }
}
