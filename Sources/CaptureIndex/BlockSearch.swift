package import CaptureStore
import GRDB

/// Finds places in a capture by what its messages are, without reading what lies between.
///
/// It looks at the messages that blocks of the index begin with, by bisection: some dozens in a capture of
/// any size. Of one that cannot be read it takes the next that can. The segments that it looks at stay
/// mapped in a pool, but for those of a ring, which cannot use them again then: for as long as this and what
/// it found.
package struct BlockSearch {
  /// A block by its first message that can be read.
  package struct Found {
    /// Where reading of the block begins.
    package var place: RecordPlace
    package var segment: Segment
    package var record: RecordHeader
    /// When its messages were received, in Unix nanoseconds.
    package var times: ClosedRange<Int64>
    fileprivate var id: Int
    fileprivate var endOffset: Int

    /// Its last message that can be read.
    package var last: RecordHeader {
      var last = record
      guard var cursor = SegmentCursor(segment, at: record.end, verifying: .header) else {
        return last
      }
      while cursor.offset < endOffset {
        switch cursor.next() {
        case .record(let next): if next.kind == .data { last = next }
        case .damage: continue
        case .end: return last
        }
      }
      return last
    }
  }

  private let index: IndexReader
  private let pool: SegmentPool
  /// Of blocks that are there now.
  private let ids: ClosedRange<Int>?
  private let firstSegment: UInt64

  /// Of blocks from the one with message `sequence` on. Throws `IndexError`, and `StoreError` where the
  /// segments of a ring cannot be listed.
  package init(_ index: IndexReader, from sequence: UInt64 = 0, pool: SegmentPool? = nil) throws {
    self.index = index
    self.pool =
      index.capture.isRing ? SegmentPool(index.capture) : pool ?? SegmentPool(index.capture)
    firstSegment = index.capture.isRing ? try index.capture.firstNumber ?? 0 : 0
    ids = try index.read { database in
      let row = try Row.fetchOne(
        database,
        sql: """
          SELECT (SELECT max(id) FROM block WHERE id <= ?) AS begin,
            (SELECT min(id) FROM block) AS first, (SELECT max(id) FROM block) AS last
          """, arguments: [Int64(clamping: sequence)])
      guard let first = try row?.optionalCount("first"), let last = try row?.optionalCount("last")
      else { return nil }
      let begin = try row?.optionalCount("begin") ?? first
      return begin...max(begin, last)
    }
  }

  /// The last block whose first message is not reached; nil where that of the first one is.
  ///
  /// `isReached` is to be true of every message behind one of which it is.
  package func last(
    before isReached: (Segment, RecordHeader) -> Bool
  ) throws -> Found? {
    guard var (low, high) = ids.map({ ($0.lowerBound, $0.upperBound) }) else { return nil }
    var found: Found?
    while low <= high {
      let middle = low + (high - low) / 2
      if let block = try first(in: middle...high), !isReached(block.segment, block.record) {
        found = block
        guard block.id < high else { break }
        low = block.id + 1
      } else {
        high = middle - 1
      }
    }
    return found
  }

  /// The last block with a message before a time of the real-time clock; nil where there is none.
  package func last(beforeTime time: Int64) throws -> Found? {
    guard let ids else { return nil }
    let last = try index.read { database in
      try Row.fetchOne(
        database,
        sql: "SELECT max(id) AS id FROM block WHERE id BETWEEN ? AND ? AND first_time_ns < ?",
        arguments: [ids.lowerBound, ids.upperBound, time])?.optionalCount("id")
    }
    // Where it cannot be read, the one before.
    return try last.flatMap { id in try self.last { $1.sequence > UInt64(id) } }
  }

  /// The block behind another; nil where that is the last one that can be read.
  package func next(after block: Found) throws -> Found? {
    guard let ids, block.id < ids.upperBound else { return nil }
    return try first(in: block.id + 1...ids.upperBound)
  }

  /// The first block of some that can be read.
  private func first(in ids: ClosedRange<Int>) throws -> Found? {
    var rest = ids
    while let block = try block(in: rest) {
      if let found = found(block) { return found }
      guard block.id < rest.upperBound else { return nil }
      rest = block.id + 1...rest.upperBound
    }
    return nil
  }

  private typealias Block = (id: Int, place: BlockPlace, times: ClosedRange<Int64>)

  private func block(in ids: ClosedRange<Int>) throws -> Block? {
    try index.read { database in
      let statement = try database.cachedStatement(
        sql: """
          SELECT id, \(BlockPlace.columns), first_time_ns, last_time_ns FROM block
          WHERE id BETWEEN ? AND ? AND segment >= ? ORDER BY id LIMIT 1
          """)
      let arguments: StatementArguments = [
        ids.lowerBound, ids.upperBound, Int64(clamping: firstSegment),
      ]
      return try Row.fetchOne(statement, arguments: arguments).map { row in
        let (first, last) = (try row.time("first_time_ns"), try row.time("last_time_ns"))
        return (try row.count("id"), try BlockPlace(row), first...max(first, last))
      }
    }
  }

  private func found(_ block: Block) -> Found? {
    let place = block.place
    guard let segment = (try? pool.segment(place.start.segment)) ?? nil,
      var cursor = SegmentCursor(segment, at: place.start.offset, verifying: .header)
    else { return nil }
    while cursor.offset < place.endOffset {
      switch cursor.next() {
      case .record(let record):
        guard record.kind == .data else { continue }
        return Found(
          place: place.start, segment: segment, record: record, times: block.times,
          id: block.id, endOffset: place.endOffset)
      case .damage: continue
      case .end: return nil
      }
    }
    return nil
  }
}
