import CaptureStore
import Foundation
import GRDB

/// `index.sqlite` as the walk sees it: takes news, gives back the past.
struct IndexDatabase {
  let queue: DatabaseQueue

  /// The walk upholds the references, also for endpoints that only a damaged record names.
  static var writing: Configuration {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    // Somebody who looks at the live index with a tool of their own may lock it for a while.
    configuration.busyMode = .timeout(30)
    return configuration
  }

  /// For a file that is written beside a recorder, and read by others meanwhile.
  private static var live: Configuration {
    var configuration = writing
    configuration.journalMode = .wal
    // The index is derived: after a power loss it is made again, so commits need not wait for it.
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = OFF") }
    return configuration
  }

  /// Opens what is there to go on with it; nil when it is no index that can be gone on with.
  static func reopen(_ path: String, of capture: Capture) -> IndexDatabase? {
    guard let known = open(path, of: capture), let endings = try? capture.segmentEndings(),
      (try? known.isBacked(by: capture, endings)) == true
    else { return nil }
    try? known.queue.close()
    return (try? DatabaseQueue(path: path, configuration: live)).map(IndexDatabase.init)
  }

  /// Creates an index file, in place of any that is there.
  static func create(_ path: String) throws -> IndexDatabase {
    for suffix in ["", "-wal", "-shm", "-journal"] where unsafe access(path + suffix, F_OK) == 0 {
      unsafe unlink(path + suffix)
    }
    let mask = umask(0o077)
    defer { umask(mask) }
    let queue = try DatabaseQueue(path: path, configuration: live)
    try queue.write { try IndexSchema.create($0) }
    return IndexDatabase(queue: queue)
  }

  /// An index that lives in memory: for captures whose own is missing or behind.
  static func inMemory() throws -> IndexDatabase {
    let queue = try DatabaseQueue(configuration: writing)
    try queue.write { try IndexSchema.create($0) }
    return IndexDatabase(queue: queue)
  }

  /// Opens what is there, for reading; nil when it is no index that this version understands.
  static func open(_ path: String, of capture: Capture) -> IndexDatabase? {
    guard unsafe access(path, R_OK) == 0 else { return nil }
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    do {
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      let isOurs = try queue.read { database in
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version")
        guard version == IndexSchema.version else { return false }
        let uuid = try Row.fetchOne(database, sql: "SELECT capture FROM progress")?.text("capture")
        return uuid == capture.manifest.uuid.uuidString
      }
      return isOurs ? IndexDatabase(queue: queue) : nil
    } catch {
      return nil
    }
  }

