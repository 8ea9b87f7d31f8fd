import CaptureStore
import GRDB
import TestSupport
import Testing

@testable import CaptureIndex

/// The index of a recording of which only the newest is kept.
@Suite struct RingIndexTests {
  private static let segmentSize = 64 << 10
  private static let keep = Retention(bytes: 8 * segmentSize)

  private static func makeWriter(_ path: String) throws -> CaptureWriter {
    try CaptureWriter(
      creating: path, manifest: .test(endpoints: 2, keep: keep), segmentSize: segmentSize,
      sync: .atSeal, schedule: .stepped, files: .system)
  }

  /// Two topics that come all the time, one that comes at the beginning only, events now and then.
  private static func append(_ count: Int, to writer: CaptureWriter) throws {
    for _ in 0..<count {
      let sequence = writer.nextSequence
      let topic = sequence < 100 ? "early" : sequence % 3 == 0 ? "a" : "b"
      let text = "text \(sequence) " + String(repeating: "x", count: 900)
      try writer.append(
        TestMessage(endpoint: UInt16(sequence % 2), time: Int64(sequence) * 1_000_000, topic, text))
      if sequence % 50 == 0 {
        try writer.append(event: StoredEvent("refused", ["lost": .number(1)]))
      }
      _ = try writer.tend()
      while writer.stepAhead() {}
      if sequence % 16 == 0 { writer.stepBehind() }
    }
  }

  private static func check(_ capture: Capture) throws {
    try capture.waitUntilUnused()
    let walk = CaptureWalk(capture)
    let reader = try IndexReader(capture)
    let overview = try reader.overview()
    #expect(reader.isOnDisk)
    #expect(overview.messages == Int64(walk.order.count))
    #expect(overview.bytes == Int64(walk.messages.values.reduce(0) { $0 + $1.bytes }))
    #expect(overview.topics == 2)
    #expect(overview.missing == 0)
    #expect(overview.lost == Int64(walk.otherKinds.count { $0 == .event }))
    #expect(overview.events == overview.lost)
    #expect(Set(try reader.topicRows().map { $0.topic }) == [Array("a".utf8), Array("b".utf8)])
    let first = try #require(walk.order.first)
    #expect(reader.database.knownPlace()?.sequence == walk.order.last! + 1)
    #expect(try IndexVerification.verify(capture) == .ok)
    // A new one says the same, and begins where the capture does.
    let fresh = try Indexer.rebuild(capture)
    #expect(fresh.nextSequence == walk.order.last! + 1)
    let anew = try IndexReader(capture).overview()
    #expect(anew == overview)
    var messages = try IndexReader(capture).messages(Selection(), pool: SegmentPool(capture))
    #expect(try messages.next()?.record.sequence == first)
  }

