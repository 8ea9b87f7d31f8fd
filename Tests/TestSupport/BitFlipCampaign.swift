package import CaptureStore

/// Every single-bit flip of a segment of 64 KiB, and every length that it can be cut to, each held
/// against what follows from what was written: no reader is asked what should come out.
///
/// The capture has two segments, in memory. The first one has messages of many shapes, events and
/// checkpoints; sealed, it ends with a footer; unsealed, zeros follow, as when a recorder died.
package final class BitFlipCampaign {
  /// A record as it was written.
  private struct Written {
    var range: Range<Int>
    var kind: RecordKind
    var sequence: UInt64
    var frames: [[UInt8]]
    var time: Int64
    /// Of the frames, by the order that they were handed over in.
    var hash: UInt64
  }

  /// What came out of a walk, or should: in the order of the capture.
  private struct Outcome: Equatable {
    /// Messages of the first segment by sequence, with a hash of everything that came out.
    var messages: [UInt64: UInt64] = [:]
    var otherRecords = 0
    var missing: UInt64 = 0
    var damaged: [Range<Int>] = []
    var unreadableBytes = 0
    var lastSegment = 0
  }

  package let isSealed: Bool
  package let size: Int
  private let files = MemoryFiles()
  private let capture: Capture
  private let path = CapturePath.segment("/c", 0)
  private let intact: [UInt8]
  private var written: [Written] = []
  /// Where the last record of the first segment ends, its footer included.
  private let end: Int
  private let messages: UInt64
  /// The first of them, described.
  package private(set) var failures: [String] = []
  package private(set) var failureCount = 0
  package private(set) var trials = 0

  private static let size = 65_536
  private static let lastMessages: UInt64 = 3

  package init(isSealed: Bool) throws(StoreError) {
    self.isSealed = isSealed
    let system = FileSystem(files)
    for directory in ["/c", "/c/segments"] { _ = files.mkdir(directory, 0o700) }
    let manifest = Manifest.test(endpoints: 4)
    try manifest.save(capture: "/c", files: system)
    var script = CampaignScript(number: 0, first: 0, captureID: manifest.uuid)
    // Records until the segment has no room for another of their kind.
    var sequence: UInt64 = 0
    var number = 0
    let limit = Self.size - (isSealed ? 48 : 4096)
    while true {
      let record = CampaignScript.record(
        number, sequence: sequence, room: limit - script.bytes.count)
      guard let record else { break }
      let range = script.append(record, sequence: sequence)
      written.append(
        Written(
          range: range, kind: record.kind, sequence: sequence, frames: record.frames,
          time: record.time, hash: Self.hash(record.frames)))
      if record.kind == .data { sequence += 1 }
      number += 1
    }
    messages = sequence
    if isSealed { script.appendFooter(next: sequence) }
    end = script.bytes.count
    if !isSealed { script.pad(to: Self.size) }
    intact = script.bytes
    size = intact.count
    files.put(path, intact)

    var last = CampaignScript(number: 1, first: sequence, captureID: manifest.uuid)
    for index in 0..<Self.lastMessages {
      _ = last.append(
        CampaignScript.Record(kind: .data, time: 1, frames: [[UInt8(index)]]),
        sequence: sequence + index)
    }
    last.appendFooter(next: sequence + Self.lastMessages)
    files.put(CapturePath.segment("/c", 1), last.bytes)
    capture = try Capture(path: "/c", files: system)
  }

  private static func hash(_ frames: [[UInt8]]) -> UInt64 {
    var hash: UInt64 = UInt64(frames.count)
    for frame in frames { hash = hash &* 31 &+ frame.withUnsafeBytes { contentHash($0) } }
    return hash
  }

  // MARK: - Trials

  /// Bits of the file.
  package var bits: Int { size * 8 }

  /// Bits of the first fields of the page, of every record's header and table, and of the footer.
  package var structuralBits: [Int] {
    var offsets = Array(0..<128)
    for record in written {
      offsets += record.range.lowerBound..<record.range.lowerBound + 32 + 8 * record.frames.count
    }
    offsets += max(end - 48, 0)..<min(end + 16, size)
    return offsets.flatMap { offset in (0..<8).map { offset * 8 + $0 } }
  }

  package func flip(_ bit: Int) {
    var bytes = intact
    bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    trial(bytes, expected: expected(flipping: bit / 8, bytes), "byte \(bit / 8) bit \(bit % 8)")
  }

  package func cut(to length: Int) {
    trial(Array(intact[..<length]), expected: expected(cutTo: length), "\(length) bytes")
  }

  /// Recovers the capture with a bit flipped, or cut: the messages are those of before, and
  /// recovering again changes nothing.
  package func recover(flipping bit: Int? = nil, cutTo length: Int? = nil) throws(StoreError) {
    var bytes = Array(intact[..<(length ?? size)])
    if let bit { bytes[bit / 8] ^= 1 << UInt8(bit % 8) }
    files.removeAll(but: [CapturePath.manifest("/c"), CapturePath.segment("/c", 1)])
    files.put(path, bytes)
    trials += 1
    let before = walk()
    let recovery = try Recovery.recover(capture)
    let after = walk()
    let once = files.everything
    _ = try Recovery.recover(capture)
    let isRight =
      after.messages == before.messages && after.missing == before.missing
      && after.lastSegment == before.lastSegment && files.everything == once
      && recovery.endings.allSatisfy {
        // Of messages behind its end a segment alone knows nothing; the next one's start tells.
        $0.segment == 0
          && $0.messagesMissing + UInt64(after.messages.count) == $0.nextSequence
      }
    files.removeAll(but: [CapturePath.manifest("/c"), CapturePath.segment("/c", 1)])
    if isRight { return }
    failureCount += 1
    if failures.count < 10 {
      failures.append(
        "recovery, bit \(bit ?? -1), length \(length ?? size): \(describe(after)), before "
          + "\(describe(before)), \(recovery)")
    }
  }

  private func trial(_ bytes: [UInt8], expected: Outcome, _ what: @autoclosure () -> String) {
    files.put(path, bytes)
    trials += 1
    let found = walk()
    if found == expected { return }
    failureCount += 1
    if failures.count < 10 {
      failures.append("\(what()): \(describe(found)), expected \(describe(expected))")
    }
  }

  private func describe(_ outcome: Outcome) -> String {
    let wrong = outcome.messages.filter { message in
      !written.contains { $0.sequence == message.key && $0.hash == message.value }
    }
    return "\(outcome.messages.count) messages, \(wrong.count) of them wrong, "
      + "\(outcome.otherRecords) others, \(outcome.missing) missing, damage \(outcome.damaged), "
      + "\(outcome.unreadableBytes) unreadable, \(outcome.lastSegment) in the last segment"
  }

  private func walk() -> Outcome {
    var outcome = Outcome()
    var cursor = CaptureCursor(capture, verifying: .body)
    for _ in 0..<100_000 {
      switch cursor.next() {
      case .record(let record):
        let segment = cursor.segment!
        guard record.kind == .data else {
          outcome.otherRecords += segment.header.number == 0 ? 1 : 0
          continue
        }
        if segment.header.number == 1 {
          outcome.lastSegment += 1
          continue
        }
        var hash = UInt64(record.frameCount)
        for index in 0..<record.frameCount {
          guard let frame = segment.frame(index, of: record) else { continue }
          hash = hash &* 31 &+ frame.withUnsafeBytes { contentHash($0) }
        }
        outcome.messages[record.sequence] = hash
      case .missing(let sequences): outcome.missing += UInt64(sequences.count)
      case .damage(let damage): outcome.damaged.append(damage.range)
      case .unreadable(_, let bytes): outcome.unreadableBytes += bytes
      case .caughtUp(isFinal: true): return outcome
      case .caughtUp(isFinal: false): break
      }
    }
    outcome.unreadableBytes = -1
    return outcome
  }

  // MARK: - What has to come out

  /// Everything of the first segment but some records, and all of the last one.
  private func outcome(without lost: (Written) -> Bool, damaged: [Range<Int>]) -> Outcome {
    var outcome = Outcome(damaged: damaged, lastSegment: Int(Self.lastMessages))
    for record in written where !lost(record) {
      if record.kind == .data {
        outcome.messages[record.sequence] = record.hash
      } else {
        outcome.otherRecords += 1
      }
    }
    outcome.missing = messages - UInt64(outcome.messages.count)
    return outcome
  }

  /// The first page lost: every message of the segment is missing, since the next one says where
  /// it starts.
  private func unreadable(_ bytes: Int) -> Outcome {
    var outcome = outcome(without: { _ in true }, damaged: [])
    outcome.unreadableBytes = bytes
    return outcome
  }

  private func expected(flipping offset: Int, _ bytes: [UInt8]) -> Outcome {
    if offset < 4096 { return unreadable(size) }
    if let record = written.first(where: { $0.range.contains(offset) }) {
      // The length, or the header, or the body: the record and nothing else, to its last byte.
      return outcome(without: { $0.range == record.range }, damaged: [record.range])
    }
    if isSealed {
      // The footer: what it said is not known, the messages are all there.
      return outcome(without: { _ in false }, damaged: [end - 48..<end])
    }
    // Zeros behind the end: the word that is none any more is told, and where it ends. A bit of
    // the next record's length makes that a bad header from there on.
    let word = offset & ~7
    let start = offset < end + 4 ? end : end
    return outcome(without: { _ in false }, damaged: [start..<word + 8])
  }

  private func expected(cutTo length: Int) -> Outcome {
    if length == 0 {
      // A file without bytes was reserved and never used.
      return outcome(without: { _ in true }, damaged: [])
    }
    if length < 4096 { return unreadable(length) }
    var outcome = outcome(without: { $0.range.upperBound > length }, damaged: [])
    let kept = written.last { $0.range.upperBound <= length }?.range.upperBound ?? 4096
    if length < end && length > kept {
      // What is left of a record, or of the footer, in words of 8 bytes.
      outcome.damaged = [kept..<tornEnd(from: kept, to: length)]
    }
    return outcome
  }

  /// Torn bytes end with the last word that is not zero, in words as far as the file has them.
  private func tornEnd(from start: Int, to length: Int) -> Int {
    let content = intact[start..<length].lastIndex { $0 != 0 }.map { $0 + 1 } ?? start
    let word = (content + 7) & ~7
    return max(min(word, length), start)
  }
}
