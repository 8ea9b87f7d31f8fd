import CLinux
import CaptureIndex
import CaptureStore
import Glibc
import PayloadCodecs

/// `zcap cat`: messages on standard output, in one of its formats.
struct MessageOutput: ~Copyable {
  enum Format { case text, json, raw, hex }

  /// What is shown of messages.
  struct View {
    var format = Format.text
    /// Only this frame of each.
    var frame: Int?
    /// Only these values of what frames say; none are all. A message that has none of them is left out.
    var fields: [FieldPath] = []
    /// Where frames become files; their names are shown then.
    var files: FrameFiles?
    /// Only messages with a frame of one of these tags, by what the frame is shown as; none are all.
    var codecs: [String] = []
  }

  /// Off a terminal, a line for people has so many characters at most.
  private static let columnsMax = 4096

  private var output = DataOutput()
  private var reader: FrameReader
  private var head: MessageHead
  private var view: View
  private let endpoints: [String]
  private let columns: Int
  private let isColoured = Console.isColoured

  init(_ index: IndexReader, _ reader: FrameReader, _ view: View) {
    self.reader = reader
    self.view = view
    endpoints = index.capture.manifest.endpoints.map(\.address)
    head = MessageHead(endpoints: endpoints)
    columns = Self.terminalColumns ?? Self.columnsMax
  }

  /// Whether nobody wants it any more: no reader, and no files.
  var isClosed: Bool { view.files == nil && output.isClosed }

  /// Frames that could not be read whole, though it was clear what they are.
  private(set) var framesCut = 0
  /// Messages that were looked at, and of those that were shown.
  private(set) var looked = 0
  private(set) var shown = 0
  /// Tags that were met where only some are wanted, as many as somebody reads.
  private(set) var tagsMet: Set<String> = []

  mutating func flush() { output.flush() }

  /// The same, where nothing may come for a long time.
  mutating func flushForNow() {
    output.flush()
    output.lookForReader()
  }

  /// How many frames became files.
  var files: FrameFiles? { view.files }

  /// Rules among the first so many that no frame fitted.
  func idleRules(_ count: Int) -> [CodecRule] { reader.idleRules(count) }

  /// Returns whether there was something of it to be shown.
  mutating func write(_ message: RecordedMessage) throws -> Bool {
    looked += 1
    guard view.codecs.isEmpty || hasWantedCodec(message), try show(message) else { return false }
    shown += 1
    return true
  }

  /// A tag is wanted as it is, or by its name in front of a bracket; those of all frames, joined by bars.
  private mutating func hasWantedCodec(_ message: RecordedMessage) -> Bool {
    let topic = message.topic
    var tags: [String] = []
    for number in 0..<message.record.frameCount {
      guard let frame = message.segment.frame(number, of: message.record) else { continue }
      let tag = detect(frame, number, in: message, topic).tag.rawValue
      if tagsMet.count < 16 { tagsMet.insert(tag) }
      tags.append(tag)
    }
    let all = tags.joined(separator: "|")
    return view.codecs.contains { wanted in
      wanted == all || tags.contains { $0 == wanted || $0.hasPrefix(wanted + "(") }
    }
  }

  private mutating func show(_ message: RecordedMessage) throws -> Bool {
    if let frame = view.frame, frame >= message.record.frameCount { return false }
    if view.files != nil { return try save(message) }
    switch view.format {
    case .text where !view.fields.isEmpty: return writeFields(message)
    case .text: writeText(message)
    case .json where !view.fields.isEmpty: return writeJSONOfFields(message)
    case .json: writeJSON(message)
    case .raw: eachFrame(of: message) { output, _, frame in output.write(frame) }
    case .hex:
      writeTitle(message)
      eachFrame(of: message) { output, number, frame in
        output.writeLine("  \(number)  \(Units.count(frame.byteCount, "byte"))")
        HexListing.write(frame, to: &output)
      }
    }
    return true
  }

  /// Frames whose place in the segment is impossible do not get here: the reader counts them.
  private mutating func eachFrame(
    of message: RecordedMessage, _ body: (inout DataOutput, Int, RawSpan) -> Void
  ) {
    for number in numbers(of: message) {
      guard let frame = message.segment.frame(number, of: message.record) else { continue }
      body(&output, number, frame)
    }
  }

  private func numbers(of message: RecordedMessage) -> Range<Int> {
    let all = 0..<message.record.frameCount
    guard let frame = view.frame else { return all }
    return (frame..<frame + 1).clamped(to: all)
  }

