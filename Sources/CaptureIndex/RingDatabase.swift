import CaptureStore
import GRDB

// How an index follows a ring whose oldest segments make room.

extension IndexDatabase {
  /// Forgets the segments in front of one. What is left says the same as the index of a capture
  /// that begins there, but for what is learnt from those before: codecs, and where counters were.
  ///
  /// Right after the news of the walk were stored.
  func retire(before first: UInt64, _ walk: inout IndexWalk) throws {
    var totals = walk.ledger.totals
    let remainder = try queue.write { database in
      let retired = try Self.retiredMessages(before: first, database)
      totals.retired = min(WalkLedger.lostMax, totals.retired &+ retired.messages)
      totals.missing = max(0, totals.missing - retired.missing)
      try Self.retireEvents(before: first, &totals, database)
      let damages = try Self.count("damage", before: first, database)
      totals.damages = max(0, totals.damages - damages)
      try database.execute(
        sql: """
          DELETE FROM block_summary
            WHERE block <= (SELECT max(id) FROM block WHERE segment < :first);
          DELETE FROM block WHERE segment < :first;
          DELETE FROM missing WHERE segment < :first;
          DELETE FROM damage WHERE segment < :first;
          DELETE FROM segment WHERE number < :first;
          """, arguments: ["first": Int64(first)])
      try database.execute(sql: Self.recount)
      let eras = try Self.retireEras(database)
      try database.execute(
        sql: """
          UPDATE progress SET retired = ?, missing = ?, lost_on_the_way = ?, recorded_events = ?,
            derived_events = ?, damages = ?
          """,
        arguments: [
          totals.retired, totals.missing, totals.lostOnTheWay, totals.recordedEvents,
          totals.derivedEvents, totals.damages,
        ])
      return IndexWalk.Remainder(
        totals: try Self.summaries(database).map(\.total), ledger: totals, eras: eras)
    }
    walk.forget(allBut: remainder)
  }

  /// Whether a ring has gone around since: of what it knows nothing is left.
  func isLapped(by capture: Capture) throws -> Bool {
    guard capture.isRing, let first = try capture.firstNumber else { return false }
    return try place().segment < first
  }

  /// Whether it knows of segments in front of one.
  func hasBlocks(before first: UInt64) throws -> Bool {
    try queue.read {
      try Self.count("block", before: first, $0) > 0
    }
  }

  private static let recount = """
    UPDATE summary SET messages = 0, bytes = 0
      WHERE id NOT IN (SELECT summary FROM block_summary);
    UPDATE summary SET messages = rest.messages, bytes = rest.bytes,
        first_time_ns = rest.first_time_ns, last_time_ns = rest.last_time_ns
      FROM (
        SELECT summary, sum(messages) AS messages, sum(bytes) AS bytes,
          min(first_time_ns) AS first_time_ns, max(last_time_ns) AS last_time_ns
        FROM block_summary GROUP BY summary
      ) AS rest
      WHERE rest.summary = summary.id;
    """

  private static func count(
    _ table: String, before first: UInt64, _ database: Database
  ) throws -> Int64 {
    try Int64.fetchOne(
      database, sql: "SELECT count(*) FROM \(table) WHERE segment < ?",
      arguments: [Int64(first)]) ?? 0
  }

  private static func retiredMessages(
    before first: UInt64, _ database: Database
  ) throws -> (messages: Int64, missing: Int64) {
    func sum(_ table: String) throws -> Int64 {
      try Row.fetchOne(
        database,
        sql: "SELECT coalesce(sum(messages), 0) AS sum FROM \(table) WHERE segment < ?",
        arguments: [Int64(first)])!.total("sum")
    }
    let missing = try sum("missing")
    return (try sum("block") &+ missing, missing)
  }

  /// Events that are not listed, because there were too many, count on.
  private static func retireEvents(
    before first: UInt64, _ totals: inout WalkLedger.Totals, _ database: Database
  ) throws {
    let kinds = CounterBook.eventKinds.map { "'\($0)'" }.joined(separator: ", ")
    let row = try Row.fetchOne(
      database,
      sql: """
        SELECT count(*) AS events, coalesce(sum(kind IN (\(kinds))), 0) AS derived,
          coalesce(sum(lost), 0) AS lost
        FROM event WHERE segment < ?
        """, arguments: [Int64(first)])!
    let (events, derived) = (try row.total("events"), try row.total("derived"))
    totals.recordedEvents = max(0, totals.recordedEvents - (events - derived))
    totals.derivedEvents = max(0, totals.derivedEvents - derived)
    let bounds = -WalkLedger.lostMax...WalkLedger.lostMax
    totals.lostOnTheWay -= try row.integer("lost", in: bounds)
    try database.execute(
      sql: "DELETE FROM event WHERE segment < ?", arguments: [Int64(first)])
  }

  /// Of each topic, the era that the first message that is left belongs to stays.
  private static func retireEras(_ database: Database) throws -> [IndexWalk.Era] {
    let first = try Int64.fetchOne(database, sql: "SELECT min(id) FROM block") ?? .max
    let old = """
      first_sequence < (
        SELECT max(first_sequence) FROM era AS later
        WHERE later.endpoint = era.endpoint AND later.topic = era.topic
          AND later.first_sequence <= \(first))
      """
    let gone = try eras(database, where: old)
    try database.execute(sql: "DELETE FROM era WHERE \(old)")
    return gone
  }
}
