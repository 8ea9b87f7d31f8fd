import Foundation
import TestSupport
import Testing
import Threads

@testable import CaptureStore

/// Reading a capture while it is being written, as the live index does.
@Suite struct LiveReadingTests {
  private enum Outcome: Equatable {
    case all(UInt64)
    case wrong(String)
  }

  /// A message that says which one it is, in its size and its bytes.
  private static func frames(of sequence: UInt64, sizeMax: Int) -> [[UInt8]] {
    let size = Int(truncatingIfNeeded: sequence &* 0x9E37_79B9) & .max % (sizeMax + 1)
    var frame = [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: 8 + size)
    frame.replaceSubrange(0..<8, with: SegmentBytes.littleEndian(sequence))
    return [frame, []]
  }

  private static func isWhole(
    _ record: RecordHeader, in segment: Segment, sizeMax: Int
  ) -> Bool {
    guard let message = TestMessage(record, in: segment) else { return false }
    return message.frames == frames(of: record.sequence, sizeMax: sizeMax)
  }

  /// Follows a capture until nothing will come any more.
  private static func follow(_ capture: Capture, sizeMax: Int) -> Outcome {
    var cursor = CaptureCursor(capture, verifying: .body)
    var next: UInt64 = 0
    while true {
      switch cursor.next() {
      case .record(let record):
        guard record.sequence == next else { return .wrong("\(record), expected \(next)") }
        guard isWhole(record, in: cursor.segment!, sizeMax: sizeMax) else {
          return .wrong("\(record) is not what was written")
        }
        next += 1
      case .caughtUp(isFinal: true): return .all(next)
      case .caughtUp(isFinal: false): sched_yield()
      case let step: return .wrong("\(step) after \(next) messages")
      }
    }
  }

  private func expectReaderSeesWholeMessages(
    _ count: UInt64, sizeMax: Int, segmentSize: Int, readers: Int
  ) throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    var writer: CaptureWriter? = try CaptureWriter(
      creating: path, manifest: .test(), segmentSize: segmentSize)
    let capture = try Capture(path: path)
    let outcomes = Guarded<[Outcome]>([])
    let threads = (0..<readers).map { _ in
      WorkerThread(name: "reader") {
        let outcome = Self.follow(capture, sizeMax: sizeMax)
        outcomes.withLock { $0.append(outcome) }
      }
    }
    for sequence in 0..<count {
      try writer!.append(TestMessage(Self.frames(of: sequence, sizeMax: sizeMax)))
    }
    try writer!.finish()
    writer = nil
    for thread in threads { thread.join() }
    #expect(outcomes.withLock { $0 } == Array(repeating: .all(count), count: readers))
  }

  @Test func aReaderSeesOnlyWholeMessagesInOrder() throws {
    try expectReaderSeesWholeMessages(200_000, sizeMax: 63, segmentSize: 2 << 20, readers: 1)
  }

  @Test func segmentsThatAreSealedUnderAReaderLoseNothing() throws {
    try expectReaderSeesWholeMessages(6_000, sizeMax: 8_000, segmentSize: 64 << 10, readers: 2)
  }

  /// Every other message gets a segment that grows after it was reserved, maybe under a reader.
  @Test func segmentsThatGrowUnderAReaderLoseNothing() throws {
    try expectReaderSeesWholeMessages(300, sizeMax: 250_000, segmentSize: 64 << 10, readers: 2)
  }

  @Test func aCursorThatCaughtUpFindsWhatComesLater() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    var writer: CaptureWriter? = try CaptureWriter(creating: path, manifest: .test())
    var cursor = CaptureCursor(try Capture(path: path), verifying: .body)
    for sequence in 0..<100 as Range<UInt64> {
      guard case .caughtUp(isFinal: false) = cursor.next() else {
        Issue.record("not caught up before \(sequence)")
        return
      }
      try writer!.append(TestMessage("\(sequence)"))
      guard case .record(let record) = cursor.next() else {
        Issue.record("no record \(sequence)")
        return
      }
      #expect(record.sequence == sequence)
    }
    try writer!.finish()
    guard case .caughtUp(isFinal: false) = cursor.next() else {
      Issue.record("the writer is still there")
      return
    }
    writer = nil
    try cursor.capture.waitUntilUnused()
    guard case .caughtUp(isFinal: true) = cursor.next() else {
      Issue.record("the writer is gone")
      return
    }
  }

  /// What a killed recorder leaves: everything committed, no footer, reserved space behind.
  @Test func aCopyOfFilesThatAreBeingWrittenHasEveryCommittedMessage() throws {
    let directory = try TemporaryDirectory()
    let writer = try CaptureWriter(
      creating: directory.file("c"), manifest: .test(), segmentSize: 64 << 10)
    let messages = (0..<500).map { TestMessage([[UInt8](repeating: UInt8($0 % 256), count: 400)]) }
    for message in messages { try writer.append(message) }
    try copyTree(directory.file("c"), to: directory.file("copy"))
    let copy = try Capture(path: directory.file("copy"))
    let walk = CaptureWalk(copy)
    #expect(walk.inOrder == messages)
    #expect(walk.isClean)
    #expect(try !copy.isBeingRecorded)
    try writer.finish()
  }
}
