import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// The main job, between programs that zcap knows nothing of.
  @Suite struct RoundTripTests {
    static let messagesByEndpoint = 50_000

    /// 100,000 messages of 1 to 200 frames of 0 B to 1 MiB, on two endpoints, there and back.
    @Test func everyByteAndTheOrderSurviveRecordAndReplay() throws {
      let rig = try Rig()
      let seed =
        ProcessInfo.processInfo.environment["ZCAP_TEST_SEED"]
        ?? String(UInt32.random(in: 0 ... .max))
      print("seed of the traffic: \(seed)")
      let count = Self.messagesByEndpoint

      let publisher = try rig.python(
        "publish.py", [seed, "\(count)", "tcp://127.0.0.1:*", rig.endpoint("second")])
      let recorded = try Self.endpoints(publisher.waitForLine())
      let recorder = try rig.start(["record", "--json", "-o", "traffic"] + recorded)
      _ = try recorder.waitForLine(seconds: 180) { line in
        try JSONRow(line).integer("messages") ?? 0 >= 2 * count
      }
      #expect(try publisher.wait(seconds: 180).exitCode == 0)
      recorder.send(signal: SIGINT)
      let recording = try recorder.wait()
      #expect(recording.exitCode == 0, "seed \(seed): \(recording)")
      #expect(try recording.summary["messages"] == .integer(2 * count), "seed \(seed)")
      let row = try rig.storeRow("traffic")
      #expect(row["state"] == "sealed" && row["messages"] == .integer(2 * count))
      #expect(row["lost"] == 0 && row["endpoints"] == 2)

      // One endpoint is bound by the replay, the other one by the subscriber.
      let subscriber = try rig.python(
        "subscribe.py",
        [seed, "\(count)", "connect:\(rig.endpoint("replayed"))", "bind:tcp://127.0.0.1:*"])
      let targets = try Self.endpoints(subscriber.waitForLine())
      let replay = try rig.start([
        "replay", "traffic", "--rate", "max", "--json", "--wait-subscribers", "1",
        "--map", "\(recorded[0])=\(targets[0])", "--map", "\(recorded[1])=>\(targets[1])",
      ])
      let replaying = try replay.wait(seconds: 180)
      #expect(replaying.exitCode == 0, "seed \(seed): \(replaying)")
      let receiving = try subscriber.wait(seconds: 180)
      #expect(receiving.exitCode == 0, "seed \(seed): \(receiving)")

      let result = try #require(try JSONRow.rows(Self.lastLine(receiving)).last)
      #expect(result["received"] == [50_000, 50_000], "seed \(seed)")
      #expect(result["faults"] == [], "seed \(seed)")
      #expect(result["bytes"] == row["bytes"])
      #expect(try replaying.summary["bytes"] == row["bytes"])
    }

    /// An address of IPv6 is tried without end by who does not ask for that version.
    @Test(.enabled(if: hasIPv6, "the loopback interface has IPv6"))
    func addressesOfIPv6AreReplayedToAndRecorded() throws {
      let rig = try Rig()
      try MadeCapture.evenly(50, nanoseconds: 1000).write(rig.capture("made"))
      let replay = try rig.start([
        "replay", "made", "--bind", "tcp://[::1]:*", "--json", "--rate", "max",
        "--wait-subscribers", "1",
      ])
      let endpoint = try #require(try JSONRow(try replay.waitForLine()).texts("endpoints")?.first)
      #expect(endpoint.hasPrefix("tcp://[::1]:"))
      let recorder = try rig.start(["record", "--json", "-o", "copy", endpoint])
      _ = try recorder.waitForLine { try JSONRow($0).integer("messages") == 50 }
      #expect(try replay.wait().exitCode == 0)
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
      #expect(try rig.storeRow("copy")["messages"] == 50)
    }

    private static func endpoints(_ line: String) throws -> [String] {
      try JSONDecoder().decode([String].self, from: Data(line.utf8))
    }

    private static func lastLine(_ run: ProcessRun) -> String {
      run.standardOutput.split(separator: "\n").last.map(String.init) ?? ""
    }
  }
}
