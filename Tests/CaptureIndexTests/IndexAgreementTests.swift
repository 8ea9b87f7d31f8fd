import CaptureStore
import Foundation
import GRDB
import TestSupport
import Testing

@testable import CaptureIndex

/// Live, rebuilt, resumed and in memory: one walk, one result.
@Suite struct IndexAgreementTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.file("c")
  }

  private func removeIndex(_ capture: String) throws {
    for suffix in ["", "-wal", "-shm"] {
      let file = CapturePath.index(capture) + suffix
      if FileManager.default.fileExists(atPath: file) {
        try FileManager.default.removeItem(atPath: file)
      }
    }
  }

  private func content(_ path: String) throws -> IndexContent {
    try IndexContent(IndexReader(Capture(path: path)))
  }

  /// Counts made from the messages themselves.
  private func expectCountsOf(_ messages: [TestMessage], _ content: IndexContent) {
    struct Key: Hashable {
      var endpoint: String
      var topic: [UInt8]?
    }
    func counts(_ rows: [(Key, Int, Int)]) -> [Key: [Int]] {
      rows.reduce(into: [:]) { counts, row in
        let old = counts[row.0] ?? [0, 0]
        counts[row.0] = [old[0] + row.1, old[1] + row.2]
      }
    }
    let expected = counts(
      messages.map { message in
        let endpoint = message.endpoint < 3 ? "ipc://\(message.endpoint)" : "?"
        return (Key(endpoint: endpoint, topic: automaticTopic(message.frames)), 1, message.bytes)
      })
    let found = counts(
      content.rows.map {
        (Key(endpoint: $0.endpoint, topic: $0.topic), Int($0.messages), Int($0.bytes))
      })
    #expect(found == expected)
    #expect(content.overview.messages == Int64(messages.count))
    #expect(content.overview.bytes == Int64(messages.reduce(0) { $0 + $1.bytes }))
    #expect(content.overview.topics == Set(expected.keys.compactMap(\.topic)).count)
    #expect(content.overview.missing == 0 && content.overview.damagedBytes == 0)
    #expect(content.tags.count == messages.count)
  }

  private static let manifest: Manifest = {
    var manifest = Manifest.test(endpoints: 3)
    manifest.sequences = RandomTraffic.sequences.map(\.description)
    return manifest
  }()

  /// What was told while recording is there as it was told, and counters told something, too.
  private func expectEvents(_ events: [StoredEvent], _ content: IndexContent) {
    let derived: Set<String> = ["gap", "repeat", "reordered", "restart", "unreadable"]
    let recorded = content.ledger.filter { !derived.contains($0.event) && $0.event != "torn" }
    #expect(recorded.map(\.event) == events.map(\.kind))
    #expect(recorded.map(\.endpoint) == events.map { $0.text("endpoint") })
    #expect(
      recorded.map(\.lost) == events.map { $0.kind == "refused" ? $0.number("lost") ?? 0 : 0 })
    #expect(content.overview.events == Int64(content.ledger.count { $0.event != "torn" }))
    #expect(content.overview.lost == max(0, content.ledger.reduce(0) { $0 + $1.lost }))
    if content.overview.messages > 2_000 {
      #expect(Set(["gap", "repeat"]).isSubset(of: content.ledger.map(\.event)))
    }
  }

  @Test func aLiveIndexIsTheOneThatIsMadeLater() throws {
    var traffic = RandomTraffic(SplitMix64())
    var writer: CaptureWriter? = try CaptureWriter(
      creating: path, manifest: Self.manifest, segmentSize: 256 << 10)
    let capture = try Capture(path: path)
    let live = try Indexer(
      creating: capture, rule: .auto, sequences: RandomTraffic.sequences, verifying: .header)
    var messages: [TestMessage] = []
    var events: [StoredEvent] = []
    while messages.count < 3_000 {
      let count = traffic.random.int(0...traffic.random.int(1...200))
      for message in traffic.messages(count) {
        try writer!.append(message)
        messages.append(message)
        if let event = traffic.event() {
          try writer!.append(event: event, endpoint: 1)
          events.append(event)
        }
      }
      if traffic.random.int(0...5) == 0 { _ = try writer!.tend() }
      if traffic.random.int(0...2) > 0 {
        // It may lag by what is behind a full segment that is being sealed.
        #expect(try live.advance() == .caughtUp)
        #expect(live.nextSequence <= UInt64(messages.count))
      }
    }
    try writer!.finish()
    #expect(try live.advance() == .caughtUp)
    writer = nil
    try capture.waitUntilUnused()
    #expect(try live.advance() == .final)
    try live.close()

    let liveContent = try content(path)
    expectCountsOf(messages, liveContent)
    expectEvents(events, liveContent)
    #expect(liveContent.rows.contains { $0.endpoint == "?" }, "an endpoint outside the manifest")
    try removeIndex(path)
    #expect(try content(path) == liveContent, "in memory")
    #expect(!FileManager.default.fileExists(atPath: CapturePath.index(path)))
    let rebuilt = try Indexer.rebuild(Capture(path: path), rule: .auto)
    #expect(rebuilt.nextSequence == UInt64(messages.count))
    #expect(try content(path) == liveContent, "rebuilt")
    #expect(try IndexReader(Capture(path: path)).state == .sealed)
  }

  /// A recorder that is killed leaves an index that is behind: the rest is indexed in memory.
  @Test func aResumedWalkIsOneFromTheBeginning() throws {
    var traffic = RandomTraffic(SplitMix64())
    let writer = try CaptureWriter(
      creating: path, manifest: Self.manifest, segmentSize: 128 << 10)
    let live = try Indexer(
      creating: Capture(path: path), rule: .auto, sequences: RandomTraffic.sequences,
      verifying: .header)
    var messages: [TestMessage] = []
    var events: [StoredEvent] = []
    for round in 0..<12 {
      for message in traffic.messages(traffic.random.int(0...300)) {
        try writer.append(message)
        messages.append(message)
        if let event = traffic.event() {
          try writer.append(event: event, endpoint: 1)
          events.append(event)
        }
        if traffic.random.int(0...150) == 0 { _ = try live.advance() }
      }
      let copy = directory.file("copy\(round)")
      try copyTree(path, to: copy)
      #expect(try IndexReader(Capture(path: copy)).state == .unclean)
      let resumed = try content(copy)
      expectCountsOf(messages, resumed)
      expectEvents(events, resumed)
      #expect(try content(copy) == resumed, "reading twice is reading once")
      try removeIndex(copy)
      #expect(try content(copy) == resumed, "from the beginning")
      let rebuilt = try Indexer.rebuild(Capture(path: copy), rule: .auto)
      #expect(rebuilt.nextSequence == UInt64(messages.count))
      #expect(try content(copy) == resumed, "rebuilt")
    }
    try writer.finish()
  }

  @Test func damageIsCountedTheSameLiveAndLater() throws {
    var traffic = RandomTraffic(SplitMix64())
    let messages = traffic.messages(400).map { message in
      TestMessage(
        endpoint: message.endpoint, time: message.time,
        message.frames + [[UInt8](repeating: 1, count: 900)])
    }
    let capture = try Capture.recorded(
      path, messages, manifest: .test(endpoints: 3), segmentSize: 64 << 10)
    let files = try capture.segmentFiles()
    try #require(files.count > 3)
    try FileManager.default.removeItem(atPath: files[1].path)
    var bytes = try Data(contentsOf: URL(filePath: files[0].path))
    for _ in 0..<5 { bytes[traffic.random.int(4096...bytes.count - 100)] ^= 0x10 }
    try bytes.write(to: URL(filePath: files[0].path))

    let walk = CaptureWalk(capture)
    let inMemory = try content(path)
    let lost = walk.missing.reduce(0) { $0 + $1.count }
    #expect(lost > 0)
    #expect(inMemory.overview.lost == Int64(lost) && inMemory.overview.missing == Int64(lost))
    #expect(inMemory.overview.damagedBytes == Int64(walk.damages.reduce(0) { $0 + $1.range.count }))
    #expect(inMemory.overview.tornBytes == 0, "its segments are sealed")
    #expect(inMemory.ledger.filter { $0.event == "corruption" }.count == walk.damages.count)
    #expect(inMemory.ledger.filter { $0.event == "missing" }.count == walk.missing.count)
    #expect(inMemory.overview.messages == Int64(messages.count - lost))
    let rebuilt = try Indexer.rebuild(capture, rule: .auto)
    #expect(rebuilt.messagesMissing == Int64(lost))
    #expect(try content(path) == inMemory)
  }

  @Test func anotherRuleGivesOtherTopicsOfTheSameMessages() throws {
    let messages = ["a/1", "a/2", "b/1", "c"].map { TestMessage($0, "payload") }
    let capture = try Capture.recorded(path, messages)
    _ = try Indexer.rebuild(capture, rule: .delimiter([0x2F]))
    let reader = try IndexReader(capture)
    #expect(reader.topicRule == .delimiter([0x2F]))
    #expect(
      try reader.topicRows().map { $0.topic.map { String(decoding: $0, as: UTF8.self) } }
        == [nil, "a", "b"])
    #expect(try reader.topicRows().map(\.messages) == [1, 2, 1])
    _ = try Indexer.rebuild(capture, rule: TopicRule.none)
    #expect(try IndexReader(capture).topicRows().map(\.messages) == [4])
  }

  @Test func aCaptureThatIsBeingRecordedIsNotRebuilt() throws {
    let writer = try CaptureWriter(creating: path, manifest: .test())
    #expect(throws: StoreError.captureInUse(path: path)) {
      _ = try Indexer.rebuild(Capture(path: path), rule: .auto)
    }
    try writer.finish()
  }

  // MARK: - Beside others

  @Test func makingAnIndexKeepsWritersAwayAndLetsReadersIn() throws {
    let capture = try Capture.recorded(path, [TestMessage("a")])
    try capture.withoutWriters { () throws in
      #expect(try !capture.isBeingRecorded)
      #expect(try IndexReader(capture).overview().messages == 1)
      let inUse = StoreError.captureInUse(path: path)
      #expect(throws: inUse) { _ = try Indexer.rebuild(capture) }
      #expect(throws: inUse) { _ = try Recovery.recover(capture) }
      #expect(throws: inUse) { _ = try CaptureWriter(appendingTo: path, endpoints: []) }
    }
    _ = try Indexer.rebuild(capture)
  }

  @Test func anotherRuleLeavesWhatWasAddedMeanwhile() throws {
    let opened = try Capture.recorded(path, [TestMessage("a")])
    let added = RecordedEndpoint(
      address: "ipc://added", socket: "SUB", isBound: false, subscriptions: [])
    let writer = try CaptureWriter(appendingTo: path, endpoints: [added])
    try writer.append(TestMessage(endpoint: writer.endpointIDs[0], time: 1, "b"))
    try writer.finish()
    writer.unlock()
    _ = try Indexer.rebuild(opened, rule: .delimiter([0x2F]))
    let manifest = try Capture(path: path).manifest
    #expect(manifest.endpoints == opened.manifest.endpoints + [added])
    #expect(manifest.topicRule == "delimiter:/")
    #expect(try content(path).rows.map(\.endpoint).contains("ipc://added"))
  }

  @Test(arguments: [1, 7, 100, 1023, 1024, 1025])
  func anIndexThatWasInterruptedAnywhereIsGoneOnWith(steps: Int) throws {
    let messages = (0..<2_000).map { TestMessage(time: Int64($0), "t\($0 % 3)", "\($0)") }
    let capture = try Capture.recorded(path, messages, segmentSize: 128 << 10)
    var walk = IndexWalk(capture, rule: .auto, verifying: .header)
    while try walk.advance(steps: steps) == .more {
      try IndexDatabase.create(CapturePath.index(path)).store(&walk)
      break
    }
    let indexer = try Indexer(continuing: capture, rule: .auto, verifying: .header)
    #expect(indexer.nextSequence > 0, "it is gone on with, and not made anew")
    while try indexer.advance() == .behind {}
    try indexer.close()
    #expect(try IndexVerification.verify(capture) == .ok)
  }

  // MARK: - What only the index knows

  @Test func anIndexThatAddsUpIsKnowledge() throws {
    let capture = try Capture.recorded(path, (0..<50).map { TestMessage("t", "\($0)") })
    #expect(Indexer.knownPlace(of: capture) == nil)
    let indexer = try Indexer.rebuild(capture)
    #expect(Indexer.knownPlace(of: capture)?.sequence == 50)
    #expect(indexer.nextSequence == 50)
    let queue = try DatabaseQueue(path: CapturePath.index(path))
    try queue.write { try $0.execute(sql: "UPDATE progress SET sequence = sequence + 1024") }
    #expect(Indexer.knownPlace(of: capture) == nil, "nobody counted these")
    #expect(try IndexReader(capture).overview().lost == 0)
  }

  @Test func aSegmentThatIsGoneIsStillMissedByWhatIsRecordedNext() throws {
    let messages = (0..<50).map { TestMessage("t", String(repeating: "x", count: 3_000 + $0)) }
    let capture = try Capture.recorded(path, messages, segmentSize: 64 << 10)
    _ = try Indexer.rebuild(capture)
    let last = try #require(try capture.segmentFiles().last)
    try FileManager.default.removeItem(atPath: last.path)
    let lost = try IndexReader(capture).overview().lost
    #expect(lost > 0)
    let refusal = StoreError.lossToRecover(path: path, messages: UInt64(lost))
    #expect(throws: refusal) { _ = try Indexer.rebuild(capture) }
    let writer = try CaptureWriter(
      appendingTo: path, endpoints: [], known: Indexer.knownPlace(of: capture),
      segmentSize: 64 << 10)
    try writer.append(TestMessage("t", "more"))
    try writer.finish()
    writer.unlock()
    _ = try Indexer.rebuild(capture)
    let overview = try IndexReader(capture).overview()
    #expect(overview.lost == lost && overview.messages == 51 - lost)
  }

  @Test(arguments: [0, 1, 2], ["gone", "cut", "beheaded", "zeroed"])
  func aSegmentThatIsGoneIsMissedByWhoTrustsTheIndex(number: UInt64, damage: String) throws {
    let messages = (0..<50).map { TestMessage("t", String(repeating: "x", count: 3_000 + $0)) }
    let capture = try Capture.recorded(path, messages, segmentSize: 64 << 10)
    _ = try Indexer.rebuild(capture)
    #expect(try IndexReader(capture).isOnDisk)
    let file = CapturePath.segment(path, number)
    if damage == "gone" {
      try FileManager.default.removeItem(atPath: file)
    } else {
      var bytes = try Data(contentsOf: URL(filePath: file))
      switch damage {
      case "cut": bytes.removeLast(bytes.count / 2)
      case "beheaded": bytes[100] ^= 1
      default: bytes.resetBytes(in: 0..<4096)
      }
      try bytes.write(to: URL(filePath: file))
    }
    let overview = try IndexReader(capture).overview()
    #expect(overview.lost > 0 && overview.messages + overview.lost == 50)
  }
}
