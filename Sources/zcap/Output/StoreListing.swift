import CaptureIndex
import CaptureStore
import Foundation

/// `zcap ls`: the captures of the store, a row each.
struct StoreListing {
  let directory: String
  /// Whether each capture must be known to be complete.
  var requiresComplete = false

  private struct Entry {
    var capture: Capture
    var overview: IndexReader.Overview
    var state: IndexReader.State
  }

  /// Returns whether every capture could be read, and is complete where that is required.
  func write(isJSON: Bool) throws -> Bool {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else {
      if access(directory, F_OK) == 0 { throw UnusableStore(path: directory) }
      Console.say("\(directory): no store here yet; 'zcap record' makes it")
      return true
    }
    var isComplete = true
    var entries: [Entry] = []
    for name in names.sorted() {
      let path = "\(directory)/\(name)"
      guard Capture.isFound(at: path) else { continue }
      do {
        let index = try IndexReader(Capture(path: path))
        entries.append(
          Entry(capture: index.capture, overview: try index.overview(), state: index.state))
        if requiresComplete, let doubts = try CompletenessReport.doubts(index) {
          Console.complain(doubts)
          isComplete = false
        }
      } catch {
        Console.complain("\(error)")
        isComplete = false
      }
    }
    entries.sort { $0.capture.manifest.created < $1.capture.manifest.created }
    var output = DataOutput()
    for line in isJSON ? entries.map(json) : table(entries) { output.writeLine(line) }
    output.flush()
    if entries.isEmpty { Console.say("\(directory): no captures") }
    return isComplete
  }

  private func json(_ entry: Entry) -> String {
    let overview = entry.overview
    var line = JSONLine()
    line.add("capture", entry.capture.name)
    line.add("path", entry.capture.path)
    line.add("state", entry.state.rawValue)
    line.add("start", overview.first.map(Units.time))
    line.add("end", overview.last.map(Units.time))
    line.add("duration_s", seconds: Double(overview.durationNanoseconds) / 1e9, decimals: 9)
    line.add("messages", overview.messages)
    line.add("bytes", overview.bytes)
    line.add("topics", overview.topics)
    line.add("endpoints", entry.capture.manifest.endpoints.count)
    line.add("lost", overview.lost)
    return line.text
  }

  private func table(_ entries: [Entry]) -> [String] {
    guard !entries.isEmpty else { return [] }
    var table = Table([
      ("CAPTURE", .left), ("STATE", .left), ("START", .left), ("DURATION", .right),
      ("MESSAGES", .right), ("SIZE", .right), ("TOPICS", .right), ("ENDPOINTS", .right),
      ("LOST", .right),
    ])
    for entry in entries {
      let overview = entry.overview
      table.add([
        entry.capture.name, entry.state.rawValue, overview.first.map(Units.shortTime) ?? "-",
        overview.first == nil ? "-" : Units.duration(overview.durationNanoseconds),
        Units.count(overview.messages), Units.bytes(overview.bytes),
        Units.count(overview.topics), "\(entry.capture.manifest.endpoints.count)",
        Units.count(overview.lost),
      ])
    }
    return table.lines(isColoured: Console.isColoured)
  }
}

/// The store is there and cannot be listed.
private struct UnusableStore: Error, CustomStringConvertible {
  let path: String
  var description: String { "\(path): not a folder that can be read; see $ZCAP_STORE" }
}

extension IndexReader.Overview {
  var durationNanoseconds: Int64 { (last ?? 0) &- (first ?? 0) }
}
