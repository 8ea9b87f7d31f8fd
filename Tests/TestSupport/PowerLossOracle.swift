import CaptureStore
package import Foundation

/// What is wrong with what a machine finds after a power loss; nothing, if zcap keeps its word.
package struct PowerLossOracle {
  package private(set) var faults: [String] = []
  package let walk: CaptureWalk

  /// Compares a capture with what was recorded.
  package init(_ run: PowerLossRun) throws {
    let capture = try Capture(path: run.capture)
    // A program that another test is just starting has a copy of every lock of this process until
    // it runs: nobody is writing here.
    walk = try waitFor("the end of the walk") { () throws -> CaptureWalk? in
      let walk = CaptureWalk(capture)
      return walk.isFinal || walk.isEndless ? walk : nil
    }
    let front = run.keep == nil ? 0 : Self.front(of: walk, in: run)
    let lost = run.durable.filter { $0 >= front && walk.messages[$0] == nil }
    if !lost.isEmpty { faults.append("durable and gone: \(lost.sorted().prefix(5))") }
    for (sequence, message) in walk.messages where run.messages[sequence] != message {
      faults.append("invented: \(sequence)")
    }
    if walk.order != walk.order.sorted() || Set(walk.order).count != walk.order.count {
      faults.append("out of order")
    }
    if !walk.unframed.isEmpty { faults.append("impossible frame tables: \(walk.unframed)") }
    let missing = missingSequences
    for sequence in front..<max(front, walk.order.last ?? 0) {
      if walk.messages[sequence] == nil && !missing.contains(sequence) {
        faults.append("neither there nor missing: \(sequence)")
      } else if walk.messages[sequence] != nil && missing.contains(sequence) {
        faults.append("there and missing: \(sequence)")
      }
    }
    let promised = try Self.promised(capture)
    if let gone = (front..<max(front, promised)).first(where: { walk.messages[$0] == nil }),
      run.messages[gone] != nil, !run.lostBefore.contains(gone)
    {
      faults.append("gone and before the checkpoint \(promised): \(gone)")
    }
    if walk.isEndless || !walk.isFinal { faults.append("the walk has no end") }
  }

  /// The first sequence that a ring must have, if it was durable. What is before the first one that
  /// is there made room; but nothing does for what fits into a quarter of the ring.
  private static func front(of walk: CaptureWalk, in run: PowerLossRun) -> UInt64 {
    let largest = run.messages.values.reduce(0) { max($0, $1.bytes) }
    var room = run.keep!.bytes! / 4 - 4 * largest
    var front = (run.messages.keys.max() ?? 0) + 1
    for (sequence, message) in run.messages.sorted(by: { $0.key > $1.key }) {
      room -= message.bytes + 80
      if room < 0 { break }
      front = sequence
    }
    return min(front, walk.messages.keys.min() ?? .max)
  }

  package var missingSequences: Set<UInt64> { Set(walk.missing.flatMap { Array($0) }) }

  /// The last sequence that a readable checkpoint promises.
  private static func promised(_ capture: Capture) throws -> UInt64 {
    var cursor = CaptureCursor(capture, verifying: .body)
    var promised: UInt64 = 0
    while true {
      switch cursor.next() {
      case .record(let record):
        guard record.kind == .checkpoint, let segment = cursor.segment,
          let frame = segment.frame(0, of: record)
        else { continue }
        let sequence = frame.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        promised = max(promised, UInt64(littleEndian: sequence))
      case .caughtUp: return promised
      default: continue
      }
    }
  }

  /// Compares two walks of one capture, before and after something that should change nothing.
  package func differences(from other: PowerLossOracle, _ what: String) -> [String] {
    var found: [String] = []
    if walk.order != other.walk.order || walk.messages != other.walk.messages {
      found.append("\(what): other messages")
    }
    if missingSequences != other.missingSequences {
      found.append(
        "\(what): missing \(other.walk.missing) became \(walk.missing)")
    }
    return found
  }
}

/// Every file below a directory and what is in it.
package func fileTree(_ path: String) throws -> [String: Data] {
  let names = try FileManager.default.subpathsOfDirectory(atPath: path)
  return Dictionary(
    uniqueKeysWithValues: names.compactMap { name in
      FileManager.default.contents(atPath: "\(path)/\(name)").map { (name, $0) }
    })
}
