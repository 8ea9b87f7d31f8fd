import GRDB

/// Two indexes held against each other: every table that either has, in the order of its key, a
/// row of each at a time.
struct IndexComparison {
  let stored: Database
  /// What the stored one should be.
  let made: Database

  /// A line for each table that differs; none when they are the same.
  func differences() throws -> [String] {
    var found: [String] = []
    let tables = try (Self.tables(stored), Self.tables(made))
    for table in tables.1 {
      guard tables.0.contains(table) else {
        found.append("\(table): is not there")
        continue
      }
      if let difference = try difference(in: table) { found.append("\(table): \(difference)") }
    }
    for table in tables.0 where !tables.1.contains(table) {
      found.append("\(table): does not belong there")
    }
    return found
  }

  private static func tables(_ database: Database) throws -> [String] {
    try String.fetchAll(
      database,
      sql: """
        SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
        ORDER BY name
        """)
  }

  /// The same for the blocks of a ring from one segment on: numbers of topics and the like depend
  /// on what made room.
  func differencesOfRing(from first: UInt64) throws -> [String] {
    let blocks = "SELECT * FROM block WHERE segment >= \(first) ORDER BY id"
    let contents = """
      SELECT block, endpoint, coalesce(hex(name), '-') AS topic,
        sum(block_summary.messages) AS messages, sum(block_summary.bytes) AS bytes
      FROM block_summary JOIN summary ON summary.id = summary JOIN topic ON topic.id = topic
      WHERE block >= (SELECT min(id) FROM block WHERE segment >= \(first))
      GROUP BY block, endpoint, name ORDER BY block, endpoint, name
      """
    return try [
      difference(in: blocks, key: ["id"]).map { "block: \($0)" },
      difference(in: contents, key: ["block", "endpoint", "topic"]).map { "block_summary: \($0)" },
    ].compactMap { $0 }
  }

  private func difference(in table: String) throws -> String? {
    let columns = try made.columns(in: table).map(\.name)
    guard try stored.columns(in: table).map(\.name) == columns else {
      return "has other columns"
    }
    let key = try made.primaryKey(table).columns
    let order = key.map { $0.quotedDatabaseIdentifier }.joined(separator: ", ")
    return try difference(
      in: "SELECT * FROM \(table.quotedDatabaseIdentifier) ORDER BY \(order)", key: key)
  }

  /// What differs first in what a statement selects, in the order of its key.
  private func difference(in sql: String, key: [String]) throws -> String? {
    let rows = try (Row.fetchCursor(stored, sql: sql), Row.fetchCursor(made, sql: sql))
    while true {
      switch try (rows.0.next(), rows.1.next()) {
      case (nil, nil): return nil
      case (let row?, nil): return "\(Self.name(row, key)) does not belong there"
      case (nil, let row?): return "\(Self.name(row, key)) is not there"
      case (let left?, let right?):
        if left == right { continue }
        let names = (Self.name(left, key), Self.name(right, key))
        guard names.0 == names.1 else { return "\(names.0) where \(names.1) should be" }
        let column = right.columnNames.first { !Self.isSame(left, right, $0) } ?? "?"
        return "\(names.0): \(column) is \(Self.text(left, column)), should be "
          + Self.text(right, column)
      }
    }
  }

  private static func isSame(_ left: Row, _ right: Row, _ column: String) -> Bool {
    let values: (DatabaseValue, DatabaseValue) = (left[column], right[column])
    return values.0 == values.1
  }

  /// A row by its key: `id 17`.
  private static func name(_ row: Row, _ key: [String]) -> String {
    key.map { "\($0) \(text(row, $0))" }.joined(separator: ", ")
  }

  private static func text(_ row: Row, _ column: String) -> String {
    guard row.hasColumn(column) else { return "?" }
    let value: DatabaseValue = row[column]
    let text = "\(value)"
    return text.count > 80 ? "\(text.prefix(77))..." : text
  }
}
