import CLinux
import CaptureIndex
import CaptureStore
import Glibc
import PayloadCodecs

/// `zcap cat`: messages on standard output, in one of its formats.
struct MessageOutput: ~Copyable {
  enum Format { case text, json, raw, hex }

  /// Off a terminal, a line for people has so many characters at most.
  private static let columnsMax = 4096

  private var output = DataOutput()
  private var reader: FrameReader
  private var head: MessageHead
  private let format: Format
  private let frame: Int?
  private let endpoints: [String]
  private let columns: Int
  private let isColoured = Console.isColoured

  /// `frame`: only this one of each message.
  init(_ index: IndexReader, _ reader: FrameReader, format: Format, frame: Int?) {
    self.reader = reader
    self.format = format
    self.frame = frame
    endpoints = index.capture.manifest.endpoints.map(\.address)
    head = MessageHead(endpoints: endpoints)
    columns = Self.terminalColumns ?? Self.columnsMax
  }

  /// Whether nobody reads it any more.
  var isClosed: Bool { output.isClosed }

  mutating func flush() { output.flush() }

  mutating func write(_ message: RecordedMessage) {
    switch format {
    case .text: writeText(message)
    case .json: writeJSON(message)
    case .raw: eachFrame(of: message) { output, _, frame in output.write(frame) }
    case .hex:
      writeTitle(message)
      eachFrame(of: message) { output, number, frame in
        output.writeLine("  \(number)  \(Units.count(frame.byteCount, "byte"))")
        HexListing.write(frame, to: &output)
      }
    }
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
    guard let frame else { return all }
    return (frame..<frame + 1).clamped(to: all)
  }

  private func endpoint(of message: RecordedMessage) -> String {
    let number = Int(message.record.endpoint)
    return endpoints.indices.contains(number) ? endpoints[number] : "?"
  }

  private func detect(
    _ frame: RawSpan, _ number: Int, in message: RecordedMessage, _ topic: [UInt8]?
  ) -> Detection {
    guard number > 0, let header = message.segment.frame(number - 1, of: message.record) else {
      return reader.detect(frame, number: number, topic: topic)
    }
    return reader.detect(frame, number: number, topic: topic, after: header)
  }

  // MARK: - JSON

  private mutating func writeJSON(_ message: RecordedMessage) {
    let topic = message.topic
    head.write(message, topic, to: &output)
    var isFirst = true
    for number in numbers(of: message) {
      guard let frame = message.segment.frame(number, of: message.record) else { continue }
      let found = detect(frame, number, in: message, topic)
      let error = reader.read(frame, as: found.tag)
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
      let found = detect(frame, number, in: message, topic)
      let tag = found.tag
      let error = reader.read(frame, as: tag)
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
