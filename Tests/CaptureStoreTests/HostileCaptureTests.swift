import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// Captures that nobody recorded: made to crash or hang whoever opens them.
///
/// In processes of their own, so that a crash is a failure of one test.
@Suite struct HostileCaptureTests {
  /// Two messages in a segment whose checks are all right.
  private static func put(
    _ name: String, in capture: Capture, number: UInt64 = 0, first: UInt64 = 0,
    sequences: [UInt32] = [0, 1]
  ) throws {
    var bytes = SegmentBytes(
      SegmentBytes.Page(
        capture: SegmentBytes.littleEndian(capture.manifest.captureID), number: number,
        firstSequence: first))
    for sequence in sequences { bytes.append(sequence: sequence, [[1]]) }
    bytes.append(kind: 5, sequence: sequences.last.map { $0 &+ 1 } ?? 0, [[0]])
    try Data(bytes.bytes).write(
      to: URL(filePath: "\(CapturePath.segments(capture.path))/\(name).zseg"))
  }

  private static func emptyCapture(_ directory: TemporaryDirectory) throws -> Capture {
    let capture = try Capture.recorded(directory.file("c"), [])
    try FileManager.default.removeItem(atPath: CapturePath.segment(capture.path, 0))
    return capture
  }

  @Test func aFileWithTheHighestNumberInItsName() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let capture = try Self.emptyCapture(directory)
      try Self.put("18446744073709551615", in: capture, number: .max)
      let walk = CaptureWalk(capture)
      try #require(!walk.isEndless && walk.isFinal)
    }
  }

  @Test func aHeaderWithTheHighestNumber() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let capture = try Self.emptyCapture(directory)
      try Self.put("000000000000", in: capture, number: .max)
      let walk = CaptureWalk(capture)
      try #require(!walk.isEndless && walk.isFinal)
    }
  }

  @Test func sequencesUpToTheHighest() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let capture = try Self.emptyCapture(directory)
      try Self.put("000000000000", in: capture, first: .max - 1)
      try Self.put("000000000001", in: capture, number: 1, first: .max)
      let walk = CaptureWalk(capture)
      try #require(!walk.isEndless && walk.isFinal)
    }
  }

  @Test(arguments: [1 << 59, 1 << 60] as [UInt64], [false, true])
  func aCaptureNearTheLimitsIsReadAndNotGoneOnWith(limit: UInt64, isOfSegments: Bool) throws {
    let directory = try TemporaryDirectory()
    let capture = try Self.emptyCapture(directory)
    let number = isOfSegments ? limit : 0
    let name = isOfSegments ? "\(limit)" : "000000000000"
    try Self.put(name, in: capture, number: number, first: isOfSegments ? 0 : limit)
    let before = try fileTree(capture.path)
    #expect(throws: StoreError.noNumbersLeft(path: capture.path)) {
      _ = try CaptureWriter(appendingTo: capture.path, endpoints: capture.manifest.endpoints)
    }
    #expect(try fileTree(capture.path) == before)
    #expect(CaptureWalk(capture).order.count == 2)
  }

  @Test func aCaptureFarFromTheLimitsIsGoneOnWith() throws {
    let directory = try TemporaryDirectory()
    let capture = try Self.emptyCapture(directory)
    let first = (1 as UInt64) << 58
    try Self.put("\(first)", in: capture, number: first, first: first)
    let writer = try CaptureWriter(
      appendingTo: capture.path, endpoints: capture.manifest.endpoints)
    try writer.append(TestMessage("next"))
    try writer.finish()
    #expect(CaptureWalk(capture).order == [first, first + 1, first + 2])
  }

  @Test(.timeLimit(.minutes(1)))
  func aSegmentWithoutMessagesUnderAnotherNameIsNotReadForEver() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let capture = try Self.emptyCapture(directory)
      try Self.put("000000000003", in: capture, number: 0, sequences: [])
      alarm(10)
      let walk = CaptureWalk(capture)
      try #require(!walk.isEndless && walk.isFinal)
    }
  }

  @Test func aCaptureThatWasDeletedWhileItWasRead() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    let writer = try CaptureWriter(creating: path, manifest: .test())
    try writer.append(TestMessage("one"))
    let capture = try Capture(path: path)
    var cursor = CaptureCursor(capture, verifying: .body)
    guard case .record = cursor.next() else {
      Issue.record("no record")
      return
    }
    try FileManager.default.removeItem(atPath: path)
    // Somebody who waits for more, as the live index does, and somebody who comes now.
    for var cursor in [cursor, CaptureCursor(capture, verifying: .body)] {
      var walk = CaptureWalk()
      walk.advance(&cursor, stepsMax: 100)
      #expect(!walk.isEndless && walk.unreadable.count == 1)
    }
    try? writer.finish()
  }

  @Test func namesThatLeadInCirclesDoNotHoldUpAReader() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("c"), [TestMessage("one")])
    let loop = CapturePath.segment(capture.path, 7)
    symlink(loop, loop)
    let walk = CaptureWalk(capture)
    #expect(!walk.isEndless && walk.unreadable.count == 1)
  }

  /// A reader has the segment mapped in its full size when the recorder cuts it to its end.
  @Test func damageInASegmentThatIsSealedMeanwhile() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let path = directory.file("c")
      let writer = try CaptureWriter(creating: path, manifest: .test(), segmentSize: 4 << 20)
      for number in 0..<10 { try writer.append(TestMessage("message \(number)")) }
      var cursor = CaptureCursor(try Capture(path: path), verifying: .body)
      let record = try #require(CaptureWalk.record(cursor.next()))
      try writer.finish()
      let file = open(CapturePath.segment(path, 0), O_RDWR)
      let end = lseek(file, 0, SEEK_END)
      let rubbish = [UInt8](repeating: 0x55, count: Int(end) - record.end)
      pwrite(file, rubbish, rubbish.count, off_t(record.end))
      // What is read now lies behind the end of the file.
      for _ in 0..<20 { _ = cursor.next() }
    }
  }
}
