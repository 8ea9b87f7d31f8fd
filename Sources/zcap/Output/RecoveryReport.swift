import CaptureIndex
import CaptureStore

/// `zcap recover`: what was ended, kept aside and found missing.
struct RecoveryReport {
  private let capture: Capture
  private let recovery: Recovery
  private let overview: IndexReader.Overview

  init(_ capture: Capture, _ recovery: Recovery, _ index: IndexReader) throws {
    self.capture = capture
    self.recovery = recovery
    overview = try index.overview()
  }

  private var tornBytes: Int { recovery.endings.reduce(0) { $0 + $1.tornBytes } }
  private var damagedBytes: Int { recovery.endings.reduce(0) { $0 + $1.damagedBytes } }
  private var corruptBytes: Int { recovery.endings.reduce(0) { $0 + $1.corruptBytes } }

  /// Returns whether nothing of the capture is missing that can be told.
  func write(isJSON: Bool) -> Bool {
    if isJSON {
      var output = DataOutput()
      output.writeLine(json)
      output.flush()
    }
    let kept = "\(Units.count(overview.messages)) messages"
    if recovery.isNeeded {
      Self.tell(recovery, of: capture.path, "; \(kept)")
    } else {
      Console.say("\(capture.path): nothing to recover; \(kept)")
    }
    if overview.lost > 0 {
      Console.complain("\(capture.path): \(Units.count(overview.lost)) messages are lost")
    }
    return overview.lost == 0 && damagedBytes == 0 && corruptBytes == 0
      && recovery.unreadable.isEmpty
  }

  /// What was done, and what was found where a recorder had ended without a word.
  static func tell(_ recovery: Recovery, of path: String, _ remark: String = "") {
    let count = recovery.endings.count
    let ended = count > 0 ? ", \(Units.count(count, "segment")) ended" : ""
    Console.say("\(path): recovered\(ended)\(remark)")
    for ending in recovery.endings where ending.tornBytes > 0 {
      Console.say(
        "\(CapturePath.segment(path, ending.segment)): torn behind offset "
          + "\(ending.offset); \(Units.bytes(ending.tornBytes)) kept aside in a .torn file")
    }
    for error in recovery.unreadable { Console.complain("\(error)") }
    let corruptBytes = recovery.endings.reduce(0) { $0 + $1.corruptBytes }
    if corruptBytes > 0 {
      Console.complain(
        "\(path): \(Units.bytes(corruptBytes)) were on stable storage and are damaged now: "
          + "look at the disk")
    }
  }

  private var json: String {
    var line = JSONLine()
    line.add("capture", capture.name)
    line.add("path", capture.path)
    line.add("recovered", recovery.isNeeded)
    line.add("segments_ended", recovery.endings.count)
    line.add("messages", overview.messages)
    line.add("lost", overview.lost)
    line.add("torn_bytes", tornBytes)
    line.add("damaged_bytes", damagedBytes)
    line.add("corrupt_bytes", corruptBytes)
    line.add("recovery_seconds", seconds: Double(recovery.nanoseconds) / 1e9, decimals: 6)
    line.add("unreadable", recovery.unreadable.map(\.description))
    return line.text
  }
}
