/// Rows of text with aligned columns, for people.
struct Table {
  enum Alignment { case left, right }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  mutating func add(_ row: [String]) {
    precondition(row.count == columns.count, "a cell for each column")
    rows.append(row.map { Self.printable(Array($0.utf8), limit: .max) })
  }

  /// The lines, titles first (bold where colour is wanted).
  func lines(isColoured: Bool) -> [String] {
    let titles = columns.map(\.title)
    let widths = columns.indices.map { column in
      ([titles] + rows).map { $0[column].count }.max() ?? 0
    }
    func line(_ cells: [String]) -> String {
      var text = ""
      for (column, cell) in cells.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        if column > 0 { text += "  " }
        switch columns[column].alignment {
        case .right: text += padding + cell
        case .left: text += column + 1 == cells.count ? cell : cell + padding
        }
      }
      return text
    }
    let title = line(titles)
    return [isColoured ? "\u{1B}[1m\(title)\u{1B}[0m" : title] + rows.map(line)
  }

  /// Bytes as text for one cell: what would disturb the terminal is shown as `\xNN`.
  static func printable(_ bytes: [UInt8], limit: Int = 48) -> String {
    var text = ""
    let decoded = String(validating: bytes, as: UTF8.self)
    if let decoded {
      for scalar in decoded.unicodeScalars {
        let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        text += isControl ? hex(UInt8(truncatingIfNeeded: scalar.value)) : String(scalar)
      }
    } else {
      for byte in bytes {
        text += byte >= 0x20 && byte < 0x7F ? String(UnicodeScalar(byte)) : hex(byte)
      }
    }
    return shortened(text, to: limit)
  }

  /// Cut in the middle: the ends are what tells names apart.
  private static func shortened(_ text: String, to limit: Int) -> String {
    guard text.count > limit else { return text }
    let kept = limit - 3
    return "\(text.prefix(kept - kept / 2))...\(text.suffix(kept / 2))"
  }

  /// A codec tag with runs counted: `text*3|json*4`.
  static func compact(tag: String) -> String {
    var runs: [(part: Substring, count: Int)] = []
    for part in tag.split(separator: "|", omittingEmptySubsequences: false) {
      if runs.last?.part == part {
        runs[runs.count - 1].count += 1
      } else {
        runs.append((part, 1))
      }
    }
    return runs.map { $0.count > 1 ? "\($0.part)*\($0.count)" : String($0.part) }
      .joined(separator: "|")
  }

  private static func hex(_ byte: UInt8) -> String {
    "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}
