import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// Damage done on purpose to the first of two segments: told, counted, and never handed out.
@Suite struct CorruptionTests {
  private static let messages = [
    TestMessage(time: 10, "topic", "a payload of some bytes"),
    TestMessage(endpoint: 1, time: 20, ""),
    TestMessage(time: 30, [(0..<1100).map { UInt8(truncatingIfNeeded: $0) }, [1]]),
    TestMessage(time: 40, []),
    TestMessage(time: 50, "orders {\"id\": 1}"),
  ]
  private static let last = TestMessage(time: 60, "the message of the second segment")

  private let directory: TemporaryDirectory
  private let capture: Capture
  private let path: String
  private let intact: [UInt8]

  init() throws {
    directory = try TemporaryDirectory()
    capture = try Self.record(directory.file("c"))
    path = CapturePath.segment(capture.path, 0)
    intact = try Array(Data(contentsOf: URL(filePath: path)))
  }

  /// A capture of two segments that are both small.
  private static func record(_ path: String) throws -> Capture {
    let capture = try Capture.recorded(path, [], manifest: .test(endpoints: 2))
    try FileSystem.system.remove(CapturePath.segment(path, 0))
    var sequence: UInt64 = 0
    for (number, messages) in [Self.messages, [last]].enumerated() {
      let writer = try SegmentWriter(
        directory: CapturePath.segments(path), number: UInt64(number), size: 65_536)
      writer.start(captureID: capture.manifest.captureID, firstSequence: sequence)
      for message in messages {
        let description = SegmentWriter.Description(
          kind: .data, endpoint: message.endpoint, sequence: sequence,
          monotonicNanoseconds: message.time)
        let isAppended = withFrames(message.frames) { writer.append(description, frames: $0) }
        try #require(isAppended)
        sequence += 1
      }
      try writer.seal(nextSequence: sequence)
    }
    return capture
  }

  /// What has to hold whatever was done to the first segment.
  private func expectNothingInvented(
    _ walk: CaptureWalk, _ what: @autoclosure () -> String
  ) -> Bool {
    let expected = Self.messages + [Self.last]
    let isRight =
      !walk.isEndless && walk.isFinal
      && walk.messages.allSatisfy { $0.key < 6 && $0.value == expected[Int($0.key)] }
      && (0..<6).allSatisfy { (walk.messages[$0] != nil) != walk.isMissing($0) }
      && walk.order == walk.order.sorted() && walk.messages[5] != nil
    if !isRight { Issue.record("\(what()): \(walk)") }
    return isRight
  }

  /// Calls `body` once for each bit of the file, with that bit flipped, until it says to stop.
  private func flipEveryBit(
    from start: Int, _ body: (_ what: String) throws -> Bool
  ) throws {
    let file = try FileSystem.system.open(path, O_RDWR)
    defer { FileSystem.system.close(file) }
    for offset in start..<intact.count {
      for bit in 0..<8 {
        var byte = intact[offset] ^ UInt8(1 << bit)
        pwrite(file, &byte, 1, off_t(offset))
        guard try body("byte \(offset) bit \(bit)") else { return }
      }
      var byte = intact[offset]
      pwrite(file, &byte, 1, off_t(offset))
    }
    #expect(CaptureWalk(capture).isClean)
  }

  @Test func everyFlippedBitIsToldAndNothingWrongComesOut() throws {
    // The bits of the first page's zeros are left to the test of the first page alone.
    try flipEveryBit(from: 4096 - 8) { what in
      let walk = CaptureWalk(capture)
      let isTold = !walk.damages.isEmpty || !walk.unreadable.isEmpty
      if !isTold { Issue.record("\(what) is not told") }
      return isTold && expectNothingInvented(walk, what)
    }
  }

