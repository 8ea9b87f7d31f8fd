import CaptureStore
import Foundation
import GRDB
import TestSupport
import Testing

@testable import CaptureIndex

/// A search by bisection finds the block that a look at all of them finds.
@Suite struct BlockSearchTests {
  private let directory: TemporaryDirectory
  private let capture: Capture
  private var random: SplitMix64

  init() throws {
    directory = try TemporaryDirectory()
    random = SplitMix64(for: "BlockSearchTests")
    var messages: [TestMessage] = []
    // In blocks of 1 to 1,024 messages, in segments of one and more.
    for number in 0..<6_000 {
      let size = random.int(0...100) == 0 ? random.int(10_000...300_000) : random.int(0...40)
      messages.append(
        TestMessage(time: Int64(number), [Array("t".utf8), [UInt8](repeating: 1, count: size)]))
    }
    capture = try Capture.recorded(directory.file("c"), messages, segmentSize: 1 << 20)
    _ = try Indexer.rebuild(capture, rule: .auto)
  }

  /// Sequences that blocks begin with.
  private func starts(_ reader: IndexReader) throws -> [UInt64] {
    try reader.read { database in
      try Row.fetchAll(database, sql: "SELECT first_sequence FROM block ORDER BY id")
        .map { UInt64(try $0.count("first_sequence")) }
    }
  }

  private func found(_ sequence: UInt64, _ search: BlockSearch) throws -> BlockSearch.Found? {
    try search.last { $1.sequence >= sequence }
  }

  @Test mutating func theLastBlockThatBeginsBeforeIsFound() throws {
    let reader = try IndexReader(capture)
    let starts = try starts(reader)
    try #require(starts.count > 20)
    let search = try BlockSearch(reader)
    let borders = starts.flatMap { [$0, $0 + 1] }
    for sequence in borders + (0..<100).map({ _ in UInt64(random.int(0...6_001)) }) {
      let block = try found(sequence, search)
      #expect(block?.place.sequence == starts.last { $0 < sequence }, "\(sequence)")
      let end = starts.first { $0 >= sequence } ?? 6_000
      #expect(block.map { $0.last.sequence + 1 == end } ?? true)
      let next = try block.flatMap { try search.next(after: $0) }
      #expect(next?.place.sequence == (block == nil ? nil : starts.first { $0 >= sequence }))
    }
  }

  @Test func aSearchMayBeginSomewhereOrGoByTime() throws {
    let reader = try IndexReader(capture)
    let starts = try starts(reader)
    for index in [0, 1, starts.count / 2, starts.count - 1] {
      let search = try BlockSearch(reader, from: starts[index] + 1)
      // All from there on are not reached, and those before are not looked at.
      #expect(try search.last { _, _ in false }?.place.sequence == starts.last)
      #expect(try search.last { _, _ in true } == nil)
      let first = try BlockSearch(reader).last { $1.sequence > starts[index] }
      let time = try #require(first).times.lowerBound
      #expect(try BlockSearch(reader).last(beforeTime: time + 1)?.place.sequence == starts[index])
    }
    #expect(try BlockSearch(reader).last(beforeTime: .min) == nil)
  }

  @Test func whatCannotBeReadIsPassedOver() throws {
    let lost: UInt64 = 1
    let whole = try IndexReader(capture)
    let places = try whole.read { database in
      try Row.fetchAll(database, sql: "SELECT \(BlockPlace.columns) FROM block ORDER BY id")
        .map { try BlockPlace($0).start }
    }
    try #require(places.contains { $0.segment == 0 } && places.contains { $0.segment == 2 })
    try FileManager.default.removeItem(atPath: CapturePath.segment(capture.path, lost))
    let search = try BlockSearch(whole)
    let readable = places.filter { $0.segment != lost }.map(\.sequence)
    for sequence in places.map({ $0.sequence + 1 }) {
      #expect(
        try found(sequence, search)?.place.sequence == readable.last { $0 < sequence },
        "\(sequence)")
    }
    // By time, the last one that can be read counts, too.
    let end = try BlockSearch(whole).last(beforeTime: .max)
    #expect(end?.place.sequence == readable.last)
    try FileManager.default.removeItem(
      atPath: CapturePath.segment(capture.path, places[places.count - 1].segment))
    let left = places.filter { $0.segment != lost && $0.segment != places.last!.segment }
    #expect(try BlockSearch(whole).last(beforeTime: .max)?.place.sequence == left.last?.sequence)
  }

  @Test func whereNothingIsNothingIsFound() throws {
    let empty = try Capture.recorded(directory.file("e"), [])
    let search = try BlockSearch(IndexReader(empty))
    #expect(try search.last { _, _ in false } == nil)
  }
}
