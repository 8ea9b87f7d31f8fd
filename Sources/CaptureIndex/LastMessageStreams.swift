import CaptureStore
import GRDB

/// The streams whose last messages are looked for, and the blocks that they can be in.
///
/// By the rows of `block_summary`, from the newest block before the place back to older ones, a
/// stretch of blocks at a time: a stream is looked for from where it can be on, and no longer than
/// until it is found.
struct LastMessageStreams {
  typealias ID = Int

  /// A block to walk, and the streams that are in it and in none that is newer.
  struct Block {
    var id: Int64
    var place: BlockPlace
    /// Of the messages that are looked for, as far as is known.
    var times: ClosedRange<Int64>
    var streams: [ID]
  }

  private struct Stream {
    var summaries: [Int] = []
    /// Of its latest message.
    var lastTime = Int64.min
    /// The newest block that it can be looked for in.
    var bound: Int64
    /// The stretch that is looked at first.
    var start = 0
    var isWanted = false
    var note: RecordHeader?
  }

  /// Rows that are read until those that are not needed any more are left out.
  private static let rowsMax = 4096
  /// Summaries that are looked up one by one in each block.
  private static let searchesMax = 16
  /// Blocks that are looked at for topics without a row of their own.
  static let overflowBlocksMax = 256

  private let index: IndexReader
  /// Unix nanoseconds.
  private let before: Int64
  /// The newest block that has messages before the limit.
  private let bound: Int64
  private var streams: [Stream] = []
  private var names = TopicTable()
  private var ids: [Key: ID] = [:]
  private var streamOfSummary: [Int: ID] = [:]
  private var overflowSummaries: [Int] = []
  /// Endpoints with topics that were too many.
  private(set) var overflow: Set<Int> = []
  /// Those that have not been found.
  private(set) var waiting: [ID] = []

  private struct Key: Hashable {
    var endpoint: Int
    var topic: TopicTable.ID
  }

  init(_ index: IndexReader, _ selection: Selection, before limit: LastMessagesLimit) throws {
    self.index = index
    before = limit.time
    bound = Int64(clamping: limit.sequence) - 1
    let summaries = try index.read { try SelectedSummary.all(of: selection, $0) }
    for summary in summaries where summary.firstTime < before {
      if summary.topic == TopicTable.overflow {
        overflow.insert(summary.endpoint)
        overflowSummaries.append(summary.id)
      } else {
        add(summary)
      }
    }
    waiting = Array(streams.indices)
  }

  private mutating func add(_ summary: SelectedSummary) {
    let topic = summary.name.map { unsafe names.id(of: $0.span.bytes) } ?? TopicTable.noTopic
    let key = Key(endpoint: summary.endpoint, topic: topic)
    let id = ids[key] ?? streams.count
    if id == streams.count {
      ids[key] = id
      streams.append(Stream(bound: bound))
    }
    streams[id].summaries.append(summary.id)
    streams[id].lastTime = max(streams[id].lastTime, summary.lastTime)
    streamOfSummary[summary.id] = id
  }

  // MARK: - Blocks

  /// For each stream that waits, the newest block that it can be in; it waits no more. A stream that
  /// is in no block is dropped.
  mutating func newestBlocks(_ database: Database) throws -> [Block] {
    let stretches = try index.stretches(database).stretches
    for id in waiting {
      let stream = streams[id]
      streams[id].start =
        stretches.lastIndex {
          $0.ids.lowerBound <= stream.bound && $0.canHold(before: before)
            && ($0.times.map { $0.lowerBound <= stream.lastTime } ?? false)
        } ?? -1
    }
    var later = waiting.sorted { streams[$0].start < streams[$1].start }
    waiting = []
    var blocks: [Int64: Block] = [:]
    var active: [ID] = []
    var number = stretches.count - 1
    while number >= 0, !active.isEmpty || !later.isEmpty {
      if active.isEmpty { number = min(number, streams[later[later.count - 1]].start) }
      while let id = later.last, streams[id].start >= number { active.append(later.removeLast()) }
      guard number >= 0 else { break }
      try search(stretches[number].ids, &active, &blocks, database)
      number -= 1
    }
    return blocks.values.sorted { $0.id > $1.id }
  }

