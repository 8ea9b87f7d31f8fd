import GRDB

/// What an index says of an endpoint, a topic and a codec tag that a selection matches.
struct SelectedSummary {
  var id: Int
  var endpoint: Int
  var topic: TopicTable.ID
  /// nil for messages without a topic.
  var name: [UInt8]?
  /// Unix nanoseconds of the earliest and the latest message.
  var firstTime: Int64
  var lastTime: Int64

  /// All of them, times aside. The topics that share a row for being too many may match.
  static func all(of selection: Selection, _ database: Database) throws -> [SelectedSummary] {
    let rows = try Row.fetchCursor(
      database,
      sql: """
        SELECT summary.id, summary.endpoint, summary.topic, topic.name, codec.tag,
          coalesce(endpoint.address, '?') AS address, first_time_ns, last_time_ns
        FROM summary JOIN topic ON topic.id = summary.topic
          JOIN codec ON codec.id = summary.codec
          LEFT JOIN endpoint ON endpoint.id = summary.endpoint
        """)
    var found: [SelectedSummary] = []
    while let row = try rows.next() {
      let topic = try row.count("topic", max: TopicTable.overflow)
      let name = try row.bytes("name")
      guard topic == TopicTable.overflow || selection.matches(topic: name),
        try selection.endpoints.isEmpty || selection.endpoints.contains(row.text("address")),
        try selection.codecs.isEmpty || selection.matches(codec: row.text("tag"))
      else { continue }
      found.append(
        SelectedSummary(
          id: try row.count("id"),
          endpoint: try row.count("endpoint", max: IndexDatabase.endpointMax), topic: topic,
          name: name, firstTime: try row.integer("first_time_ns"),
          lastTime: try row.integer("last_time_ns")))
    }
    return found
  }

  /// The ids of those whose messages are selected; nil where it restricts neither topic, endpoint
  /// nor codec.
  static func ids(of selection: Selection, _ database: Database) throws -> [Int]? {
    if selection.topicPrefixes.isEmpty && selection.endpoints.isEmpty && selection.codecs.isEmpty {
      return nil
    }
    return try all(of: selection, database).map(\.id)
  }
}
