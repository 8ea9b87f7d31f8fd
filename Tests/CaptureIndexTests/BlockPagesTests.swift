import CaptureStore
import GRDB
import TestSupport
import Testing

@testable import CaptureIndex

/// Pages of blocks, one behind the other, are the blocks that one look at all of them finds.
@Suite struct BlockPagesTests {
  private let directory: TemporaryDirectory
  private let reader: IndexReader
  private let all: [RecordedMessage]
  private var random: SplitMix64

  init() throws {
    directory = try TemporaryDirectory()
    random = SplitMix64(for: "BlockPagesTests")
    var time: Int64 = 0
    var messages: [TestMessage] = []
    // Most of them in blocks of their own; now and then the clock is set back, or runs ahead.
    for _ in 0..<1_500 {
      time += Int64(random.int(20_000_000...200_000_000))
      if random.int(0...200) == 0 { time -= Int64(random.int(0...20_000_000_000)) }
      messages.append(
        TestMessage(
          endpoint: UInt16(random.int(0...2)), time: max(0, time), "t\(random.int(0...40))", "x"))
    }
    let capture = try Capture.recorded(
      directory.file("c"), messages, manifest: .test(endpoints: 3))
    _ = try Indexer.rebuild(capture, rule: .auto)
    reader = try IndexReader(capture)
    all = try IndexContent.messages(reader)
  }

  private func unpaged(_ selection: Selection) throws -> [BlockPlace] {
    try reader.read { database in
      let ids = try SelectedSummary.ids(of: selection, database)?.map(String.init)
      let condition =
        ids.map {
          "id IN (SELECT block FROM block_summary WHERE summary IN (\($0.joined(separator: ","))))"
        } ?? "TRUE"
      return try Row.fetchAll(
        database,
        sql: """
          SELECT \(BlockPlace.columns) FROM block
          WHERE last_time_ns >= ? AND first_time_ns < ? AND \(condition) ORDER BY id
          """, arguments: [selection.from ?? .min, selection.until ?? .max]
      ).map { try BlockPlace($0) }
    }
  }

  private func paged(_ selection: Selection, _ sizes: ClosedRange<Int>) throws -> [BlockPlace] {
    var pages = try BlockPages(reader, selection, pageSizes: sizes)
    var found: [BlockPlace] = []
    while let block = try pages.next() { found.append(block) }
    #expect(pages.messagesGone == 0)
    return found
  }

  @Test func pagesOfAnySizeAreAllBlocks() throws {
    var random = random
    let times = all.map(\.unixNanoseconds)
    let stretches = try reader.read { try reader.stretches($0) }
    try #require(stretches.stretches.count > 2)
    var nonEmpty = 0
    for _ in 0..<150 {
      var selection = Selection()
      if random.int(0...1) == 0 { selection.from = times[random.int(0...times.count - 1)] }
      if random.int(0...1) == 0 { selection.until = times[random.int(0...times.count - 1)] }
      if random.int(0...2) == 0 {
        selection.topicPrefixes = [Array("t\(random.int(0...50))".utf8)]
      }
      if random.int(0...3) == 0 { selection.endpoints = ["ipc://\(random.int(0...3))"] }
      let smallest = random.int(1...40)
      let sizes = [1...1, smallest...smallest * random.int(1...9), BlockPages.pageSizes]
      let found = try paged(selection, sizes[random.int(0...2)])
      #expect(try found == unpaged(selection), "\(selection)")
      if !found.isEmpty { nonEmpty += 1 }
    }
    #expect(nonEmpty > 50)
  }

  @Test func aSeekPassesOverStretches() throws {
    let messages = (1...600).map { TestMessage(time: Int64($0) * 200_000_000, "a", "x") }
    let capture = try Capture.recorded(directory.file("even"), messages)
    let reader = try IndexReader(capture)
    let times = try IndexContent.messages(reader).map(\.unixNanoseconds)
    let stretches = try reader.read { try reader.stretches($0) }
    let count = BlockStretches.blockCount
    #expect(stretches.stretches.map(\.ids.lowerBound) == [.min, count, 2 * count])
    #expect(stretches.ids(from: times[599], until: nil) == 2 * count ... .max)
    #expect(stretches.ids(from: nil, until: times[1]) == .min...count - 1)
    #expect(stretches.ids(from: times[300], until: times[301]) == count...2 * count - 1)
    #expect(stretches.ids(from: times[599] + 1, until: nil) == nil)
    #expect(stretches.ids(from: nil, until: times[0]) == nil)
  }
}
