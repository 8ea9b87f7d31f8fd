import CaptureStore
import GRDB

/// Where a block of messages lies, as the index tells it.
struct BlockPlace: Hashable {
  var start: RecordPlace
  var endOffset: Int
  /// Messages that were in it when it was indexed.
  var messages: Int64

  static let columns = "block.segment, offset, end_offset, first_sequence, block.messages"

  init(_ row: Row) throws {
    start = RecordPlace(
      segment: UInt64(try row.count("segment")), offset: try row.count("offset"),
      sequence: UInt64(try row.count("first_sequence")))
    endOffset = try row.count("end_offset")
    messages = try row.total("messages")
  }
}

/// The blocks that can hold a message of a selection, in recorded order, a page at a time: the
/// first ones are there at once, however many there are.
///
/// They are those that the index had when this was made. In an index that its recorder goes on
/// with, later ones do not count; of a ring those may be gone when their page comes.
struct BlockPages {
  /// Blocks of the first page, and of the largest.
  static let pageSizes: ClosedRange<Int> = 16...4096
  /// More summaries than this are looked for by the rows of a block, fewer one by one.
  static let seeksMax = 4
  /// SQLite takes statements of 1 MB.
  private static let namedMax = 50_000

  /// Messages in blocks of a ring that were not in the index any more when their page came; known
  /// when the last page is there.
  var messagesGone: Int64 { rest == nil ? max(0, messagesExpected) : 0 }

  private let index: IndexReader
  private let condition: String
  private let times: StatementArguments
  /// Ids of blocks that have not been fetched; nil when there are none.
  private var rest: ClosedRange<Int64>?
  /// The newest block, as it was.
  private var newest: (id: Int64, place: BlockPlace)?
  /// Of a ring: in blocks that have not been fetched.
  private var messagesExpected: Int64
  private var page: ArraySlice<BlockPlace> = []
  private var pageSize: Int
  private let pageSizeMax: Int

  /// Fetches the first page. Throws `IndexError`, and `StoreError` where the segments of a ring
  /// cannot be listed.
  init(
    _ index: IndexReader, _ selection: Selection, pageSizes sizes: ClosedRange<Int> = Self.pageSizes
  ) throws {
    self.index = index
    pageSize = sizes.lowerBound
    pageSizeMax = sizes.upperBound
    times = [selection.from ?? .min, selection.until ?? .max]
    var conditions = ["last_time_ns >= ?", "first_time_ns < ?"]
    if index.capture.isRing, let first = try index.capture.firstNumber {
      conditions.append("segment >= \(first)")
    }
    typealias Start = (
      condition: String, rest: ClosedRange<Int64>?, newest: (id: Int64, place: BlockPlace)?,
      messages: Int64
    )
    let start = try index.read { [times] database -> Start in
      if let ids = try SelectedSummary.ids(of: selection, database) {
        conditions.append(Self.holdsAny(of: ids))
      }
      let condition = conditions.joined(separator: " AND ")
      let row = try Row.fetchOne(
        database, sql: "SELECT id, \(BlockPlace.columns) FROM block ORDER BY id DESC LIMIT 1")
      guard let row else { return (condition, nil, nil, 0) }
      let newest = (id: try row.integer("id"), place: try BlockPlace(row))
      let first = selection.start.map { Int64(clamping: $0.sequence) } ?? .min
      var rest: ClosedRange<Int64>? = first <= newest.id ? first...newest.id : nil
      if selection.from != nil || selection.until != nil {
        let possible = try index.stretches(database)
          .ids(from: selection.from, until: selection.until)
        rest = possible.flatMap {
          let (from, to) = (max($0.lowerBound, first), min($0.upperBound, newest.id))
          return from <= to ? from...to : nil
        }
      }
      let messages =
        index.capture.isRing ? try Self.messages(in: rest, condition, times, database) : 0
      return (condition, rest, newest, messages)
    }
    condition = start.condition
    rest = start.rest
    newest = start.newest
    messagesExpected = start.messages
    try fetch()
  }

  /// The next block; nil at the end. Throws `IndexError`.
  mutating func next() throws -> BlockPlace? {
    while page.isEmpty && rest != nil { try fetch() }
    return page.popFirst()
  }

  private mutating func fetch() throws {
    guard let ids = rest else { return }
    let sql = """
      SELECT id, \(BlockPlace.columns) FROM block
      WHERE id BETWEEN ? AND ? AND \(condition) ORDER BY id LIMIT \(pageSize)
      """
    let arguments: StatementArguments = [ids.lowerBound, ids.upperBound] + times
    let rows = try index.read { database in
      try Row.fetchAll(database, sql: sql, arguments: arguments).map {
        (id: try $0.integer("id"), place: try BlockPlace($0))
      }
    }
    page =
      rows.map { row in
        if let newest, newest.id == row.id { newest.place } else { row.place }
      }[...]
    for block in page { messagesExpected &-= block.messages }
    let isLast = rows.count < pageSize || rows[rows.count - 1].id >= ids.upperBound
    rest = isLast ? nil : rows[rows.count - 1].id + 1...ids.upperBound
    pageSize = min(pageSizeMax, pageSize * 4)
  }

  /// SQL that says whether a block has messages of any of these summaries.
  private static func holdsAny(of ids: [Int]) -> String {
    "EXISTS (SELECT 1 FROM block_summary WHERE block = block.id AND \(isAny(of: ids)))"
  }

  /// SQL that says whether a row of `block_summary` is of one of these summaries, by a search for
  /// each where they are few; or of any, where they are too many to be named.
  static func isAny(of ids: [Int], bySearch: Bool? = nil) -> String {
    guard ids.count <= namedMax else { return "TRUE" }
    let list = ids.map(String.init).joined(separator: ", ")
    // The plus keeps SQLite from searching.
    return "\(bySearch ?? (ids.count <= seeksMax) ? "" : "+")summary IN (\(list))"
  }

  private static func messages(
    in ids: ClosedRange<Int64>?, _ condition: String, _ times: StatementArguments,
    _ database: Database
  ) throws -> Int64 {
    guard let ids else { return 0 }
    let row = try Row.fetchOne(
      database,
      sql: """
        SELECT coalesce(sum(messages), 0) AS messages FROM block
        WHERE id BETWEEN ? AND ? AND \(condition)
        """,
      arguments: [ids.lowerBound, ids.upperBound] + times)
    return try row?.total("messages") ?? 0
  }
}
