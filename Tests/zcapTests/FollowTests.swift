import CaptureStore
import Foundation
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// `zcap replay --follow`: of a capture that grows.
  @Suite struct FollowTests {
    @Test(arguments: [[], ["--keep", "1GiB"]])
    func whatIsBeingRecordedIsFollowedToItsEnd(_ options: [String]) throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(
        ["record", "--json", "-o", "live", publisher.endpoint] + options)
      try publisher.waitForSubscriptions()
      for number in 0..<200 { try publisher.publish("load", String(number)) }
      try rig.waitForMessages(200, in: "live")
      let endpoint = rig.endpoint("follow")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start([
        "replay", "live", "--follow", "--bind", endpoint, "--json", "--wait-subscribers", "1",
        "--wait-timeout", "30s",
      ])
      var arrivals = try subscriber.receive(200)
      for number in 200..<500 { try publisher.publish("load", String(number)) }
      arrivals += try subscriber.receive(300)
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
      #expect(try subscriber.receiveAll().isEmpty)
      #expect(arrivals.numberingFault(frame: 1, count: 500) == nil)
      let run = try replay.wait()
      #expect(run.exitCode == 0, "\(run)")
      #expect(try run.summary["messages"] == 500 && run.summary["rate_asked"] == "follow")
    }

    /// What was recorded up to the kill leaves when it is due, and the end is told for what it is.
    @Test func aRecorderThatIsKilledIsFollowedToItsEnd() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", publisher.endpoint, "-o", "live", "--json"])
      try publisher.waitForSubscriptions()
      let endpoint = rig.endpoint("follow")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start([
        "replay", "live", "--follow", "--bind", endpoint, "--json", "--wait-subscribers", "1",
        "--delay", "1s", "--timing", rig.directory.file("timing.csv"),
      ])
      for number in 0..<100 {
        try publisher.publish("load", String(number))
        usleep(2_000)
      }
      _ = try recorder.waitForLine { try JSONRow($0).integer("messages") == 100 }
      recorder.send(signal: SIGKILL)
      let arrivals = try subscriber.receiveAll()
      #expect(arrivals.numberingFault(frame: 1, count: 100) == nil)
      let run = try replay.wait()
      #expect(run.exitCode == 3 && run.standardError.contains("was not sealed"), "\(run)")
      #expect(try run.summary["recorder_killed"] == true)
    }

    @Test func aFollowerIsAsFarBehindAsItIsTold() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", "--json", "-o", "live", publisher.endpoint])
      try publisher.waitForSubscriptions()
      let endpoint = rig.endpoint("follow")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start([
        "replay", "live", "--follow", "--delay", "300ms", "--bind", endpoint, "--json",
        "--wait-subscribers", "1", "--wait-timeout", "30s",
      ])
      _ = try replay.waitForLine()
      try waitFor("the follower") {
        if try subscriber.receiveNow() != nil { return true }
        try publisher.publish("early", "x")
        try subscriber.wait(milliseconds: 5)
        return false
      }
      let sent = monotonicSeconds()
      try publisher.publish("mark", "x")
      var marks: [Subscriber.Arrival] = []
      while marks.isEmpty {
        marks = try subscriber.receive(1).filter { $0.frames[0] == Array("mark".utf8) }
      }
      #expect(marks[0].time - sent >= 0.3)
      recorder.send(signal: SIGINT)
      _ = try recorder.wait()
      #expect(try replay.wait().exitCode == 0)
    }

    @Test func aFollowerStopsWhileNothingComes() throws {
      let follower = try Follower()
      follower.replay.send(signal: SIGINT)
      let run = try follower.replay.wait(seconds: 10)
      #expect(run.exitCode == 0, "\(run)")
      #expect(try run.summary["messages"] == 1)
      follower.recorder.send(signal: SIGINT)
      #expect(try follower.recorder.wait().exitCode == 0)
    }

    @Test func aFollowerIsControlledWhileNothingComes() throws {
      let follower = try Follower(isControlled: true)
      let control = try ReplayController(follower.rig.endpoint("control"))
      let paused = try control.ask(#"{"do":"pause"}"#)
      #expect(paused["obeyed"] == true && paused["paused"] == true)
      #expect(try control.ask(#"{"do":"rate","rate":2}"#)["ok"] == false)
      try follower.publisher.publish("two", "x")
      try follower.rig.waitForMessages(counted: 2, in: "live")
      #expect(try control.ask(#"{"do":"status"}"#)["messages"] == 1)
      #expect(try control.ask(#"{"do":"resume"}"#)["obeyed"] == true)
      #expect(try follower.subscriber.receive(1)[0].frames[0] == Array("two".utf8))
      for process in [follower.replay, follower.recorder] {
        process.send(signal: SIGINT)
        #expect(try process.wait().exitCode == 0)
      }
    }

    @Test func onlyWhatIsBeingRecordedCanBeFollowed() throws {
      let rig = try Rig()
      try MadeCapture.evenly(3, nanoseconds: 1).write(rig.capture("made"))
      let run = try rig.run("replay", "made", "--follow", "--bind", rig.endpoint("x"))
      #expect(run.exitCode == 1 && run.complaints.count == 1)
      #expect(run.standardError.contains("nobody is recording it"))
    }

    /// A replay that follows a recording of one message, which has arrived.
    private struct Follower {
      let rig: Rig
      let publisher: Publisher
      let recorder: ChildProcess
      let subscriber: Subscriber
      let replay: ChildProcess

      /// `isControlled`: at the endpoint `control` of the rig.
      init(isControlled: Bool = false) throws {
        rig = try Rig()
        publisher = try Publisher()
        recorder = try rig.start(["record", "-o", "live", publisher.endpoint])
        try publisher.waitForSubscriptions()
        try publisher.publish("one", "x")
        try rig.waitForMessages(counted: 1, in: "live")
        subscriber = try Subscriber(connecting: rig.endpoint("follow"))
        replay = try rig.start(
          [
            "replay", "live", "--follow", "--bind", rig.endpoint("follow"), "--json",
            "--wait-subscribers", "1", "--wait-timeout", "30s",
          ] + (isControlled ? ["--control", rig.endpoint("control")] : []))
        #expect(try subscriber.receive(1)[0].frames[0] == Array("one".utf8))
      }
    }
  }
}
