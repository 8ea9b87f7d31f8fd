import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// `--map`: one socket for each recorded endpoint.
  @Suite struct MappedReplayTests {
    static let first = "tcp://127.0.0.1:7001"
    static let second = "ipc:///tmp/second"

    /// Messages that alternate between two endpoints.
    private static func write(_ path: String, _ count: Int, nanoseconds: Int64) throws {
      var capture = MadeCapture()
      capture.endpoints = [first, second]
      for number in 0..<count {
        capture.add(endpoint: number % 2, at: Int64(number) * nanoseconds, "t", "\(number)")
      }
      try capture.write(path)
    }

    @Test func eachEndpointGoesOutOnItsOwnSocket() throws {
      let rig = try Rig()
      try Self.write(rig.capture("made"), 1000, nanoseconds: 1000)
      let subscribers = try [
        Subscriber(connecting: rig.endpoint("a")), Subscriber(binding: "tcp://127.0.0.1:*"),
      ]
      let replay = try rig.start([
        "replay", "made", "--map", "\(Self.first)=\(rig.endpoint("a"))",
        "--map", "\(Self.second)=>\(subscribers[1].endpoint)", "--rate", "max",
        "--wait-subscribers", "1", "--wait-timeout", "20s",
      ])
      let arrivals = try receiveAll(from: subscribers)
      let run = try replay.wait()
      #expect(run.exitCode == 0, "\(run)")
      #expect(arrivals[0].texts(frame: 1) == stride(from: 0, to: 1000, by: 2).map(String.init))
      #expect(arrivals[1].texts(frame: 1) == stride(from: 1, to: 1000, by: 2).map(String.init))
    }

    /// A path may contain what separates the two halves of a mapping.
    @Test func anAddressWithAnEqualsSignIsMapped() throws {
      let rig = try Rig()
      var capture = MadeCapture.evenly(10, nanoseconds: 1000)
      capture.endpoints = ["ipc:///tmp/of=it"]
      try capture.write(rig.capture("made"))
      let run = try rig.run(
        "replay", "made", "--map", "ipc:///tmp/of=it=\(rig.endpoint("a"))", "--json")
      #expect(run.exitCode == 0, "\(run)")
      #expect(try run.summary["messages"] == 10)
    }

    @Test func whatIsNotMappedIsNotSent() throws {
      let rig = try Rig()
      try Self.write(rig.capture("made"), 100, nanoseconds: 1000)
      let subscriber = try Subscriber(connecting: rig.endpoint("a"))
      let replay = try rig.start([
        "replay", "made", "--map", "\(Self.first)=\(rig.endpoint("a"))", "--rate", "max",
        "--wait-subscribers", "1", "--json",
      ])
      let numbers = try subscriber.receiveAll().texts(frame: 1)
      #expect(numbers == stride(from: 0, to: 100, by: 2).map(String.init))
      #expect(try replay.wait().summary["messages"] == 50)
    }

    /// Two sockets are two connections; their order is seen where messages are apart in time. A
    /// busy machine takes in two of them at once, and then in any order: so the best of three.
    @Test func theOrderAcrossEndpointsIsKept() throws {
      let rig = try Rig()
      try Self.write(rig.capture("made"), 60, nanoseconds: 20_000_000)
      var misplaced: [Int] = []
      for attempt in 0..<3 {
        let endpoints = ["a", "b"].map { rig.endpoint("\($0)\(attempt)") }
        let pullers = try endpoints.map { try Subscriber(.pull, connecting: $0) }
        let replay = try rig.start([
          "replay", "made", "--type", "push", "--wait-subscribers", "1",
          "--map", "\(Self.first)=\(endpoints[0])", "--map", "\(Self.second)=\(endpoints[1])",
        ])
        let arrivals = try receiveAll(from: pullers)
        #expect(try replay.wait().exitCode == 0)
        let merged = arrivals.joined().sorted { $0.time < $1.time }.texts(frame: 1)
        #expect(merged.count == 60)
        misplaced.append(merged.enumerated().filter { $1 != String($0) }.count)
        if misplaced[attempt] <= 6 { break }
      }
      #expect(misplaced.min()! <= 6, "\(misplaced) of 60 messages")
    }

    @Test func aWaitForSubscribersIsForEverySocket() throws {
      let rig = try Rig()
      try Self.write(rig.capture("made"), 10, nanoseconds: 1000)
      let subscriber = try Subscriber(connecting: rig.endpoint("a"))
      let run = try rig.run(
        "replay", "made", "--map", "\(Self.first)=\(rig.endpoint("a"))",
        "--map", "\(Self.second)=\(rig.endpoint("b"))", "--rate", "max",
        "--wait-subscribers", "1", "--wait-timeout", "500ms")
      #expect(run.exitCode == 1)
      #expect(run.standardError.contains("only 0 of 1 subscribers"))
      #expect(try subscriber.receiveAll().isEmpty)
    }
  }
}
