import CaptureStore
import Foundation
import Glibc
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// What was lost, and what may be, with real processes that lose it.
  @Suite struct LedgerTests {
    private static let sequence = ["--sequence", "count:frame=1:offset=0:u32le"]

    /// The rows of `ls --events`, whatever it says of the capture.
    private func ledger(_ rig: Rig, _ arguments: String...) throws -> [JSONRow] {
      try JSONRow.rows(
        rig.start(["ls", "--events", "--json"] + arguments).wait().standardOutput)
    }

    private func count(_ number: Int) -> [UInt8] {
      withUnsafeBytes(of: UInt32(number).littleEndian) { Array($0) }
    }

    @Test func aPublisherThatVanishesAndReturnsIsTold() throws {
      let rig = try Rig()
      let endpoint = rig.endpoint("vanishing")
      let first = try rig.python("count.py", [endpoint, "0", "1000", "100", "101", "500"])
      _ = try first.waitForLine()
      let recorder = try rig.start(["record", endpoint, "-o", "gone", "--json"] + Self.sequence)
      try rig.waitForMessages(counted: 997, in: "gone")
      first.send(signal: SIGKILL)
      try waitFor("the loss to be told") { recorder.standardError.contains("is gone") }
      try waitFor("the end of the publisher") { !first.isRunning }
      let second = try rig.python("count.py", [endpoint, "1010", "1500"])
      try rig.waitForMessages(counted: 1487, in: "gone")
      try waitFor("the return to be told") { recorder.standardError.contains("is back after") }
      recorder.send(signal: SIGINT)
      let run = try recorder.wait()
      #expect(run.exitCode == 3 && run.standardError.contains("13 messages never came"), "\(run)")
      #expect(try run.summary["lost"] == 13 && run.summary["complete"] == false)
      #expect(try run.summary["possible_loss_events"] == .texts(["disconnected"]))
      withExtendedLifetime(second) {}

      let rows = try ledger(rig, "gone")
      let kinds = rows.compactMap { $0.text("event") }
      #expect(
        kinds == [
          "started", "connected", "gap", "gap", "disconnected", "retried", "connected", "gap",
          "ended",
        ])
      let times = rows.compactMap { $0.text("time") }
      #expect(times == times.sorted() && times.count == rows.count)
      #expect(rows.filter { $0["event"] == "gap" }.map { $0["lost"] } == [2, 1, 10])
      #expect(rows.filter { $0["event"] == "gap" }.map { $0["first"] } == [100, 500, 1000])
      let about = rows.filter { $0["event"] != "started" && $0["event"] != "ended" }
      #expect(about.allSatisfy { $0["endpoint"] == .text(endpoint) })
      let back = try #require(rows.last { $0["event"] == "connected" })
      #expect(back.integer("retries") ?? 0 >= 1 && back.integer("after_ms") ?? 0 > 0)
      #expect(try rig.storeRow("gone")["lost"] == 13)

      let listing = try rig.run("ls", "gone", "--require-complete")
      #expect(listing.exitCode == 3 && listing.complaints.count == 1)
      #expect(listing.standardError.contains("13 messages are lost; 1 disconnected may hide"))
      // The same from the segments alone, and by no rule at all.
      try FileManager.default.removeItem(atPath: "\(rig.capture("gone"))/index.sqlite")
      #expect(try ledger(rig, "gone") == rows)
    }

    @Test func whatAHeldUpRecorderMakesItsPublisherDropIsFoundByTheCounter() throws {
      let rig = try Rig()
      let publisher = try Socket(.xpub, in: Context())
      try publisher.set(.sendHighWaterMark, 50)
      try publisher.set(.receiveTimeoutMilliseconds, 30_000)
      try publisher.set(.lingerMilliseconds, 0)
      try publisher.bind("tcp://127.0.0.1:*")
      let endpoint = try publisher.lastEndpoint
      let recorder = try rig.start(
        ["record", endpoint, "-o", "held", "--hwm", "50", "--json"] + Self.sequence)
      #expect(try publisher.receiveFrames() == [[1]])
      var sent = 0
      func publish(_ messages: Int, bytes: Int) throws {
        let payload = [UInt8](repeating: 1, count: bytes)
        for _ in 0..<messages {
          try publisher.send([Array("count".utf8), count(sent), payload])
          sent += 1
        }
      }
      try publish(10, bytes: 10)
      try rig.waitForMessages(counted: 10, in: "held")
      recorder.send(signal: SIGSTOP)
      let stopped = monotonicSeconds()
      // Far more than TCP's buffers and both high-water marks hold.
      try publish(3_000, bytes: 64 << 10)
      // What is told is what it slept longer than it meant to, and that is some tenths of a second.
      while monotonicSeconds() - stopped < 2.5 { usleep(10_000) }
      recorder.send(signal: SIGCONT)
      // One that is not dropped shows what was before it.
      try waitFor("the queue to be empty") {
        let before = try rig.messagesCounted(in: "held")
        usleep(400_000)
        return try rig.messagesCounted(in: "held") == before
      }
      let received = try rig.messagesCounted(in: "held")
      try publish(1, bytes: 10)
      try rig.waitForMessages(counted: received + 1, in: "held")
      recorder.send(signal: SIGINT)
      let run = try recorder.wait()
      #expect(run.exitCode == 3, "\(run)")
      let lost = sent - received - 1
      #expect(lost > 0, "the publisher dropped something")
      print("\(sent) published, \(received + 1) recorded, \(lost) lost")

      let rows = try ledger(rig, "held")
      #expect(rows.reduce(0) { $0 + ($1.integer("lost") ?? 0) } == lost)
      #expect(try rig.storeRow("held")["lost"] == .integer(lost))
      let pause = try #require(rows.first { $0["event"] == "paused" })
      #expect(pause.integer("ms") ?? 0 >= 1000)
      #expect(run.standardError.contains("zcap was stopped for"))
      let listing = try rig.run("ls", "held", "--require-complete")
      #expect(listing.exitCode == 3 && listing.standardError.contains("1 paused"))
    }

    enum Peer: String, CaseIterable, Sendable {
      /// A socket that no subscriber fits.
      case reply
      /// Another security mechanism.
      case mechanism
      /// Not ZeroMQ at all.
      case garbage
    }

    @Test(arguments: Peer.allCases) func aHandshakeThatFailsIsTold(peer: Peer) throws {
      let rig = try Rig()
      // ZMQ_STREAM: bytes as they are, after a frame that names the connection.
      let socket = try Socket(peer == .reply ? .rep : SocketType(rawValue: 11), in: Context())
      try socket.set(.lingerMilliseconds, 0)
      try socket.set(.receiveTimeoutMilliseconds, 30_000)
      try socket.bind("tcp://127.0.0.1:*")
      let web = peer == .garbage ? try rig.python("refuse.py", []) : nil
      let endpoint = try web?.waitForLine() ?? socket.lastEndpoint
      let fine = try Publisher()
      let recorder = try rig.start(["record", endpoint, fine.endpoint, "-o", "failed"])
      try fine.waitForSubscriptions()
      try fine.publish("t", "x")
      if peer == .mechanism {
        let connection = try #require(try socket.receiveFrames())[0]
        let greeting = [255] + [UInt8](repeating: 0, count: 8) + [127, 3, 0] + Array("CURVE".utf8)
        let padding = [UInt8](repeating: 0, count: 64 - greeting.count)
        try socket.send([connection, greeting + padding])
      }
      try waitFor("the failure to be told") {
        recorder.standardError.contains("handshake with \(endpoint) failed: ")
      }
      try rig.waitForMessages(counted: 1, in: "failed")
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
      withExtendedLifetime(web) {}

      let rows = try ledger(rig, "failed", "--endpoint", endpoint)
        .filter { $0["endpoint"] == .text(endpoint) }
      let failure = try #require(rows.first { $0["event"] == "handshake_failed" })
      print("\(peer): \(failure)")
      #expect(failure.text("reason")?.isEmpty == false && failure.integer("count") ?? 0 >= 1)
      #expect(failure["lost"] == 0)
      let reason = try #require(failure.text("reason"))
      let table = try rig.run("ls", "failed", "--events").standardOutput
      #expect(table.contains(reason.contains(" ") ? "reason=\"\(reason)\"" : "reason=\(reason)"))
      #expect(!rows.contains { $0["event"] == "connected" || $0["event"] == "disconnected" })
      #expect(try rig.run("ls", "failed").exitCode == 0)
      let listing = try rig.run("ls", "failed", "--require-complete")
      #expect(listing.exitCode == 3 && listing.standardError.contains("handshake_failed may hide"))
    }

    @Test func aBoundEndpointTellsEachPublisherThatGoes() throws {
      let rig = try Rig()
      let endpoint = rig.endpoint("collector")
      let recorder = try rig.start(["record", "--bind", endpoint, "-o", "bound"])
      var publishers: [Publisher?] = []
      for number in 0..<3 {
        let publisher = try Publisher(connecting: endpoint)
        try publisher.waitForSubscriptions()
        try publisher.publish("t", String(number))
        publishers.append(publisher)
      }
      try rig.waitForMessages(counted: 3, in: "bound")
      publishers[1] = nil
      try waitFor("the loss to be told") { recorder.standardError.contains("is gone") }
      recorder.send(signal: SIGINT)
      _ = try recorder.wait()
      withExtendedLifetime(publishers) {}
      let rows = try ledger(rig, "bound").filter { $0["endpoint"] == .text(endpoint) }
      #expect(
        rows.map { $0["event"] } == ["connected", "connected", "connected", "disconnected"])
      #expect(rows.map { $0["peers"] } == [1, 2, 3, 2])
    }

    @Test func aQuietRecordingIsCompleteAndSaysHowItBeganAndEnded() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      try rig.record([publisher], to: "quiet") {
        try publisher.publish("t", "x")
        return 1
      }
      let rows = try ledger(rig, "quiet")
      #expect(rows.map { $0["event"] } == ["started", "connected", "ended"])
      #expect(rows.map(\.names).first == ["time", "event", "endpoint", "lost"])
      #expect(rows.last?["reason"] == "stopped" && rows.last?["messages"] == 1)
      for arguments in [["ls", "quiet"], ["ls"], ["ls", "quiet", "--events"]] {
        let run = try rig.start(arguments + ["--require-complete"]).wait()
        #expect(run.exitCode == 0 && run.standardError.isEmpty, "\(run)")
      }
      let table = try rig.run("ls", "quiet", "--events").standardOutput.split(separator: "\n")
      #expect(table.count == 4 && table.first?.hasPrefix("TIME") == true)
    }

    @Test func eventsAreSelectedByTime() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      try rig.record([publisher], to: "timed") {
        for _ in 0..<3 { try publisher.publish("t", "x") }
        return 3
      }
      #expect(try ledger(rig, "timed", "--from", "+0s").map { $0["event"] } == ["ended"])
      let before = try ledger(rig, "timed", "--until", "+0s")
      #expect(before.map { $0["event"] } == ["started", "connected"])
      #expect(try ledger(rig, "timed", "--limit", "1").map { $0["event"] } == ["started"])
    }

    @Test func aCaptureThatWasCutIsToldByAll() throws {
      for hasIndex in [true, false] {
        let rig = try Rig()
        try MadeCapture.evenly(500, nanoseconds: 1_000).write(rig.capture("cut"))
        #expect(try rig.run("reindex", "cut").exitCode == 0)
        let segment = "\(rig.capture("cut"))/segments/000000000000.zseg"
        let size = try #require(
          try FileManager.default.attributesOfItem(atPath: segment)[.size] as? Int)
        #expect(truncate(segment, off_t(size / 2)) == 0)
        if !hasIndex {
          try FileManager.default.removeItem(atPath: "\(rig.capture("cut"))/index.sqlite")
        }
        let runs = [
          try rig.run("ls", "cut"), try rig.run("ls", "cut", "--messages"),
          try rig.run("ls", "cut", "--events"),
          try rig.run("replay", "cut", "--bind", rig.endpoint("cut"), "--rate", "max"),
        ]
        for run in runs {
          #expect(run.exitCode == 3, "\(run)")
          #expect(run.standardError.contains("1 segment was cut off"))
          #expect(!run.standardError.contains("0 messages") && !run.standardError.contains(" 0 B"))
        }
      }
    }

    @Test func aDamagedMessageIsMissingAndCountedOnce() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      for number in 0..<100 where number != 70 { capture.add(at: 0, number) }
      try capture.write(rig.capture("damaged"))
      try rig.flipByte(in: "damaged", message: 30)
      #expect(try rig.run("reindex", "damaged", Self.sequence[0], Self.sequence[1]).exitCode == 3)
      let rows = try ledger(rig, "damaged")
      #expect(rows.map { $0["event"] } == ["corruption", "missing", "gap", "gap"])
      #expect(rows.map { $0["lost"] } == [0, 1, 0, 1])
      #expect(rows[2]["missing_here"] == 1 && rows[3]["first"] == 70)
      #expect(try rig.storeRow("damaged")["lost"] == 2)
      let listing = try rig.run("ls", "damaged")
      #expect(listing.exitCode == 3)
      #expect(listing.standardError.contains("2 messages are lost, 64 B are damaged"))
    }

    @Test func otherRulesFindOtherGaps() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      for number in 0..<100 where number % 10 != 5 { capture.add(at: 0, number) }
      try capture.write(rig.capture("made"))
      #expect(try rig.run("ls", "made").exitCode == 0)
      #expect(try rig.run("reindex", "made", Self.sequence[0], Self.sequence[1]).exitCode == 3)
      #expect(try rig.storeRow("made")["lost"] == 10)
      let manifest = try rig.manifest("made")
      #expect(manifest["sequences"] as? [String] == [Self.sequence[1]])
      // Without an index the rule is that of the manifest.
      try FileManager.default.removeItem(atPath: "\(rig.capture("made"))/index.sqlite")
      #expect(try rig.storeRow("made")["lost"] == 10)
      let other = "x:frame=1:offset=0:u32le"
      #expect(try rig.run("reindex", "made", "--sequence", other).exitCode == 0)
      #expect(try rig.storeRow("made")["lost"] == 0)
    }
  }
}

extension MadeCapture {
  /// A message with a number of four bytes, lowest first.
  fileprivate mutating func add(at nanoseconds: Int64, _ number: Int) {
    let bytes = withUnsafeBytes(of: UInt32(number).littleEndian) { Array($0) }
    entries.append(Entry(nanoseconds: nanoseconds, frames: [Array("count".utf8), bytes]))
  }
}

extension Rig {
  /// Messages in a capture, by its segments: its index comes later.
  func messagesCounted(in name: String) throws -> Int {
    guard Capture.exists(at: CapturePath.manifest(capture(name))) else { return 0 }
    return try CaptureWalk(Capture(path: capture(name)), verifying: .header).order.count
  }

  func waitForMessages(counted count: Int, in name: String) throws {
    try waitFor("\(count) messages in \(name)") { try messagesCounted(in: name) >= count }
  }
}
