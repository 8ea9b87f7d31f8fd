import Foundation
import TestSupport
import Testing

extension ZcapTests {
  @Suite struct ListTests {
    // Names and order are fixed: programs read them.
    static let storeNames = [
      "capture", "path", "state", "start", "end", "duration_s", "messages", "bytes", "topics",
      "endpoints", "lost",
    ]
    static let captureNames = [
      "topic", "endpoint", "codec", "messages", "bytes", "rate_hz", "first", "last",
    ]
    static let messageNames = [
      "sequence", "time", "time_ns", "endpoint", "topic", "codec", "frames",
    ]

    @Test func aRowOfTheStoreHasItsFieldsInOrder() throws {
      let rig = try Rig()
      try MadeCapture.evenly(5, nanoseconds: 500_000_000).write(rig.capture("made"))
      let rows = try rig.list()
      #expect(rows.map(\.names) == [Self.storeNames])
      let row = try #require(rows.first)
      #expect(row["capture"] == "made" && row["state"] == "sealed")
      #expect(row["path"] == .text(rig.capture("made")))
      #expect(row.number("duration_s") == 2)
      #expect(row["messages"] == 5 && row["bytes"] == 25)
      #expect(row["topics"] == 1 && row["endpoints"] == 1 && row["lost"] == 0)
      let messages = try rig.list("made", "--messages")
      #expect(row["start"] == messages.first?["time"] && row["end"] == messages.last?["time"])
    }

    @Test func aRowOfACaptureHasItsFieldsInOrder() throws {
      let rig = try Rig()
      try MadeCapture.evenly(5, nanoseconds: 500_000_000).write(rig.capture("made"))
      let rows = try rig.list("made")
      #expect(rows.map(\.names) == [Self.captureNames])
      let row = try #require(rows.first)
      #expect(row["topic"] == "tick" && row["endpoint"] == "tcp://127.0.0.1:7001")
      #expect(row["messages"] == 5 && row["bytes"] == 25)
      #expect(row.number("rate_hz") == 2)
      let messages = try rig.list("made", "--messages")
      #expect(row["first"] == messages.first?["time"] && row["last"] == messages.last?["time"])
    }

    @Test func aRowOfAMessageHasItsFieldsInOrder() throws {
      let rig = try Rig()
      var capture = MadeCapture.evenly(2, nanoseconds: 1_500_000_000)
      capture.add(at: 2_000_000_000, "tick", "", "three")
      try capture.write(rig.capture("made"))
      let rows = try rig.list("made", "--messages")
      #expect(rows.map(\.names) == Array(repeating: Self.messageNames, count: 3))
      #expect(rows.map { $0["sequence"] } == [0, 1, 2])
      #expect(rows.map { $0["frames"] } == [[4, 1], [4, 1], [4, 0, 5]])
      #expect(rows.allSatisfy { $0["topic"] == "tick" })
      let times = try rows.map { try #require($0.integer("time_ns")) }
      #expect(times[1] - times[0] == 1_500_000_000 && times[2] - times[0] == 2_000_000_000)
      // The time as text is the same moment, with all nine decimals.
      let fraction = String(1_000_000_000 + times[0] % 1_000_000_000).dropFirst()
      #expect(rows.first?.text("time")?.hasSuffix(".\(fraction)Z") == true)
    }

    @Test func aTopicThatIsNotTextIsAlsoGivenAsBase64() throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("binary"))
      let topic: [UInt8] = [0x00, 0xFF, 0x22, 0x0A]
      try rig.record([publisher], to: "binary") {
        try publisher.publish([topic, [1]])
        return 1
      }
      for (rows, names) in [
        (try rig.list("binary"), Self.captureNames),
        (try rig.list("binary", "--messages"), Self.messageNames),
      ] {
        var expected = names
        expected.insert("topic_base64", at: names.firstIndex(of: "topic")! + 1)
        #expect(rows.map(\.names) == [expected])
        #expect(rows.first?["topic_base64"] == .text(Data(topic).base64EncodedString()))
        #expect(rows.first?["topic"] == "\0\u{FFFD}\"\n")
      }
    }

    @Test func aMessageWithoutATopicHasNull() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.add(at: 0, #"{"single": "frame"}"#)
      try capture.write(rig.capture("made"))
      #expect(try rig.list("made").map { $0["topic"] } == [.null])
      #expect(try rig.list("made", "--messages").map { $0["topic"] } == [.null])
      #expect(try rig.storeRow("made")["topics"] == 0)
    }

