import CaptureStore
import Foundation
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// The timeline of `zcap replay`: several captures on one, one that grows, and who is told its time.
  @Suite struct TimelineTests {
    private static let millisecond: Int64 = 1_000_000

    // MARK: - Several captures

    /// Two captures of so many messages each, 10 ms apart; the second one starts `shift` later.
    private static func writePair(_ rig: Rig, count: Int, shift: Int64) throws {
      let start = CaptureClock.monotonicNanoseconds()
      for (name, begin) in [("a", start), ("b", start + shift)] {
        var capture = MadeCapture()
        capture.endpoints = ["tcp://127.0.0.1:\(name == "a" ? 7001 : 7002)"]
        capture.start = begin
        for number in 0..<count {
          capture.add(at: Int64(number) * 10 * millisecond, name, "\(name)\(number)")
        }
        try capture.write(rig.capture(name))
      }
    }

    private static func alternating(_ count: Int) -> [String] {
      (0..<count).flatMap { ["a\($0)", "b\($0)"] }
    }

    @Test func capturesLieOnOneTimelineByTheirClocks() throws {
      let rig = try Rig()
      try Self.writePair(rig, count: 20, shift: 5 * Self.millisecond)
      #expect(try rig.replayed("a", "b").texts(frame: 1) == Self.alternating(20))
      #expect(try rig.replayed("b", "a").texts(frame: 1) == Self.alternating(20))
      let run = try rig.run(
        "replay", "a", "b", "--bind", rig.endpoint("x"), "--dry-run", "--json")
      let row = try JSONRow(run.standardOutput)
      #expect(row["messages"] == 40 && row.texts("captures")?.count == 2)
      let seconds = try #require(row.number("timeline_s"))
      #expect(abs(seconds - 0.195) < 0.001)
    }

    @Test func capturesCanStartTogether() throws {
      let rig = try Rig()
      let hour = 3_600_000 * Self.millisecond
      try Self.writePair(rig, count: 20, shift: hour)
      let arrivals = try rig.replayed("a", "b", "--align", "start")
      #expect(arrivals.texts(frame: 1) == Self.alternating(20))
      let apart = try rig.replayed("a", "b").texts(frame: 1)
      #expect(apart == (0..<20).map { "a\($0)" } + (0..<20).map { "b\($0)" })
      // Each from its own third message on.
      let later = try rig.replayed("a", "b", "--align", "start", "--from", "+20ms")
      #expect(later.texts(frame: 1) == Array(Self.alternating(20).dropFirst(4)))
    }

    @Test func eachCaptureHasItsOwnEndpoints() throws {
      let rig = try Rig()
      try Self.writePair(rig, count: 10, shift: 0)
      let subscribers = try ["a", "b"].map { try Subscriber(connecting: rig.endpoint($0)) }
      let replay = try rig.start([
        "replay", "a", "b", "--map", "tcp://127.0.0.1:7001=\(rig.endpoint("a"))",
        "--map", "tcp://127.0.0.1:7002=\(rig.endpoint("b"))", "--rate", "max",
        "--wait-subscribers", "1", "--wait-timeout", "30s",
      ])
      let arrivals = try receiveAll(from: subscribers)
      #expect(arrivals[0].texts(frame: 1) == (0..<10).map { "a\($0)" })
      #expect(arrivals[1].texts(frame: 1) == (0..<10).map { "b\($0)" })
      #expect(try replay.wait().exitCode == 0)
    }

    @Test func aCaptureWithoutASelectedMessageIsTold() throws {
      let rig = try Rig()
      try Self.writePair(rig, count: 3, shift: 0)
      let run = try rig.run(
        "replay", "a", "b", "--bind", rig.endpoint("x"), "-t", "a", "--json")
      #expect(run.exitCode == 0, "\(run)")
      #expect(try run.summary["messages"] == 3)
      #expect(run.standardError.contains("b: no message matches the selection"))
    }

    // MARK: - Time

    @Test func theTimeOfTheTimelineIsPublished() throws {
      let rig = try Rig()
      try MadeCapture.evenly(11, nanoseconds: 100 * Self.millisecond).write(rig.capture("made"))
      let clock = try Subscriber(connecting: rig.endpoint("clock"))
      let replay = try rig.start([
        "replay", "made", "--bind", rig.endpoint("x"), "--rate", "2",
        "--clock", rig.endpoint("clock"), "--clock-rate", "200",
      ])
      let ticks = try clock.receiveAll()
      #expect(try replay.wait().exitCode == 0)
      let first = try #require(rig.storeRow("made").text("start").flatMap(Self.unixNanoseconds))
      let times = ticks.map { Self.integer($0.frames[1]) - first }
      #expect(times.count > 10 && times == times.sorted())
      let margin = 2 * Self.millisecond
      #expect(times.allSatisfy { (-margin...1_000 * Self.millisecond + margin).contains($0) })
      // Between messages it goes on.
      #expect(Set(times).count > 11)
      #expect(ticks.allSatisfy { $0.frames[0] == Array("clock".utf8) })
      let speed = Double(bitPattern: UInt64(bitPattern: Self.integer(ticks[5].frames[2])))
      #expect(speed == 2)
    }

    private static func unixNanoseconds(_ text: String) -> Int64? {
      let formatter = ISO8601DateFormatter()
      formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
      return formatter.date(from: text).map { Int64($0.timeIntervalSince1970 * 1e9) }
    }

    private static func integer(_ bytes: [UInt8]) -> Int64 {
      bytes.reversed().reduce(0) { $0 << 8 | Int64($1) }
    }

    @Test func fieldsAreStampedAndNothingElseIsChanged() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      let payload = (0..<40).map { UInt8($0) }
      for number in 0..<3 {
        capture.entries.append(
          .init(
            nanoseconds: Int64(number) * Self.millisecond,
            frames: [Array("imu/x".utf8), payload, payload]))
      }
      capture.entries.append(
        .init(nanoseconds: 3 * Self.millisecond, frames: [Array("gps".utf8), payload]))
      try capture.write(rig.capture("made"))
      let before = Date().timeIntervalSince1970
      let arrivals = try rig.replayed(
        "made", "--restamp", "imu/:frame=1:offset=8:f64le:unix",
        "--restamp", "imu/:frame=2:offset=0:i64be:timeline-ns")
      let after = Date().timeIntervalSince1970
      let first = try #require(rig.storeRow("made").text("start").flatMap(Self.unixNanoseconds))
      for (number, arrival) in arrivals.prefix(3).enumerated() {
        let stamped = arrival.frames[1]
        let bits = UInt64(bitPattern: Self.integer(Array(stamped[8..<16])))
        #expect((before...after).contains(Double(bitPattern: bits)))
        #expect(stamped[..<8] + stamped[16...] == payload[..<8] + payload[16...])
        let recorded = Self.integer(arrival.frames[2][..<8].reversed())
        let due = first + Int64(number) * Self.millisecond
        #expect(abs(recorded - due) < 2 * Self.millisecond)
        #expect(arrival.frames[2][8...] == payload[8...])
      }
      #expect(arrivals[3].frames == [Array("gps".utf8), payload])
    }

    @Test func aMessageWithoutTheFieldIsSentAsItIsAndTold() throws {
      let rig = try Rig()
      try MadeCapture.evenly(3, nanoseconds: 1).write(rig.capture("made"))
      for field in ["tick:frame=1:offset=8:f64le:unix", "tick:frame=7:offset=0:u32le:unix"] {
        let arrivals = try rig.replayed("made", "--restamp", field, exitCode: 3)
        #expect(arrivals.texts(frame: 1) == ["0", "1", "2"])
      }
      // A misspelt beginning of a topic is told, too.
      let idle = try rig.run(
        "replay", "made", "--bind", rig.endpoint("idle"), "--restamp",
        "tock:frame=1:offset=8:f64le:unix", "--topic-map", "tack=x")
      #expect(idle.exitCode == 0 && idle.standardError.contains("starts with 'tock'"), "\(idle)")
      #expect(idle.standardError.contains("starts with 'tack'"), "\(idle)")
      let narrow = try rig.run(
        "replay", "made", "--bind", rig.endpoint("x"), "--restamp",
        "tick:frame=1:offset=0:u32le:unix-ms")
      #expect(narrow.exitCode == 64 && narrow.standardError.contains("32 bits"), "\(narrow)")
      let run = try rig.run(
        "replay", "made", "--bind", rig.endpoint("x"), "--restamp", "tick:frame=1:offset=8:f64le")
      #expect(run.exitCode == 64 && run.complaints.count == 1, "\(run)")
    }

    // MARK: - What is told of each message and topic

    /// The columns of a timing file, by name.
    private static func columns(_ path: String) throws -> [String: [Int]] {
      let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
      let names = try #require(lines.first).split(separator: ",").map(String.init)
      let rows = lines.dropFirst().map {
        $0.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
      }
      return Dictionary(
        uniqueKeysWithValues: names.enumerated().map { index, name in
          (name, rows.map { $0[index] })
        })
    }

    @Test func theTimesOfEachMessageAreWritten() throws {
      let rig = try Rig()
      try MadeCapture.evenly(200, nanoseconds: Self.millisecond).write(rig.capture("made"))
      let path = rig.directory.file("timing.csv")
      let run = try rig.run(
        "replay", "made", "--bind", rig.endpoint("x"), "--rate", "2", "--timing", path)
      #expect(run.exitCode == 0, "\(run)")
      let columns = try Self.columns(path)
      #expect(columns["capture"] == Array(repeating: 1, count: 200))
      #expect(columns["sequence"] == Array(0..<200))
      #expect(columns["timeline_ns"] == (0..<200).map { $0 * 1_000_000 })
      #expect(columns["asked_ns"]?.last.map { abs($0 - 99_500_000) < 1_000 } == true)
      let pairs = zip(columns["asked_ns"] ?? [], columns["sent_ns"] ?? [])
      #expect(pairs.allSatisfy { $0 <= $1 })
      let bad = try rig.run(
        "replay", "made", "--bind", rig.endpoint("x"), "--timing", "/nowhere/x.csv")
      #expect(bad.exitCode == 1 && bad.standardError.contains("/nowhere/x.csv"))
    }

    /// Not before everything else is there that it needs, and where it leads.
    @Test func theFileOfTimesIsMadeWhenTheReplayBegins() throws {
      let rig = try Rig()
      try MadeCapture.evenly(20, nanoseconds: Self.millisecond).write(rig.capture("made"))
      let (path, link) = (rig.directory.file("timing.csv"), rig.directory.file("link.csv"))
      try "of before".write(toFile: path, atomically: true, encoding: .utf8)
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
      let taken = try Socket(.rep, in: Context())
      try taken.bind(rig.endpoint("taken"))
      let refused = try rig.run(
        "replay", "made", "--bind", rig.endpoint("x"), "--timing", link,
        "--control", rig.endpoint("taken"))
      #expect(refused.exitCode == 1, "\(refused)")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "of before")
      let run = try rig.run("replay", "made", "--bind", rig.endpoint("x"), "--timing", link)
      #expect(run.exitCode == 0, "\(run)")
      #expect(try Self.columns(path)["sequence"] == Array(0..<20))
    }

    @Test func whatWasDeliveredIsToldWhereTheTimesCannotBeWritten() throws {
      let rig = try Rig()
      try MadeCapture.evenly(20, nanoseconds: Self.millisecond).write(rig.capture("made"))
      let run = try rig.run(
        "replay", "made", "--bind", rig.endpoint("x"), "--timing", "/dev/full", "--json")
      #expect(run.exitCode == 1 && run.standardError.contains("/dev/full"), "\(run)")
      #expect(try run.summary["messages"] == 20)
    }

    @Test func theLatenessOfEachTopicIsTold() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      for number in 0..<30 {
        capture.add(at: Int64(number) * Self.millisecond, number % 3 == 0 ? "slow" : "fast", "x")
      }
      try capture.write(rig.capture("made"))
      let run = try rig.run(
        "replay", "made", "--bind", rig.endpoint("x"), "--verbose", "--json")
      #expect(run.exitCode == 0, "\(run)")
      let topics = try #require(run.summary.rows("topics"))
      let counts = topics.map { "\($0.text("topic") ?? "") \($0.integer("messages") ?? 0)" }
      #expect(counts.sorted() == ["fast 20", "slow 10"])
      #expect(topics.allSatisfy { $0.number("lateness_p99_s") != nil })
      #expect(run.standardError.contains("99 % within"))
    }

    // MARK: - What is late

    /// More than the queues hold, then 20 messages 10 ms apart.
    private static func writeBurst(_ path: String) throws -> Int {
      var capture = MadeCapture()
      capture.segmentSize = 64 << 20
      let payload = [UInt8](repeating: 0x55, count: 1024)
      for number in 0..<30_020 {
        let tail = max(0, Int64(number) - 30_000) * 10 * millisecond
        capture.entries.append(
          .init(nanoseconds: Int64(number) + tail, frames: [Array("\(number)".utf8), payload]))
      }
      try capture.write(path)
      return 30_020
    }

    /// Replays it to a subscriber that reads nothing for half a second.
    private static func stalled(
      _ rig: Rig, _ options: String...
    ) throws -> (run: ProcessRun, arrivals: [Subscriber.Arrival]) {
      let endpoint = rig.endpoint("late")
      let subscriber = try Subscriber(connecting: endpoint, highWaterMark: 10)
      let replay = try rig.start(
        [
          "replay", "burst", "--bind", endpoint, "--wait-subscribers", "1", "--wait-timeout",
          "30s", "--json",
        ] + options)
      _ = try replay.waitForLine()
      usleep(500_000)
      let arrivals = try subscriber.receiveAll()
      return (try replay.wait(), arrivals)
    }

    @Test func lateMessagesCanBeDropped() throws {
      let rig = try Rig()
      let count = try Self.writeBurst(rig.capture("burst"))
      let (run, _) = try Self.stalled(rig, "--late", "drop", "--max-lateness", "50ms")
      #expect(run.exitCode == 3)
      let summary = try run.summary
      let dropped = try #require(summary.integer("dropped"))
      #expect(dropped > 0 && summary.integer("messages") == count - dropped)
      #expect(run.standardError.contains("came too late and were not sent"))
    }

    @Test func gapsCanBeKept() throws {
      let rig = try Rig()
      let count = try Self.writeBurst(rig.capture("burst"))
      let path = rig.directory.file("timing.csv")
      let (run, _) = try Self.stalled(rig, "--late", "keep-gaps", "--timing", path)
      #expect(run.exitCode == 0, "\(run)")
      let sent = try #require(Self.columns(path)["sent_ns"])
      #expect(sent.count == count)
      // The one that was held up was late, which is told although the others moved.
      #expect(try #require(run.summary.number("lateness_max_s")) > 0.2)
      // Behind the stall the tail has its gaps, but for what is less than a millisecond late.
      let gaps = zip(sent.suffix(20), sent.suffix(19)).map { $1 - $0 }
      #expect(gaps.allSatisfy { $0 >= 8_000_000 }, "\(gaps)")
    }

    @Test func withAllowDropNobodyIsWaitedFor() throws {
      let rig = try Rig()
      let count = try Self.writeBurst(rig.capture("burst"))
      let endpoint = rig.endpoint("drop")
      let subscriber = try Subscriber(connecting: endpoint, highWaterMark: 10)
      let run = try rig.run(
        "replay", "burst", "--bind", endpoint, "--wait-subscribers", "1", "--allow-drop",
        "--rate", "max", "--linger", "0s", "--json")
      #expect(try run.summary["messages"] == .integer(count) && run.summary["held_s"] == 0)
      _ = subscriber
    }

    @Test func aDealerSendsToItsPeers() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000).write(rig.capture("made"))
      let peer = try Subscriber(.dealer, connecting: rig.endpoint("dealer"))
      let replay = try rig.start([
        "replay", "made", "--type", "dealer", "--bind", rig.endpoint("dealer"), "--rate", "max",
        "--wait-subscribers", "1", "--wait-timeout", "30s",
      ])
      #expect(try peer.receiveAll().numberingFault(frame: 1, count: 100) == nil)
      #expect(try replay.wait().exitCode == 0)
    }

    @Test func aDealerReadsAnswersWhileItIsHeldUp() throws {
      let rig = try Rig()
      // More than queues and buffers hold behind those that are answered.
      let (count, answered) = (60_000, 20_000)
      try MadeCapture.evenly(count, nanoseconds: 1_000).write(rig.capture("made"))
      let peer = try Socket(.dealer, in: Context())
      try peer.set(.lingerMilliseconds, 0)
      try peer.set(.sendTimeoutMilliseconds, 10_000)
      try peer.set(.receiveTimeoutMilliseconds, 10_000)
      try peer.connect(rig.endpoint("dealer"))
      let replay = try rig.start([
        "replay", "made", "--type", "dealer", "--bind", rig.endpoint("dealer"), "--rate", "max",
        "--wait-subscribers", "1", "--wait-timeout", "30s",
      ])
      let answer = [UInt8](repeating: 1, count: 16 << 10)
      var message = Message()
      for number in 0..<count {
        try #require(try peer.receive(into: &message, waiting: true), "message \(number)")
        if number < answered { try peer.send([answer]) }
      }
      #expect(try replay.wait().exitCode == 0)
    }
  }
}
