import Glibc
import Replaying
import TestSupport
import Testing
import ZeroMQ

@testable import zcap

extension ZcapTests {
  /// What `zcap replay` does by its options, seen from outside.
  @Suite struct ReplayOptionTests {
    @Test func aDryRunTellsAndSendsNothing() throws {
      let rig = try Rig()
      var capture = MadeCapture.evenly(100, nanoseconds: 10_000_000)
      capture.add(at: 5_000_000_000, "late", "100")
      try capture.write(rig.capture("made"))
      let endpoint = rig.endpoint("dry")
      let run = try rig.run(
        "replay", "made", "--bind", endpoint, "--rate", "2", "--dry-run", "--json")
      #expect(run.exitCode == 0, "\(run)")
      let row = try JSONRow(run.standardOutput)
      #expect(row["messages"] == 101 && row["messages_per_second_max"] == 100)
      #expect(row.number("timeline_s") == 5 && row.number("duration_s") == 2.5)
      #expect(row.rows("targets")?.map { $0.text("endpoint") } == [endpoint])
      #expect(row.number("gap_max_s") == 4.01 && row["gap_max_sequence"] == 100)
      let clamped = try rig.run(
        "replay", "made", "--bind", endpoint, "--max-gap", "1s", "--dry-run", "--json")
      #expect(try JSONRow(clamped.standardOutput).number("timeline_s") == 1.99)
      let text = try rig.run("replay", "made", "--bind", endpoint, "--dry-run").standardOutput
      #expect(text.contains("longest gap    4.01s before message 100"))
      #expect(text.contains("would bind \(endpoint) and send 101 messages"))
    }

    /// As the replay itself would.
    @Test func aDryRunTellsWhatCannotBeRead() throws {
      let rig = try Rig()
      try MadeCapture.evenly(10, nanoseconds: 1_000_000_000).write(rig.capture("made"))
      _ = try rig.list("made")
      try rig.flipByte(in: "made", message: 3)
      let run = try rig.run(
        "replay", "made", "--bind", rig.endpoint("dry"), "--dry-run", "--loop", "\(Int.max)")
      #expect(run.exitCode == 3 && run.complaints.count == 1, "\(run)")
      #expect(run.standardOutput.contains("9 messages"))
      #expect(run.standardOutput.contains("it takes       9s each time"), "\(run)")
      let json = try rig.run(
        "replay", "made", "--bind", rig.endpoint("dry"), "--dry-run", "--json")
      #expect(try json.exitCode == 3 && JSONRow(json.standardOutput).integer("damaged_bytes")! > 0)
    }

    @Test func onlyTheFirstFrameOfMappedTopicsIsRewritten() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.add(at: 0, "camera/left", "camera/left")
      capture.add(at: 1, "lidar", "x")
      try capture.write(rig.capture("made"))
      let arrivals = try rig.replayed("made", "--topic-map", "camera/=rig/cam-")
      #expect(arrivals.texts(frame: 0) == ["rig/cam-left", "lidar"])
      #expect(arrivals.texts(frame: 1) == ["camera/left", "x"])
    }