    @Test func aCaptureThatIsBeingRecordedIsListedAndSaysSo() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      try rig.record([publisher], to: "live") {
        for number in 0..<10 { try publisher.publish("t", String(number)) }
        try rig.waitForMessages(10, in: "live")
        let row = try rig.storeRow("live")
        #expect(row["state"] == "recording" && row["messages"] == 10)
        let run = try rig.run("ls", "live")
        #expect(run.exitCode == 0)
        #expect(run.standardError.contains("live is being recorded"))
        let messages = try rig.list("live", "--messages")
        #expect(messages.map { $0["sequence"] } == (0..<10).map { .integer($0) })
        return 10
      }
      #expect(try rig.storeRow("live")["state"] == "sealed")
      #expect(!(try rig.run("ls", "live").standardError.contains("recorded")))
    }

    @Test func tablesForPeopleHaveATitleAndNoColourInAPipe() throws {
      let rig = try Rig()
      try MadeCapture.evenly(3, nanoseconds: 1_000_000).write(rig.capture("made"))
      for arguments in [["ls"], ["ls", "made"], ["ls", "made", "--messages"]] {
        let run = try rig.start(arguments).wait()
        #expect(run.exitCode == 0 && run.standardError.isEmpty)
        let lines = run.standardOutput.split(separator: "\n")
        #expect(lines.count == (arguments.count == 3 ? 4 : 2))
        #expect(lines[0].contains(arguments.count == 1 ? "CAPTURE" : "TOPIC"))
        #expect(!run.standardOutput.contains("\u{1B}"))
      }
    }

    @Test func messagesOfSeveralEndpointsAreListedWithTheirs() throws {
      let rig = try Rig()
      var made = MadeCapture()
      made.endpoints = ["tcp://127.0.0.1:7001", "ipc:///tmp/b"]
      for number in 0..<2 { made.add(endpoint: number, at: Int64(number), "tick", "1") }
      try made.write(rig.capture("two"))
      try MadeCapture.evenly(1, nanoseconds: 1).write(rig.capture("one"))
      let lines = try rig.run("ls", "two", "--messages").standardOutput.split(separator: "\n")
      let words = lines.map { $0.split(separator: " ") }
      #expect(words[0].prefix(4) == ["SEQUENCE", "TIME", "ENDPOINT", "TOPIC"])
      #expect(words[1].dropFirst(3).prefix(2) == ["tcp://127.0.0.1:7001", "tick"])
      #expect(words[2].dropFirst(3).prefix(2) == ["ipc:///tmp/b", "tick"])
      let one = try rig.run("ls", "one", "--messages").standardOutput
      #expect(!one.contains("ENDPOINT"))
    }

    @Test func aCaptureIsFoundByNameAndByPath() throws {
      let rig = try Rig()
      try MadeCapture.evenly(3, nanoseconds: 1_000_000).write(rig.capture("made"))
      let byName = try rig.list("made")
      #expect(byName.count == 1)
      #expect(try rig.list(rig.capture("made")) == byName)
      #expect(try rig.list("store/made/") == byName)
    }

    @Test func aStoreWithoutCapturesIsNoError() throws {
      let rig = try Rig()
      let missing = try rig.run("ls", "--json")
      #expect(missing.exitCode == 0 && missing.standardOutput.isEmpty)
      #expect(missing.standardError.contains(rig.store))
      try FileManager.default.createDirectory(
        atPath: rig.store, withIntermediateDirectories: true)
      let empty = try rig.run("ls", "--json")
      #expect(empty.exitCode == 0 && empty.standardOutput.isEmpty)
    }

    @Test func oneDamagedCaptureDoesNotHideTheOthers() throws {
      let rig = try Rig()
      for name in ["first", "second", "third", "fourth"] {
        try MadeCapture.evenly(3, nanoseconds: 1_000_000).write(rig.capture(name))
      }
      try Data("{".utf8).write(to: URL(fileURLWithPath: "\(rig.capture("second"))/capture.json"))
      try FileManager.default.removeItem(atPath: "\(rig.capture("fourth"))/capture.json")
      let run = try rig.run("ls", "--json")
      let names = try JSONRow.rows(run.standardOutput).map { $0["capture"] }
      #expect(Set(names.compactMap { $0 == "first" ? 1 : $0 == "third" ? 3 : nil }) == [1, 3])
      #expect(names.count == 2)
      #expect(run.complaints.count == 2)
      for name in ["second", "fourth"] {
        #expect(run.standardError.contains("\(name)/capture.json"), "\(run)")
      }
    }
  }
}
