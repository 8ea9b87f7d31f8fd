import Foundation
import TestSupport
import Testing

extension ZcapTests {
  @Suite struct ReindexTests {
    /// Live, from scratch, and without an index at all: one walk, one answer.
    @Test(arguments: ["64KiB", "1MiB", "256MiB"])
    func theIndexIsTheSameHoweverItWasMade(segmentSize: String) throws {
      let rig = try Rig()
      let publishers = try [Publisher(), Publisher(binding: rig.endpoint("second"))]
      let seed = UInt64.random(in: 0 ... .max)
      print("seed of the traffic: \(seed)")
      var traffic = VariedTraffic(seed: seed)
      try rig.record(publishers, to: "live", ["--segment-size", segmentSize]) {
        for number in 0..<20_000 {
          try publishers[traffic.number(below: 2)].publish(traffic.message(number))
        }
        return 20_000
      }
      let index = "\(rig.capture("live"))/index.sqlite"
      #expect(FileManager.default.fileExists(atPath: index))
      let live = try Answers(rig)
      let counts = [live.messages, live.capture].map { $0.split(separator: "\n").count }
      #expect(counts[0] == 20_000 && counts[1] > 50, "seed \(seed)")

      try FileManager.default.removeItem(atPath: index)
      #expect(try Answers(rig) == live, "without an index, seed \(seed)")
      #expect(!FileManager.default.fileExists(atPath: index), "reading changes nothing")

      #expect(try rig.run("reindex", "live").exitCode == 0)
      #expect(FileManager.default.fileExists(atPath: index))
      #expect(try Answers(rig) == live, "made anew, seed \(seed)")

      #expect(try rig.run("reindex", "live").exitCode == 0)
      #expect(try Answers(rig) == live, "and once more, seed \(seed)")
    }

    @Test(arguments: ["reindex", "recover"])
    func aBadNameLeavesNoOtherOut(command: String) throws {
      let rig = try Rig()
      for name in ["a", "b"] {
        try MadeCapture.evenly(3, nanoseconds: 1_000).write(rig.capture(name))
      }
      let run = try rig.start([command, "a", "nosuch", "b"]).wait()
      #expect(run.exitCode == 1 && run.complaints.count == 3, "\(run)")
      #expect(run.standardError.contains("nosuch: no such capture"))
      #expect(run.standardError.contains("/b: "))
    }

    @Test func anIndexThatCannotBeWrittenIsToldWithItsPlace() throws {
      let rig = try Rig()
      try MadeCapture.evenly(3, nanoseconds: 1_000).write(rig.capture("c"))
      let index = "\(rig.capture("c"))/index.sqlite"
      try FileManager.default.createDirectory(atPath: index, withIntermediateDirectories: false)
      let run = try rig.start(["reindex", "c"]).wait()
      #expect(run.exitCode == 1 && run.complaints.count == 1, "\(run)")
      #expect(run.standardError.contains("\(index): cannot be written"))
    }

    @Test func aCounterThatNoMessageHasIsTold() throws {
      let rig = try Rig()
      try MadeCapture.evenly(3, nanoseconds: 1_000).write(rig.capture("c"))
      let run = try rig.start(["reindex", "c", "--sequence", "x:frame=0:offset=0:u8"]).wait()
      #expect(run.exitCode == 0 && run.complaints.count == 2, "\(run)")
      #expect(run.standardError.contains("no message has the counter x:frame=0:offset=0:u8"))
    }

    @Test func anIndexThatIsNoneDoesNoHarm() throws {
      let rig = try Rig()
      try MadeCapture.evenly(100, nanoseconds: 1_000_000).write(rig.capture("live"))
      let whole = try Answers(rig)
      let index = URL(fileURLWithPath: "\(rig.capture("live"))/index.sqlite")
      for contents in ["", String(repeating: "not a database, but some text ", count: 200)] {
        try Data(contents.utf8).write(to: index)
        #expect(try Answers(rig) == whole)
      }
      #expect(try rig.run("reindex", "live").exitCode == 0)
      #expect(try Answers(rig) == whole)
    }

    /// Everything that `ls` tells about the capture `live`, as it tells it.
    struct Answers: Equatable {
      let store: String
      let capture: String
      let messages: String

      init(_ rig: Rig) throws {
        func answer(_ arguments: String...) throws -> String {
          let run = try rig.start(["ls"] + arguments + ["--json"]).wait()
          #expect(run.exitCode == 0 && run.standardError.isEmpty, "\(run)")
          return run.standardOutput
        }
        store = try answer()
        capture = try answer("live")
        messages = try answer("live", "--messages")
      }
    }
  }
}

/// Messages of many shapes and topics, whose codecs change on the way.
private struct VariedTraffic {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// SplitMix64 (S. Vigna).
  mutating func number(below limit: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((mixed ^ (mixed >> 31)) % UInt64(limit))
  }

  mutating func message(_ number: Int) -> [[UInt8]] {
    let topic = self.number(below: 40)
    // A topic changes its kind of payload now and then.
    switch (topic + number / 4000) % 5 {
    case 0: return [Array("text/\(topic)".utf8), Array("value \(number)".utf8)]
    case 1: return [Array("json/\(topic)".utf8), Array(#"{"n": \#(number)}"#.utf8)]
    case 2:
      let size = self.number(below: 300)
      return [[0xFF, UInt8(topic)], (0..<size).map { _ in UInt8(self.number(below: 256)) }]
    case 3: return [Array("word\(topic) {\"n\": \(number)}".utf8)]
    default:
      let count = 1 + self.number(below: 20)
      return (0..<count).map { Array(repeating: UInt8($0), count: self.number(below: 3)) }
    }
  }
}
