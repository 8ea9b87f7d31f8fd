import TestSupport
import Testing

extension ZcapTests {
  /// How long a replay of ten recorded seconds takes.
  @Suite struct PacingTests {
    static let attempts = 3

    struct Case: Sendable, CustomTestStringConvertible {
      var rate: String
      var seconds: Double
      /// As a fraction.
      var tolerance: Double
      var testDescription: String { "rate \(rate) takes \(seconds) s" }
    }

    @Test(arguments: [
      Case(rate: "1", seconds: 10, tolerance: 0.005),
      Case(rate: "10", seconds: 1, tolerance: 0.02),
      Case(rate: "4", seconds: 2.5, tolerance: 0.02),
      Case(rate: "0.5", seconds: 1, tolerance: 0.02),
    ])
    func aReplayLastsAsLongAsTheRateSays(of test: Case) throws {
      let rig = try Rig()
      // Bursts and pauses, not an even tick; the last message is exactly at the end.
      let length = Int64(test.seconds * (Double(test.rate) ?? 0) * 1e9)
      var capture = MadeCapture()
      for number in 0...1000 {
        let spread = Int64(number) * length / 1000
        let isBurst = number % 10 != 0
        let time = isBurst ? spread / (length / 100) * (length / 100) + Int64(number) : spread
        capture.add(at: time, "tick", String(number))
      }
      try capture.write(rig.capture("timeline"))

      // A busy machine delays a message now and then; a replay that drifts is wrong every time.
      var measured: [Measured] = []
      for _ in 0..<Self.attempts {
        measured.append(try Self.replay(rig, test))
        if measured.last!.isWithin(test) { break }
      }
      print("\(test): \(measured)")
      #expect(measured.contains { $0.isWithin(test) }, "\(measured)")
    }

    struct Measured {
      var told: Double
      var seen: Double
      var rate: Double

      func isWithin(_ test: Case) -> Bool {
        let allowed = test.seconds * test.tolerance
        return abs(told - test.seconds) <= allowed && abs(seen - test.seconds) <= allowed
          && abs(rate / (Double(test.rate) ?? 0) - 1) <= test.tolerance
      }
    }

    private static func replay(_ rig: Rig, _ test: Case) throws -> Measured {
      let endpoint = rig.endpoint("paced")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start([
        "replay", "timeline", "--bind", endpoint, "--rate", test.rate, "--json",
        "--wait-subscribers", "1",
      ])
      let arrivals = try subscriber.receiveAll()
      let run = try replay.wait()
      #expect(run.exitCode == 0, "\(run)")
      #expect(arrivals.texts(frame: 1) == (0...1000).map(String.init))
      let summary = try run.summary
      #expect(summary["rate_asked"] == .text(test.rate))
      return Measured(
        told: try #require(summary.number("duration_s")),
        seen: arrivals.last!.time - arrivals[0].time,
        rate: try #require(summary.number("rate_achieved")))
    }
  }
}
