import Glibc
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// A replay and those who receive it: waiting for them, waiting on them.
  @Suite struct ReplayPeersTests {
    @Test func allAwaitedSubscribersSeeTheFirstMessage() throws {
      let rig = try Rig()
      try MadeCapture.evenly(50, nanoseconds: 1_000_000).write(rig.capture("made"))
      let endpoint = rig.endpoint("two")
      let replay = try rig.start(
        ["replay", "made", "--bind", endpoint, "--wait-subscribers", "2", "--rate", "max"])
      // One peer with two subscriptions is one subscriber; it gets nothing before the other comes.
      let first = try Subscriber(
        connecting: endpoint, prefixes: [Array("ti".utf8), Array("tick".utf8)])
      try waitFor("the waiting to be told") { replay.standardError.contains("waiting for 2") }
      #expect(try first.receiveNow() == nil && replay.isRunning)
      let second = try Subscriber(connecting: endpoint)
      let arrivals = try receiveAll(from: [first, second])
      for one in arrivals { #expect(one.texts(frame: 1) == (0..<50).map(String.init)) }
      #expect(try replay.wait().exitCode == 0)
    }

    @Test(arguments: ["pub", "push"])
    func theWaitForPeersIsGivenUpInTime(type: String) throws {
      let rig = try Rig()
      try MadeCapture.evenly(50, nanoseconds: 1_000_000).write(rig.capture("made"))
      let endpoint = rig.endpoint("missing")
      let peer = try Subscriber(
        type == "pub" ? .sub : .pull, connecting: endpoint,
        prefixes: [Array("a".utf8), Array("b".utf8)])
      let begun = monotonicSeconds()
      let run = try rig.run(
        "replay", "made", "--bind", endpoint, "--type", type, "--wait-subscribers", "2",
        "--wait-timeout", "1s", seconds: 20)
      #expect(monotonicSeconds() - begun >= 1)
      #expect(run.exitCode == 1)
      let complaint = try #require(run.complaints.last)
      #expect(complaint.hasPrefix("zcap: \(endpoint): only 1 of 2 subscribers came"))
      #expect(try peer.receiveAll().isEmpty)
    }

    @Test func aSignalEndsTheWaitForPeers() throws {
      let rig = try Rig()
      try MadeCapture.evenly(50, nanoseconds: 1_000_000).write(rig.capture("made"))
      let replay = try rig.start(
        ["replay", "made", "--bind", rig.endpoint("nobody"), "--wait-subscribers", "1", "--json"])
      try waitFor("the waiting to be told") {
        replay.standardError.contains("waiting for 1 subscriber")
      }
      replay.send(signal: SIGTERM)
      let run = try replay.wait(seconds: 10)
      #expect(run.exitCode == 3)
      let summary = try run.summary
      #expect(summary["messages"] == 0 && summary["stopped"] == true)
    }

    @Test func aHostThatNobodyKnowsIsTold() throws {
      let rig = try Rig()
      try MadeCapture.evenly(50, nanoseconds: 1_000_000).write(rig.capture("made"))
      let replay = try rig.start(
        ["replay", "made", "--connect", "tcp://zcap.invalid:5555", "--wait-subscribers", "1"])
      try waitFor("the host to be looked up") {
        replay.standardError.contains("tcp://zcap.invalid:5555: host zcap.invalid: ")
      }
      replay.send(signal: SIGTERM)
      #expect(try replay.wait(seconds: 10).exitCode == 3)
    }

    @Test func aSlowSubscriberLosesNothing() throws {
      let rig = try Rig()
      let count = 40_000
      var capture = MadeCapture()
      let payload = [UInt8](repeating: 0x55, count: 2048)
      for number in 0..<count {
        capture.entries.append(
          .init(nanoseconds: Int64(number), frames: [Array("\(number)".utf8), payload]))
      }
      capture.segmentSize = 32 << 20
      try capture.write(rig.capture("made"))
      let replay = try rig.start(
        ["replay", "made", "--bind", "tcp://127.0.0.1:*", "--rate", "max", "--json"]
          + ["--wait-subscribers", "1"])
      let started = try JSONRow(try replay.waitForLine())
      let endpoint = try #require(started.texts("endpoints")?.first)
      let subscriber = try Subscriber(connecting: endpoint, highWaterMark: 10)
      // It takes its time for each of the first messages, until the replay is well held up.
      let arrivals = try subscriber.receiveAll { if $0 < 2000 { usleep(300) } }
      let run = try replay.wait()
      #expect(run.exitCode == 0, "\(run)")
      #expect(arrivals.numberingFault(frame: 0, count: count) == nil)
      #expect(arrivals.allSatisfy { $0.frames.count == 2 && $0.frames[1] == payload })
      let held = try #require(try run.summary.number("held_s"))
      #expect(held > 0)
    }

    /// Slow to the very end: it reads on when everything has been sent.
    @Test(arguments: ["ipc", "tcp"])
    func aSlowSubscriberGetsTheEndToo(transport: String) throws {
      let rig = try Rig()
      try MadeCapture.evenly(2000, nanoseconds: 1, topic: String(repeating: "t", count: 300))
        .write(rig.capture("made"))
      let replay = try rig.start([
        "replay", "made", "--rate", "max", "--wait-subscribers", "1", "--json",
        "--bind", transport == "ipc" ? rig.endpoint("slow") : "tcp://127.0.0.1:*",
      ])
      let started = try JSONRow(try replay.waitForLine())
      let endpoint = try #require(started.texts("endpoints")?.first)
      let subscriber = try Subscriber(connecting: endpoint, highWaterMark: 10)
      let arrivals = try subscriber.receiveAll { _ in usleep(500) }
      #expect(arrivals.numberingFault(frame: 1, count: 2000) == nil)
      #expect(try replay.wait().exitCode == 0)
    }

    @Test func lingerBoundsTheWaitForAPeerThatTakesNothing() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      let payload = [UInt8](repeating: 0x55, count: 8192)
      for number in 0..<5000 {
        capture.entries.append(.init(nanoseconds: Int64(number), frames: [[1], payload]))
      }
      capture.segmentSize = 32 << 20
      try capture.write(rig.capture("made"))
      let endpoint = rig.endpoint("stuck")
      let subscriber = try Subscriber(connecting: endpoint, highWaterMark: 1)
      let run = try rig.run(
        "replay", "made", "--bind", endpoint, "--rate", "max", "--json", "--linger", "500ms",
        "--wait-subscribers", "1", seconds: 30)
      #expect(run.exitCode == 3, "\(run)")
      let summary = try run.summary
      #expect(summary["cut_short"] == true && summary["messages"] == 5000)
      #expect(run.standardError.contains("--linger 500"))
      #expect(try subscriber.receiveAll().count < 5000)
    }
  }
}