  private func endpoint(of message: RecordedMessage) -> String {
    let number = Int(message.record.endpoint)
    return endpoints.indices.contains(number) ? endpoints[number] : "?"
  }

  private mutating func detect(
    _ frame: RawSpan, _ number: Int, in message: RecordedMessage, _ topic: [UInt8]?
  ) -> Detection {
    reader.detect(frame, number: number, topic: topic, after: Self.header(number, in: message))
  }

  /// What the frame is; what it says is in `reader.output` then.
  private mutating func read(
    _ frame: RawSpan, _ number: Int, in message: RecordedMessage, _ topic: [UInt8]?
  ) -> (found: Detection, error: DecodingError?) {
    let result = reader.read(
      frame, number: number, topic: topic, after: Self.header(number, in: message))
    if result.error != nil, !result.found.isDoubtful { framesCut += 1 }
    return result
  }

  /// The frame before this one; no bytes where there is none.
  @_lifetime(borrow message)
  private static func header(_ number: Int, in message: borrowing RecordedMessage) -> RawSpan {
    guard number > 0, let header = message.segment.frame(number - 1, of: message.record) else {
      return RawSpan()
    }
    return header
  }

  // MARK: - JSON

  private mutating func writeJSON(_ message: RecordedMessage) {
    let topic = message.topic
    head.write(message, topic, to: &output)
    var isFirst = true
    for number in numbers(of: message) {
      guard let frame = message.segment.frame(number, of: message.record) else { continue }
      let (found, error) = read(frame, number, in: message, topic)
      if !isFirst { output.write(text: ",") }
      head.write(found, error, to: &output)
      if reader.output.bytes.isEmpty {
        output.write(text: "null")
      } else {
        output.write(reader.output.bytes)
      }
      output.write(text: "}")
      isFirst = false
    }
    output.writeLine("]}")
  }

  // MARK: - Fields

  /// Names of the columns of ``writeFields(_:)``.
  mutating func writeFieldTitle() {
    output.writeLine(
      (["sequence", "time", "topic"]
        + view.fields.map { Table.printable(Array($0.description.utf8)) })
        .joined(separator: "\t"))
  }

  /// Of several frames that have a field the first counts. Strings stand without their quotes.
  private mutating func writeFields(_ message: RecordedMessage) -> Bool {
    let topic = message.topic
    var values = [[UInt8]?](repeating: nil, count: view.fields.count)
    for number in numbers(of: message) where values.contains(nil) {
      guard let frame = message.segment.frame(number, of: message.record) else { continue }
      let tag = read(frame, number, in: message, topic).found.tag
      for (column, field) in view.fields.enumerated() where values[column] == nil {
        guard let place = place(of: field, tag) else { continue }
        let isText = reader.output.bytes[place.lowerBound] == UInt8(ascii: "\"")
        let range = isText ? place.dropFirst().dropLast() : place
        values[column] = Array(reader.output.bytes[range])
      }
    }
    guard values.contains(where: { $0 != nil }) else { return false }
    output.write(digitsOf: message.record.sequence)
    output.write(text: "\t\(Units.time(message.unixNanoseconds))\t")
    output.write(text: topic.map { Table.printable($0, limit: .max) } ?? "")
    for value in values {
      output.write(text: "\t")
      output.write(value ?? [])
    }
    output.writeLine("")
    return true
  }

  /// Where the value stands in what was read last. What an error cut off is not there. Behind words in
  /// the same frame it is looked for in what follows them, too.
  private func place(of field: FieldPath, _ tag: CodecTag) -> Range<Int>? {
    let bytes = reader.output.bytes
    guard
      let place = field.place(in: bytes)
        ?? (tag.isBehindWords ? field.inside("value").place(in: bytes) : nil),
      place.upperBound <= reader.output.wholeEnd
    else { return nil }
    return place
  }

  /// The value of a frame is an object of the fields, by their paths; frames without any are left out.
  private mutating func writeJSONOfFields(_ message: RecordedMessage) -> Bool {
    let topic = message.topic
    var isFirst = true
    for number in numbers(of: message) {
      guard let frame = message.segment.frame(number, of: message.record) else { continue }
      let (found, error) = read(frame, number, in: message, topic)
      var values = JSONLine()
      for field in view.fields {
        guard let place = place(of: field, found.tag) else { continue }
        values.add(unknown: field.description, json: reader.output.bytes[place])
      }
      if values.isEmpty { continue }
      if isFirst {
        head.write(message, topic, to: &output)
      } else {
        output.write(text: ",")
      }
      head.write(found, error, to: &output)
      output.write(text: values.text)
      output.write(text: "}")
      isFirst = false
    }
    if !isFirst { output.writeLine("]}") }
    return !isFirst
  }

