import CaptureIndex
import CaptureStore

/// `zcap ls CAPTURE`: a row for each endpoint, topic and codec tag.
struct TopicListing {
  private let index: IndexReader
  private let selection: Selection

  init(_ index: IndexReader, _ selection: Selection) {
    self.index = index
    self.selection = selection
  }

  func write(isJSON: Bool) throws {
    let all = try index.topicRows()
    let rows = all.filter { selection.matches($0) }
    let sampled = Self.sampled(all)
    var output = DataOutput()
    for line in isJSON ? rows.map({ json($0, sampled) }) : table(rows, sampled) {
      output.writeLine(line)
    }
    output.flush()
    if !isJSON, rows.contains(where: { sampled.contains(Kind($0)) }) {
      Console.say(
        "~ is by samples of a topic that changes; 'zcap cat --codec' looks at each message")
    }
    try sayState(rows)
  }

  /// What a row cannot say, for people.
  private func sayState(_ rows: [IndexReader.TopicRow]) throws {
    switch index.state {
    case .recording:
      let last = try index.overview().last.map { "; listed up to \(Units.time($0))" } ?? ""
      Console.say("\(index.capture.path) is being recorded\(last)")
    case .unclean:
      Console.say(
        "\(index.capture.path) was not sealed by its recorder; what was committed is here")
    case .sealed: break
    }
    if rows.isEmpty { Console.say("\(index.capture.path): no messages") }
  }

  /// A topic with so many frames, at an endpoint.
  private struct Kind: Hashable {
    var topic: [UInt8]?
    var endpoint: String
    var frames: Int

    init(_ row: IndexReader.TopicRow) {
      topic = row.topic
      endpoint = row.endpoint
      frames = row.codec.utf8.count { $0 == UInt8(ascii: "|") }
    }
  }

  /// Those with more than one codec: which message has which is known of samples.
  private static func sampled(_ rows: [IndexReader.TopicRow]) -> Set<Kind> {
    Set(Dictionary(grouping: rows, by: Kind.init).filter { $1.count > 1 }.keys)
  }

  private func rate(_ row: IndexReader.TopicRow) -> Double? {
    guard row.messages > 1, row.last > row.first else { return nil }
    return Double(row.messages - 1) / (Double(row.last - row.first) / 1e9)
  }

  private func json(_ row: IndexReader.TopicRow, _ sampled: Set<Kind>) -> String {
    var line = JSONLine()
    line.add(topic: row.topic)
    line.add("endpoint", row.endpoint)
    line.add("codec", row.codec)
    if !row.guesses.isEmpty { line.add("guesses", row.guesses) }
    if sampled.contains(Kind(row)) { line.add("sampled", true) }
    line.add("messages", row.messages)
    line.add("bytes", row.bytes)
    line.add("rate_hz", seconds: rate(row), decimals: 3)
    line.add("first", Units.time(row.first))
    line.add("last", Units.time(row.last))
    return line.text
  }

  /// Guesses have a question mark.
  private func codec(_ row: IndexReader.TopicRow) -> String {
    let parts = row.codec.split(separator: "|", omittingEmptySubsequences: false).enumerated()
    return Table.compact(
      tag: parts.map { $1 + (row.guesses.contains($0) ? "?" : "") }.joined(separator: "|"))
  }

  private func table(_ rows: [IndexReader.TopicRow], _ sampled: Set<Kind>) -> [String] {
    guard !rows.isEmpty else { return [] }
    var table = Table([
      ("TOPIC", .left), ("CODEC", .left), ("MESSAGES", .right), ("SIZE", .right),
      ("RATE", .right), ("FIRST", .left), ("LAST", .left), ("ENDPOINT", .left),
    ])
    for row in rows {
      table.add([
        row.topic.map { Table.printable($0) } ?? "-", codec(row),
        (sampled.contains(Kind(row)) ? "~" : "") + Units.count(row.messages),
        Units.bytes(row.bytes),
        rate(row).map { "\(Units.fixed($0, $0 < 100 ? 2 : 0)) Hz" } ?? "-",
        Units.shortTime(row.first), Units.shortTime(row.last), row.endpoint,
      ])
    }
    return table.lines(isColoured: Console.isColoured)
  }
}