  /// `lag`: how many messages come between two calls of the indexer; more than a ring holds.
  @Test(arguments: [100, 700, 5000])
  func whatMadeRoomIsForgotten(lag: Int) throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.makeWriter(directory.file("c"))
    let capture = try Capture(path: writer.path)
    let indexer = try Indexer(continuing: capture, rule: .auto, verifying: .header)
    while writer.nextSequence < 10_000 {
      try Self.append(lag, to: writer)
      while try indexer.advance() == .behind {}
      #expect(indexer.nextSequence == writer.nextSequence)
      let live = try IndexReader(capture)
      #expect(live.isOnDisk)
      #expect(try live.overview().messages < 1000)
    }
    try writer.finish()
    while try indexer.advance() == .behind {}
    try indexer.close()
    writer.unlock()
    try Self.check(capture)
  }

  /// Its recorder has no time for the index: who reads a ring that went around sees what is there.
  @Test func aRingThatIsFasterThanItsIndexIsReadAsItIs() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.makeWriter(directory.file("c"))
    let capture = try Capture(path: writer.path)
    let indexer = try Indexer(continuing: capture, rule: .auto, verifying: .header)
    try Self.append(300, to: writer)
    #expect(try !indexer.isLapped(within: .max))
    while try indexer.advance() == .behind {}
    try Self.append(2000, to: writer)
    #expect(try indexer.isLapped(within: .max) && !indexer.isLapped(within: 0))
    let reader = try IndexReader(capture)
    #expect(reader.isBeingRecorded && !reader.isOnDisk)
    let walk = CaptureWalk(capture)
    #expect(try reader.overview().messages == Int64(walk.order.count))
    var messages = try reader.messages(Selection(), pool: SegmentPool(capture))
    #expect(try messages.next()?.record.sequence == walk.order.first)
    #expect(try IndexVerification.verify(capture) == .behind)
    try writer.finish()
    while try indexer.advance() == .behind {}
    try indexer.close()
    writer.unlock()
    try Self.check(capture)
  }

  @Test func anIndexThatWasLeftBehindIsGoneOnWith() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.makeWriter(directory.file("c"))
    let capture = try Capture(path: writer.path)
    var indexer: Indexer? = try Indexer(continuing: capture, rule: .auto, verifying: .header)
    try Self.append(300, to: writer)
    while try indexer!.advance() == .behind {}
    indexer = nil
    try Self.append(2000, to: writer)
    try writer.finish()
    writer.unlock()
    try capture.waitUntilUnused()
    // Whoever reads completes it in memory, and drops what is not there.
    let reader = try IndexReader(capture)
    #expect(!reader.isOnDisk)
    #expect(try reader.overview().messages == Int64(CaptureWalk(capture).order.count))
    #expect(try reader.overview().missing == 0)
    indexer = try Indexer(continuing: capture, rule: .auto, verifying: .header)
    while try indexer!.advance() == .behind {}
    try indexer!.close()
    try Self.check(capture)
  }

  @Test func whatMadeRoomWhileItIsReadIsCounted() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.makeWriter(directory.file("c"))
    let capture = try Capture(path: writer.path)
    let indexer = try Indexer(continuing: capture, rule: .auto, verifying: .header)
    try Self.append(250, to: writer)
    while try indexer.advance() == .behind {}
    var messages = try IndexReader(capture).messages(Selection(), pool: SegmentPool(capture))
    let first = try messages.next()
    #expect(first?.record.sequence == 0)
    try Self.append(2000, to: writer)
    var count = 1
    while let message = try messages.next() {
      count += 1
      #expect(message.record.sequence < 250)
    }
    // What it has mapped stays; what it had not come to is gone, and that is no damage.
    #expect(messages.damages == 0 && messages.messagesMissing == 0)
    #expect(messages.messagesRetired > 0 && count > 10)
    #expect(Int64(count) + messages.messagesRetired == 250)
    try writer.finish()
  }

  /// The index forgets them before their page of blocks is fetched.
  @Test func whatTheIndexForgotMeanwhileIsCounted() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.makeWriter(directory.file("c"))
    let capture = try Capture(path: writer.path)
    let indexer = try Indexer(continuing: capture, rule: .auto, verifying: .header)
    try Self.append(250, to: writer)
    while try indexer.advance() == .behind {}
    let reader = try IndexReader(capture)
    #expect(reader.isOnDisk)
    let pool = SegmentPool(capture)
    var messages = MessageReader(
      capture: capture, pool: pool, selection: Selection(), rule: .auto,
      blocks: try BlockPages(reader, Selection(), pageSizes: 1...1), tagger: nil)
    #expect(try messages.next()?.record.sequence == 0)
    for _ in 0..<20 {
      try Self.append(100, to: writer)
      while try indexer.advance() == .behind {}
    }
    var count: Int64 = 1
    while let message = try messages.next() {
      count += 1
      #expect(message.record.sequence < 250)
    }
    #expect(messages.damages == 0 && messages.messagesMissing == 0)
    #expect(messages.messagesRetired > 0 && count + messages.messagesRetired == 250)
    try writer.finish()
  }

  @Test func theLastMessagesOfWhatIsLeftAreFound() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.makeWriter(directory.file("c"))
    let capture = try Capture(path: writer.path)
    let indexer = try Indexer(continuing: capture, rule: .auto, verifying: .header)
    try Self.append(90, to: writer)
    while try indexer.advance() == .behind {}
    let early = try IndexReader(capture)
    func last(_ reader: IndexReader) throws -> [UInt64] {
      try reader.lastMessages(Selection(), before: .time(.max), pool: SegmentPool(capture))
        .map(\.record.sequence)
    }
    #expect(try last(early) == [88, 89])
    try Self.append(2_000, to: writer)
    #expect(try last(early) == [], "the segments made room, and the index does not know")
    while try indexer.advance() == .behind {}
    let walk = CaptureWalk(capture)
    for reader in [early, try IndexReader(capture)] {
      var model: [[UInt8]: UInt64] = [:]
      for sequence in walk.order {
        let message = walk.messages[sequence]!
        model[message.frames[0] + [UInt8(message.endpoint)]] = sequence
      }
      #expect(try last(reader) == model.values.sorted())
    }
    try writer.finish()
  }
}