  /// Leaves one plain file behind, which can be read from a medium that cannot be written.
  func close() throws {
    try? queue.inDatabase { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
    try queue.close()
  }

  // MARK: - Writing

  /// Stores what is new in a walk, in one transaction.
  func store(_ walk: inout IndexWalk) throws {
    let news = walk.takeNews()
    try queue.write { [walk] database in
      try Self.storeNames(walk, news, database)
      try Self.storeSummaries(walk, news, database)
      for block in news.blocks { try Self.store(block, database) }
      if let block = walk.openBlock { try Self.store(block, database) }
      try Self.store(news.ledger, database)
      try Self.storeCounters(walk, news.counters, database)
      try Self.storeProgress(walk, database)
    }
  }

  private static func storeNames(
    _ walk: IndexWalk, _ news: IndexWalk.News, _ database: Database
  ) throws {
    let topic = try database.cachedStatement(sql: "INSERT OR REPLACE INTO topic VALUES (?, ?)")
    if news.firstTopic == 1 { try topic.execute(arguments: [TopicTable.noTopic, nil]) }
    for id in news.firstTopic..<max(walk.topics.count + 1, news.firstTopic) {
      try topic.execute(arguments: [id, Data(walk.topics.name(of: id))])
    }
    if walk.topics.count == TopicTable.countMax {
      try topic.execute(arguments: [TopicTable.overflow, Data(TopicTable.overflowName)])
    }
    let codec = try database.cachedStatement(sql: "INSERT INTO codec VALUES (?, ?)")
    for id in news.firstCodec..<walk.codecs.count {
      try codec.execute(arguments: [id, walk.codecs[id]])
    }
    let era = try database.cachedStatement(sql: "INSERT OR REPLACE INTO era VALUES (?, ?, ?, ?)")
    for new in news.eras {
      try era.execute(arguments: [
        new.endpoint, new.topic, Int64(new.firstSequence), new.tags.storedText,
      ])
    }
  }

  private static func storeSummaries(
    _ walk: IndexWalk, _ news: IndexWalk.News, _ database: Database
  ) throws {
    let statement = try database.cachedStatement(
      sql: "INSERT OR REPLACE INTO summary VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
    for id in news.summaries {
      let summary = walk.summaries[id]
      let total = summary.total
      try statement.execute(arguments: [
        id, summary.endpoint, summary.topic, summary.codec, total.messages, total.bytes,
        total.firstTime, total.lastTime,
      ])
    }
  }

  private static func store(_ block: IndexWalk.Block, _ database: Database) throws {
    let id = block.id
    try database.cachedStatement(
      sql: "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    ).execute(arguments: [
      id, Int64(block.segment), block.offset, block.endOffset, id, block.tally.messages,
      block.tally.firstTime, block.tally.lastTime,
    ])
    let statement = try database.cachedStatement(
      sql: "INSERT OR REPLACE INTO block_summary VALUES (?, ?, ?, ?, ?, ?)")
    for (summary, tally) in block.summaries {
      try statement.execute(arguments: [
        id, summary, tally.messages, tally.bytes, tally.firstTime, tally.lastTime,
      ])
    }
  }

  private static func storeProgress(_ walk: IndexWalk, _ database: Database) throws {
    let capture = walk.cursor.capture
    let place = walk.cursor.place
    let totals = walk.ledger.totals
    try database.cachedStatement(
      sql: "INSERT OR REPLACE INTO progress VALUES (1\(String(repeating: ", ?", count: 18)))"
    ).execute(arguments: [
      capture.manifest.uuid.uuidString, walk.rule.description, walk.counters.rules.storedText,
      walk.codecRules.storedText, Int64(place.segment), place.offset, Int64(place.sequence),
      totals.missing, totals.retired,
      totals.lostOnTheWay, totals.recordedEvents, totals.derivedEvents, totals.nextEvent,
      totals.damages, totals.damagedBytesUnlisted, totals.lastTime,
      walk.openBlock.map { $0.id }, totals.isCounterLimitTold,
    ])
    let endpoint = try database.cachedStatement(sql: "INSERT OR IGNORE INTO endpoint VALUES (?, ?)")
    for (id, recorded) in capture.manifest.endpoints.enumerated() {
      try endpoint.execute(arguments: [id, recorded.address])
    }
  }

  // MARK: - Reading back

  /// Where the walk that made this index stood when it stored last.
  func place() throws -> RecordPlace {
    try queue.read { try Self.place(Self.progress($0)) }
  }

  /// The same, if every message up to there is counted as there or missing: what a damaged file
  /// says by chance does not add up.
  func knownPlace() -> RecordPlace? {
    try? queue.read { database in
      let row = try Self.progress(database)
      let place = try Self.place(row)
      let messages = try Self.summaries(database).reduce(0) { $0 &+ UInt64($1.total.messages) }
      let known = try messages &+ UInt64(row.total("missing")) &+ UInt64(row.total("retired"))
      return known == place.sequence && known <= Self.totals.upperBound ? place : nil
    }
  }

  /// Whether what was indexed is there: each segment, as long as it has to be, and the last block
  /// as it was. After a power loss the index may be ahead of them; and files get lost.
  func isBacked(by capture: Capture, _ endings: SegmentEndings) throws -> Bool {
    let (ends, last) = try queue.read { database in
      (
        try Row.fetchAll(
          database, sql: "SELECT segment, max(end_offset) AS end_offset FROM block GROUP BY segment"
        ),
        try Row.fetchOne(database, sql: "SELECT * FROM block ORDER BY id DESC LIMIT 1")
      )
    }
    guard let last else { return true }
    // In a ring, what is before its first segment made room.
    let first = capture.isRing ? try capture.firstNumber ?? .max : 0
    for row in ends where UInt64(try row.count("segment")) >= first {
      let size = endings.sizes[UInt64(try row.count("segment"))]
      guard let size, size >= (try row.count("end_offset")) else { return false }
    }
    guard let segment = try capture.openSegment(number: UInt64(try last.count("segment"))),
      var cursor = SegmentCursor(segment, at: try last.count("offset"), verifying: .header)
    else { return false }
    let end = try last.count("end_offset")
    while cursor.offset < end {
      guard case .record = cursor.next() else { return false }
    }
    return cursor.offset == end
  }

  static func progress(_ database: Database) throws -> Row {
    guard let row = try Row.fetchOne(database, sql: "SELECT * FROM progress") else {
      throw DatabaseError(message: "the index has no progress row")
    }
    return row
  }

  private static func place(_ row: Row) throws -> RecordPlace {
    RecordPlace(
      segment: UInt64(try row.count("segment")), offset: try row.count("offset"),
      sequence: UInt64(try row.count("sequence")))
  }

  /// What the walk that made this index knew when it stored last.
  func past(verifying: SegmentCursor.Verification) throws -> IndexWalk.Past {
    try queue.read { database in
      let row = try Self.progress(database)
      let topics = try Row.fetchAll(
        database, sql: "SELECT name FROM topic WHERE id BETWEEN 1 AND ? ORDER BY id",
        arguments: [TopicTable.countMax])
      let codecs = try Row.fetchAll(database, sql: "SELECT tag FROM codec ORDER BY id")
      return IndexWalk.Past(
        place: try Self.place(row),
        verification: verifying,
        topics: try topics.map { try $0.bytes("name") ?? [] },
        codecs: try codecs.map { try $0.text("tag") },
        summaries: try Self.summaries(database),
        eras: try Self.eras(database),
        openBlock: try row.optionalCount("open_block").map { try Self.block($0, database) },
        ledger: try Self.ledger(row),
        recentMissing: try Self.recentMissing(database),
        counters: try Self.counters(database, rules: try Self.sequences(row).count))
    }
  }

  static let endpointMax = Int(UInt16.max)
  /// Counts that the walk goes on from; beyond any capture, and adding to them cannot overflow.
  static let totals: ClosedRange<Int64> = 0...1 << 60

  static func summaries(_ database: Database) throws -> [IndexWalk.Summary] {
    try Row.fetchAll(database, sql: "SELECT * FROM summary ORDER BY id").map { row in
      var summary = IndexWalk.Summary(
        endpoint: try row.count("endpoint", max: endpointMax),
        topic: try row.count("topic", max: TopicTable.overflow),
        codec: try row.count("codec", max: IndexWalk.codecsMax))
      summary.total = try tally(row)
      return summary
    }
  }

  private static func block(_ id: Int, _ database: Database) throws -> IndexWalk.Block {
    guard
      let row = try Row.fetchOne(
        database, sql: "SELECT * FROM block WHERE id = ?", arguments: [id])
    else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "no open block") }
    var block = IndexWalk.Block(
      segment: UInt64(try row.count("segment")), offset: try row.count("offset"),
      endOffset: try row.count("end_offset"), firstSequence: UInt64(id))
    block.tally.messages = try row.integer("messages", in: totals)
    block.tally.firstTime = try row.time("first_time_ns")
    block.tally.lastTime = try row.time("last_time_ns")
    let summaries = try Row.fetchAll(
      database, sql: "SELECT * FROM block_summary WHERE block = ? ORDER BY summary",
      arguments: [id])
    block.summaries = try summaries.map { (id: try $0.count("summary"), tally: try tally($0)) }
    return block
  }

  fileprivate static func tally(_ row: Row) throws -> Tally {
    Tally(
      messages: try row.integer("messages", in: totals),
      bytes: try row.integer("bytes", in: totals),
      firstTime: try row.integer("first_time_ns"), lastTime: try row.integer("last_time_ns"))
  }

  static func eras(
    _ database: Database, where condition: String = "TRUE"
  ) throws -> [IndexWalk.Era] {
    let sql = "SELECT * FROM era WHERE \(condition) ORDER BY first_sequence"
    return try Row.fetchAll(database, sql: sql).map { row in
      IndexWalk.Era(
        endpoint: try row.count("endpoint", max: endpointMax),
        topic: try row.count("topic", max: TopicTable.overflow),
        firstSequence: UInt64(try row.count("first_sequence")),
        tags: FrameTags(storedText: try row.text("tags")))
    }
  }
}
