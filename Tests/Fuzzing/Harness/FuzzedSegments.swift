import CaptureIndex
import CaptureStore
import TestSupport

/// What is done with the segments of an input, and what has to hold whatever they are.
enum FuzzedSegments {
  /// Every record of both cursors, with and without body checks; every byte of every frame.
  static func walkRecords(_ input: UnsafeRawBufferPointer) {
    guard let fuzzed = FuzzedCapture(input) else { return }
    for verification in [SegmentCursor.Verification.header, .body] {
      for number in UInt64(0)...1 {
        let path = CapturePath.segment(FuzzedCapture.path, number)
        guard let segment = try? FuzzedCapture.shared.openSegment(path) else { continue }
        walk(segment, verification)
      }
      walk(fuzzed, verification)
    }
  }

  private static func walk(_ segment: Segment, _ verification: SegmentCursor.Verification) {
    _ = segment.isSealed
    var cursor = SegmentCursor(segment, verifying: verification)
    var offset = RecordLayout.firstOffset
    while true {
      let step = cursor.next()
      switch step {
      case .record(let record):
        precondition(record.offset == offset && record.end <= segment.size, "\(step)")
        touch(record, in: segment)
      case .damage(let damage):
        precondition(damage.range.lowerBound == offset, "\(step)")
        precondition(damage.range.upperBound <= max(segment.size, offset + 8), "\(step)")
      case .end:
        return
      }
      precondition(cursor.offset > offset, "\(step) leads nowhere")
      offset = cursor.offset
    }
  }

  /// Copies every byte of every frame, which is where a read past the end would show, and reads
  /// what a record of the store's own says.
  private static func touch(_ record: RecordHeader, in segment: Segment) {
    for index in 0..<record.frameCount {
      guard let frame = segment.frame(index, of: record) else { continue }
      precondition(frame.byteCount <= record.length, "\(record)")
      let count = min(frame.byteCount, copied.count)
      frame.withUnsafeBytes {
        copied.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[($0.count - count)...]))
      }
    }
    guard let event = StoredEvent(record, in: segment) else { return }
    precondition(event.kind.utf8.count <= record.length, "\(event)")
  }

  nonisolated(unsafe) private static let copied = UnsafeMutableRawBufferPointer.allocate(
    byteCount: 2 * FuzzTarget.inputMax, alignment: 8)

  private static func walk(_ fuzzed: FuzzedCapture, _ verification: SegmentCursor.Verification) {
    var cursor = CaptureCursor(FuzzedCapture.shared, verifying: verification)
    var next: UInt64 = 0
    for _ in 0...fuzzed.size / 4 + 8 {
      let step = cursor.next()
      switch step {
      case .record(let record):
        precondition(record.end <= cursor.segment!.size, "\(step)")
        guard record.kind == .data else { continue }
        precondition(record.sequence == next, "\(step) where \(next) comes next")
        next += 1
      case .missing(let sequences):
        precondition(sequences.lowerBound == next && !sequences.isEmpty, "\(step)")
        next = sequences.upperBound
      case .damage(let damage):
        precondition(!damage.range.isEmpty, "\(step)")
      case .unreadable: break
      case .caughtUp(let isFinal):
        precondition(isFinal, "nobody records it")
        precondition(next == cursor.nextSequence, "\(next), \(cursor.nextSequence)")
        return
      }
    }
    preconditionFailure("it does not end")
  }

  private static let rules = ["auto", "frame", "none", "delimiter:/", "prefix:3"]

  private static let sequences = [
    ":frame=0:offset=0:u8", "a:frame=1:offset=0:u16le", ":frame=-1:offset=1:u32be:shared",
    "a:frame=-1:offset=0:u64le",
  ].map { SequenceRule($0)! }

  /// The walk that makes an index, without its database.
  static func walkIndex(_ input: UnsafeRawBufferPointer) {
    guard let fuzzed = FuzzedCapture(input) else { return }
    let rule = TopicRule(rules[Int(fuzzed.choice) % rules.count])!
    let counted = Int(fuzzed.choice) / rules.count % (sequences.count + 1)
    guard
      let totals = try? WalkTotals(
        FuzzedCapture.shared, rule: rule, sequences: Array(sequences[..<counted]))
    else { return }
    precondition(totals.messages &+ totals.lost == Int64(totals.nextSequence), "\(totals)")
    precondition(abs(totals.lostOnTheWay) <= 1 << 60, "\(totals)")
    precondition(totals.bytes >= 0 && totals.bytes <= fuzzed.size * fuzzed.size, "\(totals)")
  }

  /// Recovering twice is recovering once; nothing new comes out of it.
  static func recover(_ input: UnsafeRawBufferPointer) {
    guard FuzzedCapture(input) != nil else { return }
    let before = messages()
    guard (try? Recovery.recover(FuzzedCapture.shared)) != nil else { return }
    precondition(messages().isSubset(of: before), "messages from nowhere")
    let once = FuzzedCapture.files.everything
    let again = try? Recovery.recover(FuzzedCapture.shared)
    precondition(again != nil && again!.endings.isEmpty, "\(String(describing: again))")
    precondition(FuzzedCapture.files.everything == once, "twice is not once")
  }

  private struct Held: Hashable {
    var sequence: UInt64
    var segment: UInt64
    var offset: Int
  }

  private static func messages() -> Set<Held> {
    var cursor = CaptureCursor(FuzzedCapture.shared, verifying: .body)
    var held: Set<Held> = []
    while true {
      switch cursor.next() {
      case .record(let record) where record.kind == .data:
        held.insert(
          Held(
            sequence: record.sequence, segment: cursor.segment!.header.number,
            offset: record.offset))
      case .caughtUp: return held
      default: break
      }
    }
  }

  /// The verdict agrees with a walk over the same bytes.
  static func verify(_ input: UnsafeRawBufferPointer) {
    guard let fuzzed = FuzzedCapture(input) else { return }
    guard let found = try? Verification.verify(FuzzedCapture.shared, threads: 0) else { return }
    precondition(found.damagedBytes >= 0 && found.tornBytes >= 0, "\(found)")
    precondition(found.damagedBytes + found.tornBytes <= fuzzed.size + 16, "\(found)")
    if found.isWhole {
      var cursor = CaptureCursor(FuzzedCapture.shared, verifying: .body)
      var count: UInt64 = 0
      while true {
        switch cursor.next() {
        case .record(let record): count += record.kind == .data ? 1 : 0
        case .caughtUp:
          precondition(count == found.messages, "\(count), \(found)")
          return
        case let step: preconditionFailure("whole, and \(step)")
        }
      }
    }
  }
}
