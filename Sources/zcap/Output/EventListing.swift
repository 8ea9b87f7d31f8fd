import CaptureIndex
import CaptureStore

/// `zcap ls CAPTURE --events`: a row for each entry of the ledger.
struct EventListing {
  private let index: IndexReader
  private let selection: Selection
  private let limit: Int?

  init(_ index: IndexReader, _ selection: Selection, limit: Int?) {
    self.index = index
    self.selection = selection
    self.limit = limit
  }

  func write(isJSON: Bool) throws {
    // What a connection tells is told behind the messages that were there: its time is its own.
    let entries = try index.ledger(selection).enumerated().sorted {
      ($0.element.time ?? .max, $0.offset) < ($1.element.time ?? .max, $1.offset)
    }.map(\.element).prefix(limit ?? .max)
    var output = DataOutput()
    for line in isJSON ? entries.map(json) : table(entries) {
      output.writeLine(line)
      if output.isClosed { break }
    }
    output.flush()
    if entries.isEmpty { Console.say("\(index.capture.path): no events") }
  }

  private func json(_ entry: LedgerEntry) -> String {
    var line = JSONLine()
    line.add("time", entry.time.map(Units.time))
    line.add("event", entry.event)
    line.add("endpoint", entry.endpoint)
    line.add("lost", entry.lost)
    for (name, value) in entry.details where !Self.names.contains(name) {
      switch value {
      case .number(let number): line.add(unknown: name, number)
      case .text(let text): line.add(unknown: name, text)
      }
    }
    return line.text
  }

  private static let names: Set<String> = ["time", "event", "endpoint", "lost"]

  private func table(_ entries: some Collection<LedgerEntry>) -> [String] {
    guard !entries.isEmpty else { return [] }
    var table = Table([
      ("TIME", .left), ("EVENT", .left), ("ENDPOINT", .left), ("LOST", .right), ("DETAIL", .left),
    ])
    for entry in entries {
      table.add([
        entry.time.map(Units.shortTime) ?? "-", entry.event, entry.endpoint ?? "-",
        entry.lost == 0 ? "-" : Units.count(entry.lost),
        entry.details.map { "\($0.name)=\(Self.text($0.value))" }.joined(separator: " "),
      ])
    }
    return table.lines(isColoured: Console.isColoured)
  }

  private static func text(_ value: StoredEvent.Value) -> String {
    switch value {
    case .number(let number): String(number)
    case .text(let text): text.isEmpty || text.contains(" ") ? "\"\(text)\"" : text
    }
  }
}
