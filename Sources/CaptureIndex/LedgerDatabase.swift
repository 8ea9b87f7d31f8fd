public import CaptureStore
import GRDB

// How the ledger of a walk and its counters are kept in `index.sqlite`.

extension IndexDatabase {
  static func store(_ news: WalkLedger.News, _ database: Database) throws {
    for event in news.events {
      try database.cachedStatement(
        sql: "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
      ).execute(arguments: [
        event.id, Int64(event.firstSequence), Int64(event.segment), event.offset, event.time,
        event.kind, event.endpoint, event.lost, event.detail,
      ])
    }
    for missing in news.missing {
      try database.cachedStatement(
        sql: "INSERT OR REPLACE INTO missing VALUES (?, ?, ?, ?, ?, ?)"
      ).execute(arguments: [
        Int64(missing.first), Int64(missing.count), Int64(missing.unexplained),
        Int64(missing.segment), missing.offset, missing.time,
      ])
    }
    for damage in news.damages {
      try database.cachedStatement(
        sql: "INSERT OR REPLACE INTO damage VALUES (?, ?, ?, ?, ?, ?)"
      ).execute(arguments: [
        Int64(damage.segment), damage.offset, damage.endOffset, damage.reason,
        damage.isUnreadable, damage.time,
      ])
    }
    for (number, facts) in news.segments {
      try database.cachedStatement(
        sql: """
          INSERT INTO segment VALUES (?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET
            durable_offset = max(durable_offset, excluded.durable_offset),
            is_sealed = max(is_sealed, excluded.is_sealed),
            recovered_bytes = coalesce(excluded.recovered_bytes, recovered_bytes)
          """
      ).execute(arguments: [
        Int64(number), facts.durableOffset, facts.isSealed, facts.recoveredBytes,
      ])
    }
  }

  static func storeCounters(_ walk: IndexWalk, _ changed: [Int], _ database: Database) throws {
    for id in changed {
      let counter = walk.counters.counters[id]
      try database.cachedStatement(
        sql: "INSERT OR REPLACE INTO counter VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
      ).execute(arguments: [
        id, counter.endpoint, counter.topic, counter.rule, counter.last.map(String.init),
        Int64(counter.lastSequence), counter.isUnreadable, counter.storedGaps,
      ])
    }
  }

  // MARK: - Reading back

  static func ledger(_ row: Row) throws -> WalkLedger.Totals {
    WalkLedger.Totals(
      missing: try row.integer("missing", in: totals),
      retired: try row.integer("retired", in: totals),
      lostOnTheWay: try row.integer(
        "lost_on_the_way", in: -WalkLedger.lostMax...WalkLedger.lostMax),
      recordedEvents: try row.integer("recorded_events", in: totals),
      derivedEvents: try row.integer("derived_events", in: totals),
      nextEvent: try row.integer("next_event", in: totals),
      damages: try row.integer("damages", in: totals),
      damagedBytesUnlisted: try row.integer("damaged_bytes_unlisted", in: totals),
      lastTime: try row.optionalTime("last_time_ns"),
      isCounterLimitTold: try row.integer("counter_limit_told") != 0)
  }

  static func recentMissing(_ database: Database) throws -> [WalkLedger.Missing] {
    try Row.fetchAll(
      database, sql: "SELECT * FROM missing ORDER BY first_sequence DESC LIMIT ?",
      arguments: [WalkLedger.missingRemembered]
    ).reversed().map { try missing($0) }
  }

  static func missing(_ row: Row) throws -> WalkLedger.Missing {
    WalkLedger.Missing(
      first: UInt64(try row.count("first_sequence")),
      count: UInt64(try row.integer("messages", in: totals)),
      unexplained: UInt64(try row.integer("unexplained", in: totals)),
      segment: UInt64(try row.count("segment")), offset: try row.count("offset"),
      time: try row.optionalTime("time_ns"))
  }

  static func counters(_ database: Database, rules: Int) throws -> [Counter] {
    try Row.fetchAll(database, sql: "SELECT * FROM counter ORDER BY id").enumerated().map {
      guard try $1.count("id", max: CounterBook.countersMax) == $0,
        let gaps = Counter.gaps(stored: try $1.text("gaps"))
      else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "bad counter") }
      var counter = Counter(
        endpoint: try $1.count("endpoint", max: endpointMax),
        topic: try $1.count("topic", max: TopicTable.overflow),
        rule: try $1.count("rule", max: max(0, rules - 1)))
      counter.last = try $1.optionalText("last").flatMap { UInt64($0) }
      counter.lastSequence = UInt64(try $1.count("last_sequence"))
      counter.isUnreadable = try $1.integer("is_unreadable") != 0
      counter.gaps = gaps
      guard rules > 0 else {
        throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a counter without a rule")
      }
      return counter
    }
  }

  static func sequences(_ row: Row) throws -> [SequenceRule] {
    try row.text("sequence_rules").split(separator: "\n").map {
      guard let rule = SequenceRule(String($0)) else {
        throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "bad sequence rule")
      }
      return rule
    }
  }

  static func codecRules(_ row: Row) throws -> [CodecRule] {
    guard let rules = [CodecRule](storedText: try row.text("codec_rules")) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "bad codec rule")
    }
    return rules
  }

  /// The codec rules that it was made with; nil where it does not say.
  func codecRules() -> [CodecRule]? {
    try? queue.read {
      try Row.fetchOne($0, sql: "SELECT codec_rules FROM progress").map { try Self.codecRules($0) }
    }
  }

  /// The counters that it was made with; nil where it does not say.
  func sequenceRules() -> [SequenceRule]? {
    try? queue.read {
      try Row.fetchOne($0, sql: "SELECT sequence_rules FROM progress").map {
        try Self.sequences($0)
      }
    }
  }
}

extension [SequenceRule] {
  /// A line each: what is no text is escaped, line feeds too.
  var storedText: String { map(\.description).joined(separator: "\n") }

  /// Those of a manifest that this version understands.
  public init(_ manifest: Manifest) {
    self = (manifest.sequences ?? []).compactMap { SequenceRule($0) }
  }
}
