import TestSupport
import Testing

extension ZcapTests {
  /// Which messages `ls --messages` and `replay` select, and how topics are told.
  @Suite struct SelectionTests {
    static let first = "tcp://127.0.0.1:7001"
    static let second = "ipc:///tmp/second"

    /// A message a second, on two endpoints.
    static func write(_ path: String) throws {
      var capture = MadeCapture()
      capture.endpoints = [first, second]
      func add(_ endpoint: Int, _ frames: [UInt8]...) {
        let time = Int64(capture.entries.count) * 1_000_000_000
        capture.entries.append(
          .init(endpoint: endpoint, nanoseconds: time, frames: frames))
      }
      add(0, Array("a/1".utf8), Array("hello there".utf8))
      add(1, Array("b/1".utf8), Array(#"{"n": 1}"#.utf8))
      add(0, Array("a/2".utf8), Array(#"{"n": 2}"#.utf8))
      add(0, Array("a/1".utf8), Array("hello again".utf8))
      add(1, [0xFF, 0x01], [0x00, 0xFE, 0x80])
      add(0, Array(#"{"n": 5}"#.utf8))
      add(1, Array("a/3".utf8), Array("text and json".utf8), Array("[6]".utf8))
      try capture.write(path)
    }

    static let selections: [([String], [Int])] = [
      ([], [0, 1, 2, 3, 4, 5, 6]),
      (["-t", "a/"], [0, 2, 3, 6]),
      (["-t", "a/1"], [0, 3]),
      (["-t", "b", "--topic", "a/2"], [1, 2]),
      (["-t", ""], [0, 1, 2, 3, 4, 6]),
      (["-t", "none"], []),
      (["--from", "+2s"], [2, 3, 4, 5, 6]),
      (["--from", "+2000ms", "--until", "+4s"], [2, 3]),
      (["--until", "+1.5s"], [0, 1]),
      (["--from", "-2s"], [4, 5, 6]),
      (["--until", "-5s"], [0]),
      (["--from", "+0m1s", "--until", "-0.5s", "-t", "a"], [2, 3]),
      (["--endpoint", second], [1, 4, 6]),
      (["--endpoint", second, "--endpoint", first], [0, 1, 2, 3, 4, 5, 6]),
      (["--codec", "json"], [1, 2, 5, 6]),
      (["--codec", "text|json"], [1, 2]),
      (["--codec", "text|text|json", "--codec", "text|text"], [0, 3, 6]),
      (["--codec", "raw"], [4]),
      (["--limit", "2"], [0, 1]),
      (["--limit", "2", "--from", "+3s"], [3, 4]),
      (["--limit", "100"], [0, 1, 2, 3, 4, 5, 6]),
      (["--endpoint", first, "--codec", "text", "--from", "+1s"], [2, 3]),
    ]

    @Test(arguments: selections)
    func listsTheSelectedMessages(arguments: [String], sequences: [Int]) throws {
      let rig = try Rig()
      try Self.write(rig.capture("made"))
      let run = try rig.start(["ls", "made", "--messages", "--json"] + arguments).wait()
      #expect(run.exitCode == 0, "\(run)")
      let listed = try JSONRow.rows(run.standardOutput).map { $0.integer("sequence") }
      #expect(listed == sequences)
    }

    static let rows: [([String], [Int])] = [
      (["-t", "a/"], [2, 1, 1]),
      (["-t", "a/2", "-t", "b"], [1, 1]),
      (["--endpoint", second], [1, 1, 1]),
      (["--codec", "json"], [1, 1, 1, 1]),
      (["--codec", "raw", "-t", "a"], []),
    ]

    @Test(arguments: rows)
    func listsTheSelectedRows(arguments: [String], messages: [Int]) throws {
      let rig = try Rig()
      try Self.write(rig.capture("made"))
      let run = try rig.start(["ls", "made", "--json"] + arguments).wait()
      #expect(run.exitCode == 0, "\(run)")
      let listed = try JSONRow.rows(run.standardOutput).compactMap { $0.integer("messages") }
      #expect(listed.sorted(by: >) == messages)
    }

    @Test func timesOfDaySelectToTheNanosecond() throws {
      let rig = try Rig()
      try Self.write(rig.capture("made"))
      let times = try rig.list("made", "--messages").map { try #require($0.text("time")) }
      let some = try rig.list(
        "made", "--messages", "--from", times[2], "--until", times[5])
      #expect(some.map { $0["sequence"] } == [2, 3, 4])
    }

    static let replays: [([String], [Int])] = [
      (["-t", "a/"], [0, 2, 3, 6]),
      (["--from", "+2s", "--until", "+4s"], [2, 3]),
      (["--until", "-5s"], [0]),
      (["--from", "-2s", "-t", "a"], [6]),
    ]

    @Test(arguments: replays)
    func replaysTheSelectedMessages(arguments: [String], sequences: [Int]) throws {
      let rig = try Rig()
      try Self.write(rig.capture("made"))
      let all = try rig.replayed("made").map(\.frames)
      #expect(all.count == 7)
      let endpoint = rig.endpoint("some")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start(
        ["replay", "made", "--bind", endpoint, "--rate", "max", "--wait-subscribers", "1"]
          + arguments)
      #expect(try subscriber.receiveAll().map(\.frames) == sequences.map { all[$0] })
      #expect(try replay.wait().exitCode == 0)
    }

    static let rules: [(String, [JSONRow.Value])] = [
      ("auto", ["key", "word", .null, ""]),
      ("frame", ["key", "word payload", "nospace", ""]),
      ("delimiter:o", [.null, "w", "n", .null]),
      ("prefix:2", ["ke", "wo", "no", ""]),
      ("none", [.null, .null, .null, .null]),
    ]

    /// The topics of four messages by a rule, whether used while recording or afterwards.
    @Test(arguments: rules)
    func topicsAreToldByTheRule(rule: String, topics: [JSONRow.Value]) throws {
      let rig = try Rig()
      let publisher = try Publisher()
      func publish(_ publisher: Publisher) throws -> Int {
        try publisher.publish("key", "payload")
        try publisher.publish("word payload")
        try publisher.publish("nospace")
        try publisher.publish("", "empty topic")
        return 4
      }
      try rig.record([publisher], to: "recorded", ["--topic-rule", rule]) {
        try publish(publisher)
      }
      let listed = try rig.list("recorded", "--messages").map { $0["topic"] }
      #expect(listed == topics)

      let other = try Rig()
      let source = try Publisher()
      try other.record([source], to: "later") {
        try publish(source)
      }
      #expect(try other.run("reindex", "later", "--topic-rule", rule).exitCode == 0)
      #expect(try other.list("later", "--messages").map { $0["topic"] } == topics)
      #expect(try other.manifest("later")["topicRule"] as? String == rule)
    }
  }
}
