import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// Captures in memory, spoiled on purpose, and what a check says of them.
@Suite struct VerificationTests {
  /// Three segments of five messages, an event and a checkpoint each, made with `SegmentWriter`.
  private struct Made {
    let files = MemoryFiles()
    let capture: Capture
    var system: FileSystem { FileSystem(files) }

    init(segments: Int = 3, sealing: (Int) -> Bool = { _ in true }) throws {
      let system = FileSystem(files)
      for directory in ["/c", "/c/segments"] { _ = files.mkdir(directory, 0o700) }
      let manifest = Manifest.test(endpoints: 2)
      try manifest.save(capture: "/c", files: system)
      capture = try Capture(path: "/c", files: system)
      var sequence: UInt64 = 0
      for number in 0..<segments {
        let writer = try SegmentWriter(
          directory: "/c/segments", number: UInt64(number), size: 65_536, files: system)
        writer.start(captureID: manifest.captureID, firstSequence: sequence)
        for index in 0..<5 {
          if index == 4 {
            Self.append(
              writer, .checkpoint, sequence,
              [Self.checkpoint(sequence, UInt64(number), writer.committedSize)])
            Self.append(writer, .event, sequence, [Array(#"{"event":"test"}"#.utf8)])
          }
          Self.append(
            writer, .data, sequence, [Array("topic".utf8), Array(repeating: 7, count: 300 * index)])
          sequence += 1
        }
        if sealing(number) { try writer.seal(nextSequence: sequence) }
      }
    }

    static func checkpoint(_ sequence: UInt64, _ number: UInt64, _ offset: Int) -> [UInt8] {
      SegmentBytes.littleEndian(sequence) + SegmentBytes.littleEndian(number)
        + SegmentBytes.littleEndian(UInt64(offset))
    }

    static func append(
      _ writer: SegmentWriter, _ kind: RecordKind, _ sequence: UInt64, _ frames: [[UInt8]]
    ) {
      let description = SegmentWriter.Description(
        kind: kind, sequence: sequence, monotonicNanoseconds: 1)
      let isAppended = withFrames(frames) { writer.append(description, frames: $0) }
      precondition(isAppended)
    }

    func path(_ number: UInt64) -> String { CapturePath.segment("/c", number) }

    /// Every record of a segment.
    func records(_ number: UInt64) throws -> [RecordHeader] {
      let segment = try #require(try capture.openSegment(path(number)))
      var cursor = SegmentCursor(segment, verifying: .body)
      var records: [RecordHeader] = []
      while case .record(let record) = cursor.next() { records.append(record) }
      return records
    }

    func change(_ number: UInt64, _ body: (inout [UInt8]) throws -> Void) throws {
      var bytes = try #require(files.contents(path(number)))
      try body(&bytes)
      files.put(path(number), bytes)
    }

    func verified(threads: Int = 2) throws -> Verification {
      let before = files.everything
      let found = try Verification.verify(capture, threads: threads)
      #expect(files.everything == before, "checking changes nothing")
      return found
    }
  }

  @Test(arguments: [0, 1, 2, 8])
  func aWholeCaptureIsWhole(threads: Int) throws {
    let made = try Made()
    let found = try made.verified(threads: threads)
    #expect(found.isWhole && found.isSealed && !found.isBeingRecorded, "\(found.problems)")
    #expect(found.messages == 15 && found.segments == 3 && found.lost == 0)
    #expect(
      found.bytes
        == made.files.everything.filter { $0.key.hasSuffix("zseg") }
        .reduce(0) { $0 + $1.value.count })
  }

  @Test func damageInASealedSegmentIsCorruptionAndExact() throws {
    let made = try Made()
    let record = try #require(try made.records(1).first { $0.sequence == 7 })
    try made.change(1) { $0[record.end - 1] ^= 1 }
    let found = try made.verified()
    #expect(found.damagedBytes == record.length && found.corruptBytes == record.length)
    #expect(found.lost == 1 && found.messages == 14 && found.tornBytes == 0)
    let problem = try #require(found.problems.first)
    #expect(found.problems.count == 1 && problem.kind == .corrupt)
    #expect(problem.segment == 1 && problem.offset == record.offset)
    #expect(problem.bytes == record.length && problem.sequences == 7..<8)
  }

  @Test func inAnUnendedSegmentTheLastCheckpointDecides() throws {
    let made = try Made { $0 < 2 }
    let records = try made.records(2)
    let checkpoint = try #require(records.firstIndex { $0.kind == .checkpoint })
    // The checkpoint speaks of what is before it.
    for (index, kind) in [
      (checkpoint - 1, Verification.Problem.Kind.corrupt), (checkpoint + 1, .damaged),
    ] {
      let record = records[index]
      let spoiled = try Made { $0 < 2 }
      try spoiled.change(2) { $0[record.offset + 40] ^= 1 }
      let found = try spoiled.verified()
      #expect(found.problems.map(\.kind) == [kind, .unsealed])
      #expect(found.damagedBytes == record.length)
      #expect(found.corruptBytes == (kind == .corrupt ? record.length : 0))
    }
  }

  @Test func aTornTailIsExpectedAndTold() throws {
    let made = try Made { $0 < 2 }
    let last = try #require(try made.records(2).last)
    try made.change(2) { $0.replaceSubrange((last.end - 64)..., with: []) }
    let found = try made.verified()
    #expect(found.tornBytes > 0 && found.corruptBytes == 0 && found.damagedBytes == 0)
    #expect(found.problems.map(\.kind) == [.torn, .unsealed] && !found.isSealed)
    #expect(found.messages == 14, "what follows a torn message cannot be known")
  }

  @Test func whatACheckpointPromisedAndIsNotThereIsCorruption() throws {
    let made = try Made { $0 < 1 }
    // Of the second segment only the first page is left; the third says that it was durable.
    try made.change(1) { $0.replaceSubrange(4096..., with: []) }
    let found = try made.verified()
    #expect(found.lost == 5 && found.problems.contains { $0.kind == .lost })

    let cut = try Made(segments: 1) { _ in false }
    let records = try cut.records(0)
    let checkpoint = try #require(records.first { $0.kind == .checkpoint })
    // The record in front of the checkpoint is gone, zeros in its place: it was promised.
    let promised = records[records.firstIndex(of: checkpoint)! - 1]
    try cut.change(0) {
      $0.replaceSubrange(
        promised.offset..<promised.end, with: repeatElement(0, count: promised.length))
    }
    let gap = try cut.verified()
    #expect(gap.corruptBytes == promised.length && gap.lost == 1)
  }

  @Test func aSegmentThatIsNotThereIsTold() throws {
    let made = try Made()
    _ = made.files.unlink(made.path(1))
    let found = try made.verified()
    #expect(found.lost == 5 && found.segments == 2)
    #expect(found.problems.contains { $0.kind == .unreadable && $0.segment == 1 })
    #expect(found.problems.contains { $0.kind == .lost && $0.sequences == 5..<10 })
  }

  @Test func aSegmentUnderAnotherNameOrOfAnotherCaptureIsTold() throws {
    let made = try Made()
    made.files.put(made.path(1), try #require(made.files.contents(made.path(2))))
    let found = try made.verified()
    let problem = try #require(found.problems.first { $0.kind == .unreadable })
    #expect(problem.segment == 1 && problem.what.contains("under another name"))

    let other = try Made()
    made.files.put(made.path(1), try #require(other.files.contents(other.path(1))))
    #expect(try made.verified().problems.contains { $0.what.contains("another capture") })
  }

  @Test func whatStandsBehindAFooterIsToldAndMakesItUnsealed() throws {
    let made = try Made()
    try made.change(2) { $0 += [0, 0, 0, 0, 0, 0, 0, 0] }
    let found = try made.verified()
    #expect(found.problems.map(\.kind) == [.unsealed] && !found.isSealed && found.lost == 0)
  }

  @Test func recordsThatSayWhatCannotBeAreTold() throws {
    let page = SegmentBytes.Page(capture: Self.captureBytes)
    /// A record of each kind of nonsense, every check of it right.
    func found(_ body: (inout SegmentBytes) -> Void) throws -> [Verification.Problem.Kind] {
      var bytes = SegmentBytes(page)
      bytes.append(sequence: 0, [[1], [2, 3]])
      body(&bytes)
      let files = MemoryFiles()
      let system = FileSystem(files)
      for directory in ["/c", "/c/segments"] { _ = files.mkdir(directory, 0o700) }
      try Self.manifest.save(capture: "/c", files: system)
      files.put(CapturePath.segment("/c", 0), bytes.bytes)
      let capture = try Capture(path: "/c", files: system)
      return try Verification.verify(capture, threads: 1).problems.map(\.kind)
    }
    #expect(try found { $0.appendFooter(sequence: 1) } == [])
    #expect(
      try found {
        $0.append(sequence: 1, endpoint: 9, [])
        $0.appendFooter(sequence: 2)
      }
        == [.inconsistent])
    #expect(
      try found {
        $0.append(sequence: 0, [])
        $0.appendFooter(sequence: 1)
      }
        == [.inconsistent])
    #expect(
      try found {
        $0.append(sequence: 3, [])
        $0.appendFooter(sequence: 4)
      } == [.lost])
    #expect(try found { $0.appendFooter(sequence: 3) } == [.lost])
    #expect(try found { $0.appendFooter(sequence: 0) } == [.inconsistent])
    #expect(
      try found { $0.append(kind: 5, sequence: 1, [[9, 0, 0, 0, 0, 0, 0, 0]]) }
        == [.inconsistent])
    // A frame over the table, and one that ends behind its record.
    for entry in [(UInt32(32), UInt32(8)), (40, 100)] {
      let table = SegmentBytes.littleEndian(entry.0) + SegmentBytes.littleEndian(entry.1)
      #expect(
        try found {
          $0.append(sequence: 1, frameCount: 1, body: table + [0, 0, 0, 0, 0, 0, 0, 0])
          $0.appendFooter(sequence: 2)
        } == [.inconsistent])
    }
    // Checkpoints of what is not before them.
    for (sequence, number, offset) in [(1, 0, 1 << 20), (9, 0, 4096), (1, 7, 4096), (1, 0, 8)] {
      #expect(
        try found {
          $0.append(
            kind: 4, sequence: 1,
            [Made.checkpoint(UInt64(sequence), UInt64(number), offset)])
          $0.appendFooter(sequence: 1)
        } == [.inconsistent])
    }
  }

  private static let manifest = Manifest.test()
  private static let captureBytes = withUnsafeBytes(of: manifest.uuid.uuid) { Array($0) }

  @Test func whileItIsRecordedWhatIsCommittedIsChecked() throws {
    let directory = try TemporaryDirectory()
    let writer = try CaptureWriter(
      creating: directory.file("c"), manifest: .test(), segmentSize: 65_536)
    for number in 0..<200 { try writer.append(TestMessage("\(number)", "payload")) }
    let capture = try Capture(path: directory.file("c"))
    let found = try Verification.verify(capture, threads: 2)
    #expect(found.isBeingRecorded && found.isWhole && found.messages == 200, "\(found.problems)")
    try writer.finish()
    writer.unlock()
    try capture.waitUntilUnused()
    let sealed = try Verification.verify(capture, threads: 2)
    #expect(!sealed.isBeingRecorded && sealed.isSealed && sealed.isWhole)
  }

  @Test func aRecoveredTearInTheMiddleIsNotCalledCorruption() throws {
    let made = try Made(segments: 1) { _ in false }
    let records = try made.records(0)
    // Behind the checkpoint, in front of the last message.
    let event = try #require(records.first { $0.kind == .event })
    try made.change(0) { $0[event.offset + 40] ^= 1 }
    #expect(try made.verified().corruptBytes == 0)
    _ = try Recovery.recover(made.capture)
    let found = try made.verified()
    #expect(found.isSealed && found.corruptBytes == 0 && found.damagedBytes == event.length)
    #expect(found.problems.map(\.kind) == [.damaged])
  }

  @Test func aFirstPageThatWasSafeAndIsEmptyIsCorruption() throws {
    let made = try Made()
    try made.change(1) { $0.replaceSubrange(0..<4096, with: [UInt8](repeating: 0, count: 4096)) }
    let size = try #require(made.files.contents(made.path(1))?.count)
    let found = try made.verified()
    #expect(found.corruptBytes == size && found.lost == 5 && !found.isSealed)
    #expect(found.problems.map(\.kind) == [.unreadable, .lost])
  }

  @Test func hostileSegmentsAreToldWithoutAnEndlessList() throws {
    var bytes = SegmentBytes(SegmentBytes.Page(capture: Self.captureBytes))
    for _ in 0..<10_000 { bytes.append(sequence: 0, endpoint: 3, []) }
    let files = MemoryFiles()
    let system = FileSystem(files)
    for directory in ["/c", "/c/segments"] { _ = files.mkdir(directory, 0o700) }
    try Self.manifest.save(capture: "/c", files: system)
    files.put(CapturePath.segment("/c", 0), bytes.bytes)
    let found = try Verification.verify(Capture(path: "/c", files: system), threads: 1)
    #expect(found.problems.count < 1_100 && found.problemsOmitted > 5_000)
  }
}