    @Test func asRecordedIsTheOppositeOfEachEndpoint() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.endpoints = ["a", "b"].map { rig.endpoint($0) }
      capture.add(endpoint: 0, at: 0, "t", "0")
      capture.add(endpoint: 1, at: 1, "t", "1")
      try capture.write(rig.capture("made"))
      let subscribers = try capture.endpoints.map { try Subscriber(connecting: $0) }
      let replay = try rig.start(
        ["replay", "made", "--as-recorded", "--rate", "max", "--wait-subscribers", "1"])
      let arrivals = try receiveAll(from: subscribers)
      #expect(arrivals.map { $0.texts(frame: 1) } == [["0"], ["1"]])
      #expect(try replay.wait().exitCode == 0)
    }

    @Test func aTopicIsWaitedForUntilSomebodyWantsIt() throws {
      let rig = try Rig()
      try MadeCapture.evenly(50, nanoseconds: 1_000).write(rig.capture("made"))
      let endpoint = rig.endpoint("topic")
      let other = try Subscriber(connecting: endpoint, prefixes: [Array("other".utf8)])
      let failed = try rig.run(
        "replay", "made", "--bind", endpoint, "--wait-topic", "tick", "--wait-timeout", "300ms")
      #expect(failed.exitCode == 1)
      #expect(
        failed.complaints.last == "zcap: nobody subscribed to 'tick' within 0.3 s; nothing was sent"
      )
      let replay = try rig.start(
        ["replay", "made", "--bind", endpoint, "--wait-topic", "tick", "--rate", "max"])
      let wanted = try Subscriber(connecting: endpoint, prefixes: [Array("ti".utf8)])
      #expect(try wanted.receiveAll().texts(frame: 1) == (0..<50).map(String.init))
      #expect(try replay.wait().exitCode == 0)
      #expect(try other.receiveNow() == nil)
    }

    @Test func anEvenPaceForgetsTheRecordedTimes() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 3_600_000_000_000).write(rig.capture("made"))
      let run = try rig.run(
        "replay", "made", "--bind", rig.endpoint("even"), "--msgs-per-second", "1000", "--json")
      #expect(run.exitCode == 0, "\(run)")
      let summary = try run.summary
      #expect(summary["messages"] == 100)
      #expect(try #require(summary.number("duration_s")) >= 0.099)
    }

    @Test func latenessIsToldAndCanBeALimit() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("made"))
      let endpoint = rig.endpoint("late")
      let good = try rig.run(
        "replay", "made", "--bind", endpoint, "--max-lateness", "30s", "--json")
      #expect(good.exitCode == 0, "\(good)")
      let row = try good.summary
      let quantiles = ["p50", "p90", "p99", "p999", "max"].compactMap {
        row.number("lateness_\($0)_s")
      }
      #expect(quantiles.count == 5 && quantiles == quantiles.sorted() && row["late"] == 0)
      let bad = try rig.run("replay", "made", "--bind", endpoint, "--max-lateness", "0", "--json")
      #expect(bad.exitCode == 3)
      #expect(try #require(bad.summary.number("late")) > 0)
      #expect(bad.standardError.contains("late"))
    }

    @Test(arguments: ["ipc", "tcp"])
    func whoTakesNothingIsNamedAndNobodyElseLosesAnything(transport: String) throws {
      let rig = try Rig()
      let replay = try rig.start(
        ["replay", try stallingCapture(rig), "--rate", "max", "--wait-subscribers", "2", "--json"]
          + ["--bind", transport == "ipc" ? rig.endpoint("stall") : "tcp://127.0.0.1:*"])
      let started = try JSONRow(try replay.waitForLine())
      let endpoint = try #require(started.texts("endpoints")?.first)
      let good = try Subscriber(connecting: endpoint)
      let stalled = try Subscriber(connecting: endpoint, highWaterMark: 10)
      // It reads when the replay has stood still for a while.
      var arrivals: [Subscriber.Arrival] = []
      var last = monotonicSeconds()
      while monotonicSeconds() - last < 1 {
        if let arrival = try good.receiveNow() {
          arrivals.append(arrival)
          last = monotonicSeconds()
        }
      }
      let rest = try receiveAll(from: [good, stalled])
      #expect((arrivals + rest[0]).numberingFault(frame: 0, count: Self.stallingCount) == nil)
      // Over ipc libzmq throws away what a peer with a high-water mark had not read when the other end
      // went: `Subscriber` says so.
      let count = transport == "ipc" ? rest[1].count : Self.stallingCount
      #expect(rest[1].numberingFault(frame: 0, count: count) == nil)
      let run = try replay.wait()
      #expect(run.exitCode == 0, "\(run)")
      let held = try #require(run.summary.rows("held")?.first)
      #expect(held.text("endpoint") == endpoint && held.number("s") ?? 0 > 0.5)
      let who = transport == "ipc" ? " by process \(getpid())" : " by 127.0.0.1:"
      #expect(run.standardError.contains("at \(endpoint)\(who)"), "\(run.standardError)")
    }

    @Test func aTopicOfAnyBytesIsMapped() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.entries.append(.init(nanoseconds: 0, frames: [[0xFF, 0x61], [1]]))
      try capture.write(rig.capture("made"))
      let endpoint = rig.endpoint("bytes")
      let subscriber = try Subscriber(connecting: endpoint)
      let words = ["replay", "made", "--bind", endpoint, "--wait-subscribers", "1", "--topic-map"]
      let replay = try rig.start(
        bytes: words.map { Array($0.utf8) } + [[0xFF] + Array("=new/".utf8)])
      #expect(try subscriber.receiveAll().map(\.frames) == [[Array("new/a".utf8), [1]]])
      #expect(try replay.wait().exitCode == 0)
    }

    /// Two recorded endpoints may go out on one socket, in recorded order; what goes nowhere is told.
    @Test func severalEndpointsGoToOnePlace() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.endpoints = (1...3).map { "tcp://127.0.0.1:700\($0)" }
      for number in 0..<30 {
        capture.add(endpoint: number % 3, at: Int64(number), "t", String(number))
      }
      try capture.write(rig.capture("made"))
      let endpoint = rig.endpoint("one")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start([
        "replay", "made", "--wait-subscribers", "1", "--map", "tcp://127.0.0.1:7001=\(endpoint)",
        "--map", "tcp://127.0.0.1:7002=\(endpoint)",
      ])
      let arrivals = try subscriber.receiveAll().map(\.frames)
      let wanted = (0..<30).filter { $0 % 3 < 2 }.map { Array(String($0).utf8) }
      #expect(arrivals.map { $0[1] } == wanted)
      let run = try replay.wait()
      #expect(run.exitCode == 0, "\(run)")
      #expect(run.standardError.contains("what came from tcp://127.0.0.1:7003 is not sent"))
      let twice = try rig.run("replay", "made", "--bind", endpoint, "--bind", rig.endpoint("two"))
      #expect(twice.exitCode == 64 && twice.complaints.count == 1, "\(twice)")
    }

    /// What nobody hears is told, also where somebody heard the beginning.
    @Test func aSubscriberThatLeavesIsTold() throws {
      let rig = try Rig()
      try MadeCapture.evenly(2_000, nanoseconds: 1_000_000).write(rig.capture("made"))
      let endpoint = rig.endpoint("left")
      let replay: ChildProcess
      do {
        let subscriber = try Subscriber(connecting: endpoint)
        replay = try rig.start([
          "replay", "made", "--bind", endpoint, "--wait-subscribers", "1", "--json",
        ])
        _ = try subscriber.receive(1)
      }
      let run = try replay.wait()
      #expect(run.exitCode == 0 && run.standardError.contains("was gone before the end"), "\(run)")
    }

    /// One is enough: who has nothing to get need not be there.
    @Test func aPusherWaitsForAPeer() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.endpoints = (1...2).map { "tcp://127.0.0.1:700\($0)" }
      for number in 0..<3 { capture.add(endpoint: 1, at: Int64(number), "t", String(number)) }
      try capture.write(rig.capture("made"))
      let push = [
        "replay", "made", "--type", "push", "--map", "tcp://127.0.0.1:7001=\(rig.endpoint("none"))",
        "--map", "tcp://127.0.0.1:7002=\(rig.endpoint("one"))",
      ]
      let run = try rig.start(push + ["--wait-timeout", "200ms"]).wait()
      #expect(run.exitCode == 1 && run.standardError.contains("waiting for a peer"), "\(run)")
      let stopped = try rig.start(push)
      try waitFor("it to wait") { stopped.standardError.contains("waiting for a peer") }
      stopped.send(signal: SIGINT)
      let told = try stopped.wait()
      #expect(told.exitCode == 3 && !told.standardError.contains("held up"), "\(told)")
      let puller = try Subscriber(.pull, connecting: rig.endpoint("one"))
      let replay = try rig.start(push)
      #expect(try puller.receiveAll().texts(frame: 1) == ["0", "1", "2"])
      #expect(try replay.wait().exitCode == 0)
    }

    @Test func aPeerThatIsNotThereIsNotToBeGoneOnWithout() throws {
      let rig = try Rig()
      try MadeCapture.evenly(3, nanoseconds: 1).write(rig.capture("made"))
      let run = try rig.run(
        "replay", "made", "--type", "push", "--bind", rig.endpoint("none"), "--stall-timeout",
        "200ms", "--on-stall", "drop-peer")
      #expect(run.exitCode == 1, "\(run)")
      #expect(run.standardError.contains("nobody took anything for 0.2 s"))
    }

    @Test func aStallEndsTheReplayOrThePeer() throws {
      let rig = try Rig()
      let made = try stallingCapture(rig)
      func replay(_ policy: String) throws -> (ProcessRun, [Subscriber.Arrival]) {
        let endpoint = rig.endpoint(policy)
        let good = try Subscriber(connecting: endpoint)
        let stalled = try Subscriber(connecting: endpoint, highWaterMark: 10)
        let replay = try rig.start(
          [
            "replay", made, "--bind", endpoint, "--rate", "max", "--wait-subscribers", "2",
            "--json",
          ]
            + ["--stall-timeout", "400ms", "--on-stall", policy, "--linger", "1s"])
        let arrivals = try good.receiveAll()
        _ = stalled
        return (try replay.wait(), arrivals)
      }
      let (failed, _) = try replay("fail")
      #expect(failed.exitCode == 1)
      #expect(failed.standardError.contains("took nothing for 0.4 s; --on-stall drop-peer goes on"))
      let (dropped, arrivals) = try replay("drop-peer")
      #expect(dropped.exitCode == 3)
      #expect(try #require(dropped.summary.number("peers_dropped")) >= 1)
      #expect(arrivals.numberingFault(frame: 0, count: Self.stallingCount) == nil)
    }

    private static let stallingCount = 30_000

    /// More than two sockets and their queues hold.
    private func stallingCapture(_ rig: Rig) throws -> String {
      var capture = MadeCapture()
      let payload = [UInt8](repeating: 0x55, count: 1024)
      for number in 0..<Self.stallingCount {
        capture.entries.append(
          .init(nanoseconds: Int64(number), frames: [Array("\(number)".utf8), payload]))
      }
      capture.segmentSize = 64 << 20
      try capture.write(rig.capture("stalling"))
      return "stalling"
    }

    @Test func keysAreUnderstood() {
      let span: Int64 = 100_000_000_000
      func keys(_ text: String) -> [KeyRequest] {
        KeyRequest.all(in: Array(text.utf8)[...], span: span)
      }
      #expect(keys(" ") == [.verb(.toggle)])
      #expect(
        keys("\u{1B}[A\u{1B}[B\u{1B}[C") == [
          .verb(.faster(2)), .verb(.faster(0.5)), .verb(.step(1)),
        ])
      #expect(keys(",.<>") == [-10, 10, -60, 60].map { .verb(.move($0 * 1_000_000_000)) })
      #expect(keys("05") == [.verb(.seek(0)), .verb(.seek(span / 2))])
      #expect(keys("n") == [.verb(.nextMark)])
      #expect(keys("xq\u{1B}") == [.stop] && keys("\u{1B}[") == [])
      // What a terminal sends in its other mode, and for what has no meaning: Ctrl-Right, F5, F1.
      #expect(keys("\u{1B}OC") == [.verb(.step(1))])
      #expect(keys("\u{1B}[1;5C\u{1B}[15~\u{1B}OPq") == [.stop])
    }

    @Test(arguments: [
      ["--bind", "ipc://x", "--as-recorded"],
      ["--bind", "ipc://x", "--rate", "2", "--msgs-per-second", "5"],
      ["--bind", "ipc://x", "--type", "push", "--wait-topic", "t"],
      ["--bind", "ipc://x", "--type", "push", "--allow-drop"],
      ["--bind", "ipc://x", "--type", "push", "--stall-timeout", "1s", "--wait-timeout", "1s"],
      ["--bind", "ipc://x", "--on-stall", "fail"], ["--bind", "ipc://x", "--keys"],
      ["--bind", "ipc://x", "--msgs-per-second", "0"], ["--bind", "ipc://x", "--late", "never"],
      ["--bind", "ipc://x", "--control", "nowhere"], ["--bind", "ipc://x", "--align", "start"],
      ["--bind", "ipc://x", "--delay", "1s"], ["--bind", "ipc://x", "--clock-rate", "10"],
      ["--bind", "ipc://x", "--follow", "--rate", "2"],
      ["--bind", "ipc://x", "--rate", "max", "--max-lateness", "1ms"],
      ["--bind", "ipc://x", "--rate", "max", "--late", "drop"],
      ["--bind", "ipc://x", "--rate", "max", "--max-gap", "1s"],
      ["--bind", "ipc://x", "--msgs-per-second", "5", "--max-gap", "1s"],
      ["--bind", "ipc://x", "--allow-drop", "--stall-timeout", "1s"],
      ["--bind", "ipc://x", "--follow", "--loop"], ["--bind", "ipc://x", "--clock", "nowhere"],
      ["--bind", "ipc://x", "--restamp", "t:frame=1:offset=8:f64le:wall"],
    ])
    func whatDoesNotFitIsUsage(_ options: [String]) throws {
      let rig = try Rig()
      try MadeCapture.evenly(1, nanoseconds: 1).write(rig.capture("made"))
      let run = try rig.start(["replay", "made"] + options).wait()
      #expect(run.exitCode == 64 && run.complaints.count == 1, "\(run)")
    }
  }
}
