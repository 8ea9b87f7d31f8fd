import CaptureIndex
import CaptureStore

/// `zcap ls CAPTURE --messages`: a row for each message, as they are read.
struct MessageListing {
  private let index: IndexReader
  private let selection: Selection
  private let limit: Int?

  init(_ index: IndexReader, _ selection: Selection, limit: Int?) {
    self.index = index
    self.selection = selection
    self.limit = limit
  }

  /// Returns what could not be read.
  func write(isJSON: Bool) throws -> [String] {
    let tagger = try index.codecTagger()
    let endpoints = index.capture.manifest.endpoints.map(\.address)
    var reader = try index.messages(selection, pool: SegmentPool(index.capture))
    var output = DataOutput()
    let endpointWidth = endpoints.count > 1 ? endpoints.map { Self.cell($0).count }.max() : nil
    if !isJSON { output.writeLine(Self.title(endpointWidth)) }
    var count = 0
    while count < limit ?? .max, !output.isClosed, let message = try reader.next() {
      let number = Int(message.record.endpoint)
      let endpoint = endpoints.indices.contains(number) ? endpoints[number] : "?"
      let tag = tagger.tag(of: message)
      output.writeLine(
        isJSON
          ? json(message, endpoint, tag)
          : text(message, endpointWidth.map { Self.pad(Self.cell(endpoint), $0) }, tag))
      count += 1
    }
    output.flush()
    return Self.losses(
      missing: reader.messagesMissing, retired: reader.messagesRetired, damages: reader.damages)
  }

  /// What was met in the segments and the index did not know, for people.
  static func losses(missing: Int64, retired: Int64, damages: Int) -> [String] {
    var texts: [String] = []
    if missing > 0 {
      texts.append(Units.count(missing, "message is", "messages are") + " missing")
    }
    if retired > 0 {
      texts.append(Units.count(retired, "message") + " made room for newer ones before being read")
    }
    if damages > 0 {
      texts.append(Units.count(damages, "place") + " could not be read")
    }
    return texts
  }

  private func json(_ message: RecordedMessage, _ endpoint: String, _ tag: String) -> String {
    var line = JSONLine()
    line.add("sequence", message.record.sequence)
    line.add("time", Units.time(message.unixNanoseconds))
    line.add("time_ns", message.unixNanoseconds)
    line.add("endpoint", endpoint)
    line.add(topic: message.topic)
    line.add("codec", tag)
    line.add("frames", message.frameSizes)
    return line.text
  }

  // Columns of fixed width: the table is as long as the capture and is not held in memory.

  /// The endpoint has a column where there is more than one.
  private static func title(_ endpointWidth: Int?) -> String {
    let endpoint = endpointWidth.map { [pad("ENDPOINT", $0)] } ?? []
    return
      ([pad("SEQUENCE", 10), pad("TIME", 23)] + endpoint
      + [pad("TOPIC", 32), pad("CODEC", 20), "FRAMES"]).joined(separator: "  ")
  }

  private func text(_ message: RecordedMessage, _ endpoint: String?, _ tag: String) -> String {
    let sizes = message.frameSizes
    let shown = sizes.prefix(12).map(String.init).joined(separator: " ")
    let topic = message.topic.map { Table.printable($0, limit: 32) } ?? "-"
    let place = [
      Self.pad(String(message.record.sequence), 10), Units.shortTime(message.unixNanoseconds),
    ]
    let meaning = [
      Self.pad(topic, 32), Self.pad(Table.compact(tag: tag), 20),
      shown + (sizes.count > 12 ? " ... (\(sizes.count))" : ""),
    ]
    return (place + (endpoint.map { [$0] } ?? []) + meaning).joined(separator: "  ")
  }

  private static func cell(_ address: String) -> String {
    Table.printable(Array(address.utf8), limit: .max)
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
