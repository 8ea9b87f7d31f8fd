import CaptureStore
import Foundation
import TestSupport
import Testing

@testable import CaptureIndex

/// Limits and sums of what the walk knows beside messages.
@Suite struct WalkLedgerTests {
  private let rule = SequenceRule("t:frame=1:offset=0:u8")!

  private func manifest(_ rules: String...) -> Manifest {
    var manifest = Manifest.test(endpoints: 2)
    manifest.sequences = rules
    return manifest
  }

  private func ledger(_ capture: Capture) throws -> [LedgerEntry] {
    try IndexReader(capture).ledger(Selection())
  }

  @Test func aGapThatTheCaptureMissesIsLostOnce() throws {
    let directory = try TemporaryDirectory()
    // Two counters: 3, 4, 5 of the first are damaged, with 3 of the second between them.
    var messages: [TestMessage] = []
    for number: UInt8 in 0..<10 {
      messages.append(TestMessage([Array("t1".utf8), [number]]))
      if number != 7 { messages.append(TestMessage([Array("t2".utf8), [number]])) }
    }
    let capture = try Capture.recorded(
      directory.file("c"), messages, manifest: manifest(rule.description))
    var cursor = CaptureCursor(capture, verifying: .header)
    let file = URL(filePath: CapturePath.segment(capture.path, 0))
    var bytes = try Data(contentsOf: file)
    while let record = CaptureWalk.record(cursor.next()) {
      if [6, 7, 8, 10].contains(record.sequence) { bytes[record.end - 8] ^= 1 }
    }
    try bytes.write(to: file)
    let reader = try IndexReader(capture)
    let overview = try reader.overview()
    #expect(overview.missing == 4)
    #expect(overview.lost == 5, "the seventh of the second never came")
    let gaps = try ledger(capture).filter { $0.event == "gap" }
    #expect(gaps.map(\.lost).reduce(0, +) == 1)
  }

  @Test func rulesThatSeeTheSameLossCountItOnce() throws {
    let directory = try TemporaryDirectory()
    let messages = [1, 2, 5, 6, 9].map { TestMessage([Array("t1".utf8), [$0, $0]]) }
    let capture = try Capture.recorded(
      directory.file("c"), messages,
      manifest: manifest(
        ":frame=1:offset=0:u8", "t:frame=1:offset=0:u8", "t:frame=1:offset=0:u8",
        "t1:frame=1:offset=1:u8"))
    #expect(try IndexReader(capture).overview().lost == 4)
    let gaps = try ledger(capture).filter { $0.event == "gap" }
    #expect(gaps.count == 8 && gaps.filter { $0.lost > 0 }.map(\.lost) == [2, 2])
  }

  @Test func aSharedCounterCountsForAllItSees() throws {
    let directory = try TemporaryDirectory()
    // Numbers of the topic, and of all messages: two of the second topic never came.
    let messages = [("a", 0, 0), ("b", 0, 1), ("a", 1, 2), ("b", 3, 5)].map {
      TestMessage([Array($0.0.utf8), [$0.1, $0.2]])
    }
    let capture = try Capture.recorded(
      directory.file("c"), messages,
      manifest: manifest("b:frame=1:offset=0:u8", ":frame=1:offset=1:u8:shared"))
    #expect(try IndexReader(capture).overview().lost == 2)
    let gaps = try ledger(capture).filter { $0.event == "gap" }
    #expect(gaps.map(\.lost).sorted() == [0, 2])
  }

  @Test func aTopicThatIsTooShortIsToldOnce() throws {
    let directory = try TemporaryDirectory()
    let frames: [[[UInt8]]] = [
      [[0x74]], [[0x74], []], [[0x74], [5]], [[0x74], []], [[0x75], []],
    ]
    let capture = try Capture.recorded(
      directory.file("c"), frames.map { TestMessage($0) }, manifest: manifest(rule.description))
    #expect(try ledger(capture).map(\.event) == ["unreadable"])
    #expect(try ledger(capture)[0].details.map(\.name) == ["sequence_rule", "topic"])
  }

  @Test func countersOfEachEndpointAndTopicAreTheirOwn() throws {
    let directory = try TemporaryDirectory()
    var messages: [TestMessage] = []
    for number: UInt8 in 0..<20 {
      for endpoint: UInt16 in 0..<2 {
        for topic in ["t1", "t2"] where number != 3 || topic == "t1" {
          messages.append(TestMessage(endpoint: endpoint, [Array(topic.utf8), [number]]))
        }
      }
    }
    let capture = try Capture.recorded(
      directory.file("c"), messages, manifest: manifest(rule.description))
    let entries = try ledger(capture)
    #expect(entries.map(\.event) == ["gap", "gap"])
    #expect(entries.map(\.endpoint) == ["ipc://0", "ipc://1"])
    #expect(try IndexReader(capture).messagesLost(in: Selection()) == 2)
  }

  @Test func moreCountersThanTheLimitAreNotFollowed() {
    var book = CounterBook([rule])
    for topic in 1...CounterBook.countersMax {
      #expect(book.ids(endpoint: 0, topic: topic, name: [0x74])?.count == 1)
    }
    #expect(book.ids(endpoint: 1, topic: 1, name: [0x74]) == nil)
    #expect(book.ids(endpoint: 1, topic: 1, name: [0x75]) == [], "no rule is about it")
    #expect(book.counters.count == CounterBook.countersMax)
  }

  @Test func moreEventsThanTheLimitAreCounted() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(
      directory.file("c"), [TestMessage("t", "x")], manifest: .test())
    var cursor = CaptureCursor(capture, verifying: .header)
    let record = try #require(CaptureWalk.record(cursor.next()))
    let segment = try #require(cursor.segment)
    var ledger = WalkLedger()
    let refused = StoredEvent("refused", ["lost": .number(2)])
    for _ in 0..<WalkLedger.eventsMax + 50 { ledger.add(refused, record, in: segment) }
    #expect(ledger.totals.recordedEvents == WalkLedger.eventsMax + 50)
    #expect(ledger.totals.lost == 2 * (WalkLedger.eventsMax + 50))
    let listed = ledger.takeNews().events
    #expect(listed.count == Int(WalkLedger.eventsMax))
    #expect(listed.map(\.id) == (0..<WalkLedger.eventsMax).map { $0 })
  }

  @Test func whatEventsClaimCannotOverflow() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    let writer = try CaptureWriter(creating: path, manifest: manifest(":frame=0:offset=0:u64le"))
    for lost in [Int64.max, .min, -1, 1 << 59] {
      try writer.append(event: StoredEvent("refused", ["lost": .number(lost)]))
    }
    for number: UInt64 in [0, 1 << 62, 1 << 63, .max, 5, 1 << 62] {
      let bytes = withUnsafeBytes(of: number.littleEndian) { Array($0) }
      try writer.append(TestMessage([bytes]))
    }
    for segment in [Int64.min, .max, -1] {
      try writer.append(
        event: StoredEvent(
          "recovered", ["segment": .number(segment), "damaged_bytes": .number(.max)]))
    }
    try writer.finish()
    let reader = try IndexReader(Capture(path: path))
    let overview = try reader.overview()
    #expect(overview.lost > 0 && overview.lost <= WalkLedger.lostMax)
    #expect(overview.events >= 7)
    #expect(try reader.ledger(Selection()).allSatisfy { $0.lost <= WalkLedger.lostAtOnceMax })
  }
}