  // MARK: - Files

  private mutating func save(_ message: RecordedMessage) throws -> Bool {
    let topic = message.topic
    var isAny = false
    for number in numbers(of: message) {
      guard let frame = message.segment.frame(number, of: message.record), !frame.isEmpty else {
        continue
      }
      let tag = detect(frame, number, in: message, topic).tag
      let path = try view.files!.write(
        frame, as: tag, sequence: message.record.sequence, number: number)
      output.writeLine(
        "\(Table.printable(Array(path.utf8), limit: .max))  \(Table.printable(Array(tag.rawValue.utf8)))"
      )
      isAny = true
    }
    return isAny
  }

  // MARK: - For people

  private mutating func writeTitle(_ message: RecordedMessage) {
    var parts = [
      String(message.record.sequence), Units.shortTime(message.unixNanoseconds),
      message.topic.map { Table.printable($0) } ?? "-",
    ]
    if endpoints.count > 1 {
      parts.append(Table.printable(Array(endpoint(of: message).utf8), limit: .max))
    }
    let title = parts.joined(separator: "  ")
    output.writeLine(isColoured ? "\u{1B}[1m\(title)\u{1B}[0m" : title)
  }

  private mutating func writeText(_ message: RecordedMessage) {
    writeTitle(message)
    let topic = message.topic
    for number in numbers(of: message) {
      guard let frame = message.segment.frame(number, of: message.record) else { continue }
      let (found, error) = read(frame, number, in: message, topic)
      let tag = found.tag
      let name = Table.printable(Array(tag.rawValue.utf8)) + (found.isDoubtful ? "?" : "")
      let padding = String(repeating: " ", count: max(0, 8 - name.count))
      let head = "  \(number)  \(name)\(padding)  "
      let note = error.map { "  (\($0))" } ?? ""
      let room = max(20, columns - head.count - note.count)
      let value =
        tag == .raw
        ? Self.hex(frame, room: room)
        : Self.shortened(reader.output.bytes, to: room, of: frame.byteCount)
      output.writeLine(
        isColoured
          ? "  \(number)  \u{1B}[36m\(name)\u{1B}[0m\(padding)  \(value)\(note)"
          : head + value + note)
    }
  }

  /// JSON has no control characters, so nothing in it commands the terminal.
  private static func shortened(_ json: [UInt8], to room: Int, of frameBytes: Int) -> String {
    // No character has more than 4 bytes.
    let text = String(decoding: json.prefix(room * 4 + 4), as: UTF8.self)
    if text.count <= room && json.count <= room * 4 + 4 { return text }
    let note = " ... (\(Units.bytes(frameBytes)))"
    return text.prefix(max(1, room - note.count)) + note
  }

  /// Bytes that nothing is known of, as hexadecimal numbers.
  private static func hex(_ frame: RawSpan, room: Int) -> String {
    let note = " ... (\(Units.bytes(frame.byteCount)))"
    let isWhole = frame.byteCount * 3 <= room
    let count = isWhole ? frame.byteCount : max(1, (room - note.count) / 3)
    let bytes = frame.extracting(0..<min(count, frame.byteCount)).withUnsafeBytes { Array($0) }
    return bytes.map { HexListing.hex(Int($0), digits: 2) }.joined(separator: " ")
      + (isWhole ? "" : note)
  }

  /// nil where standard output is no terminal. Source: `tty_ioctl(4)`.
  private static var terminalColumns: Int? {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}

/// Bytes as `hexdump -C` shows them: sixteen in a line, with the text that they may be.
enum HexListing {
  static func write(_ bytes: RawSpan, to output: inout DataOutput) {
    for start in stride(from: 0, to: bytes.byteCount, by: 16) {
      let end = min(start + 16, bytes.byteCount)
      let row = bytes.extracting(start..<end).withUnsafeBytes { Array($0) }
      var line = "    " + hex(start, digits: 8) + " "
      for (place, byte) in row.enumerated() {
        line += (place == 8 ? "  " : " ") + hex(Int(byte), digits: 2)
      }
      line += String(repeating: " ", count: 4 + 8 + 1 + 16 * 3 + 1 + 2 - line.count) + "|"
      for byte in row {
        line.unicodeScalars.append((0x20..<0x7F).contains(byte) ? UnicodeScalar(byte) : ".")
      }
      output.writeLine(line + "|")
    }
  }

  static func hex(_ value: Int, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