  @Test func everyFlippedBitOfTheFirstPageRefusesIt() throws {
    try intact.withUnsafeBytes { intact in
      _ = try SegmentHeader(page: UnsafeRawBufferPointer(rebasing: intact[..<4096]))
    }
    var page = Array(intact[..<4096])
    for offset in page.indices {
      for bit in 0..<8 {
        page[offset] ^= UInt8(1 << bit)
        let isRefused = page.withUnsafeBytes { (try? SegmentHeader(page: $0)) == nil }
        if !isRefused {
          Issue.record("byte \(offset) bit \(bit) makes no difference")
          return
        }
        page[offset] ^= UInt8(1 << bit)
      }
    }
  }

  @Test func messagesBehindADamagedOneAreStillThere() throws {
    var cursor = SegmentCursor(try #require(try Segment(path: path)), verifying: .body)
    while case .record(let record) = cursor.next() {
      for offset in record.offset..<record.offset + 32 {
        // Also zeros: a length of 0 looks like the end.
        var bytes = intact
        bytes.replaceSubrange(
          record.offset..<offset, with: repeatElement(0, count: offset - record.offset))
        try Data(bytes).write(to: URL(filePath: path))
        let walk = CaptureWalk(capture)
        #expect(expectNothingInvented(walk, "record \(record.sequence) zero up to \(offset)"))
        #expect(offset == record.offset ? walk.isClean : walk.order.count == 5)
      }
    }
  }

  @Test func withoutBodyChecksDamageNeverCrashes() throws {
    try flipEveryBit(from: 4096) { what in
      let walk = CaptureWalk(capture, verifying: .header)
      let known = Set(walk.order)
      let isRight =
        !walk.isEndless && walk.isFinal && known.isSubset(of: 0..<6)
        && (0..<6).allSatisfy { known.contains($0) != walk.isMissing($0) }
      if !isRight { Issue.record("\(what): \(walk)") }
      return isRight
    }
  }

  @Test func everyTruncationKeepsWhatIsWholeAndTellsTheRest() throws {
    for length in stride(from: intact.count - 1, through: 0, by: -1) {
      truncate(path, off_t(length))
      let walk = CaptureWalk(capture)
      guard expectNothingInvented(walk, "\(length) bytes") else { return }
    }
  }

  @Test func aCutThroughARecordIsToldAsDamage() throws {
    var cursor = SegmentCursor(try #require(try Segment(path: path)), verifying: .body)
    var ends: [Int] = [cursor.offset]
    while case .record(let record) = cursor.next() { ends.append(record.end) }
    for (start, end) in zip(ends, ends.dropFirst()).reversed() where end - start > 40 {
      truncate(path, off_t(end - 8))
      let walk = CaptureWalk(capture)
      #expect(walk.damages.count == 1, "cut at \(end - 8)")
      #expect(walk.damages.first?.range.lowerBound == start)
    }
  }

  @Test func randomBytesInPlaceOfRandomOnesNeverCrash() throws {
    var random = SplitMix64()
    for round in 0..<1_000 {
      var bytes = intact
      for _ in 0..<random.int(1...4) {
        let start = random.int(random.int(0...3) == 0 ? 0...bytes.count : 4096...bytes.count)
        let end = min(bytes.count, start + random.int(0...300))
        bytes.replaceSubrange(
          start..<end, with: random.int(0...1) == 0 ? random.bytes(end - start) : [])
      }
      try Data(bytes).write(to: URL(filePath: path))
      guard expectNothingInvented(CaptureWalk(capture), "round \(round)") else { return }
    }
  }

  @Test func recordsOfAFormerLifeOfTheFileAreNotThere() throws {
    let other = try Self.record(directory.file("other"))
    let old = try Array(Data(contentsOf: URL(filePath: CapturePath.segment(other.path, 0))))
    // The file of this capture's segment, not sealed, in front of the other's records.
    let end = 4096 + 32 + 16 + 8 + 24
    try Data(intact[..<end] + old[end...]).write(to: URL(filePath: path))
    let walk = CaptureWalk(capture)
    #expect(expectNothingInvented(walk, "a former life"))
    #expect(walk.order == [0, 5])
  }
}