  /// Looks for streams in a stretch of blocks; those that are found are taken out of `active`.
  private mutating func search(
    _ ids: ClosedRange<Int64>, _ active: inout [ID], _ blocks: inout [Int64: Block],
    _ database: Database
  ) throws {
    var upper = active.reduce(.min) { max($0, min(streams[$1].bound, ids.upperBound)) }
    while !active.isEmpty {
      for id in active { streams[id].isWanted = true }
      let summaries = active.flatMap { streams[$0].summaries }
      // Few are looked up in each block, for many all rows are gone through.
      let isSearch = summaries.count <= Self.searchesMax
      let rows = try Row.fetchCursor(
        database,
        sql: """
          SELECT block, summary, block_summary.first_time_ns, block_summary.last_time_ns
          FROM \(isSearch ? "block CROSS JOIN block_summary ON block = block.id" : "block_summary")
          WHERE \(isSearch ? "block.id" : "block") BETWEEN ? AND ?
            AND block_summary.first_time_ns < ?
            AND \(BlockPages.isAny(of: summaries, bySearch: isSearch))
          ORDER BY \(isSearch ? "block.id" : "block") DESC
          """,
        arguments: [ids.lowerBound, upper, before])
      var (left, count) = (active.count, 0)
      var next: Int64?
      while left > 0, let row = try rows.next() {
        let block = try row.integer(at: 0)
        count += 1
        if count > Self.rowsMax && block < upper {
          next = block
          break
        }
        guard let id = streamOfSummary[Int(try row.integer(at: 1))], streams[id].isWanted,
          block <= streams[id].bound
        else { continue }
        streams[id].isWanted = false
        left -= 1
        try note(row, block, id, &blocks, database)
      }
      active.removeAll { !streams[$0].isWanted }
      for id in active { streams[id].isWanted = false }
      guard let next else { return }
      upper = next
    }
  }

  private func note(
    _ row: Row, _ id: Int64, _ stream: ID, _ blocks: inout [Int64: Block], _ database: Database
  ) throws {
    // Of several rows of a stream this is any: another one may be of its last message.
    let isOnly = streams[stream].summaries.count == 1
    let first = try isOnly ? row.integer(at: 2) : .min
    let last = try isOnly ? max(first, row.integer(at: 3)) : .max
    if let known = blocks[id] {
      blocks[id]!.times =
        min(known.times.lowerBound, first)...max(known.times.upperBound, last)
      blocks[id]!.streams.append(stream)
      return
    }
    let place = try Row.fetchOne(
      database.cachedStatement(sql: "SELECT \(BlockPlace.columns) FROM block WHERE id = ?"),
      arguments: [id])
    guard let place else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "no such block")
    }
    blocks[id] = Block(
      id: id, place: try BlockPlace(place), times: first...last, streams: [stream])
  }

  /// The newest blocks with topics that have no row of their own.
  func overflowBlocks(_ database: Database) throws -> [BlockPlace] {
    let ids = try index.stretches(database).ids(from: nil, until: before)
    guard let ids else { return [] }
    return try Row.fetchAll(
      database,
      sql: """
        SELECT \(BlockPlace.columns) FROM block
        WHERE id BETWEEN ? AND ? AND EXISTS (
          SELECT 1 FROM block_summary
          WHERE block = block.id AND block_summary.first_time_ns < ?
            AND \(BlockPages.isAny(of: overflowSummaries)))
        ORDER BY id DESC LIMIT \(Self.overflowBlocksMax)
        """,
      arguments: [ids.lowerBound, min(ids.upperBound, bound), before]
    ).map { try BlockPlace($0) }
  }

  // MARK: - What a walk finds

  /// The stream of a message, by where its topic lies; nil where it is none of these.
  func id(of record: RecordHeader, topic: Range<Int>?, in segment: Segment) -> ID? {
    var key = Key(endpoint: Int(record.endpoint), topic: TopicTable.noTopic)
    if let topic {
      guard let known = names.known(segment.bytes.extracting(topic)) else { return nil }
      key.topic = known
    }
    return ids[key]
  }

  func isWanted(_ id: ID) -> Bool { streams[id].isWanted }

  mutating func want(_ ids: [ID]) {
    for id in ids { streams[id].isWanted = true }
  }

  /// Remembers a message in place of those before it.
  mutating func note(_ record: RecordHeader, of id: ID) { streams[id].note = record }

  /// The messages that were remembered, where they are good; their streams are not wanted any more.
  mutating func take(
    _ ids: [ID], _ message: (RecordHeader) -> RecordedMessage?
  ) -> [RecordedMessage] {
    var found: [RecordedMessage] = []
    for id in ids {
      guard let record = streams[id].note else { continue }
      streams[id].note = nil
      guard let message = message(record) else { continue }
      streams[id].isWanted = false
      found.append(message)
    }
    return found
  }

  /// Those of some streams that are still wanted wait for a block before this one.
  mutating func leave(_ block: Block, _ ids: [ID]) {
    for id in ids where streams[id].isWanted { wait(id, before: block.id) }
  }

  private mutating func wait(_ id: ID, before block: Int64) {
    streams[id].isWanted = false
    guard block > .min else { return }
    streams[id].bound = block - 1
    waiting.append(id)
  }

  /// All streams of a block wait for one of an earlier segment.
  mutating func leaveSegment(of block: Block, _ database: Database) throws {
    let earlier = try Row.fetchOne(
      database,
      sql: "SELECT id FROM block WHERE id < ? AND segment < ? ORDER BY id DESC LIMIT 1",
      arguments: [block.id, Int64(block.place.start.segment)])
    guard let earlier else { return }
    let bound = try earlier.integer("id")
    for id in block.streams {
      streams[id].bound = bound
      waiting.append(id)
    }
  }
}
