import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// A file-size limit stands for a full disk: the reservation fails the same way.
///
/// In processes of their own, because the limit holds for all of a process.
@Suite struct FullDiskTests {
  private static func limitFileSize(_ bytes: Int) {
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
  }

  /// Not only the size is set: else writing to the mapping could end in SIGBUS.
  @Test func theSpaceOfASegmentIsTaken() throws {
    let directory = try TemporaryDirectory()
    let writer = try SegmentWriter(directory: directory.path, number: 0, size: 1 << 20)
    var status = stat()
    #expect(stat(writer.path, &status) == 0)
    #expect(status.st_blocks * 512 >= 1 << 20)
    try writer.grow(to: 3 << 20)
    #expect(stat(writer.path, &status) == 0)
    #expect(status.st_blocks * 512 >= 3 << 20)
  }

  @Test func aStartThatFailsLeavesNothingBehind() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      Self.limitFileSize(1 << 20)
      #expect(throws: StoreError.self) {
        _ = try CaptureWriter(
          creating: directory.file("c"), manifest: .test(), segmentSize: 2 << 20)
      }
      #expect(try FileSystem.system.names(in: directory.path) == [])
    }
  }

  @Test func aMessageThatDoesNotFitIsRefusedAndTheRestIsSealed() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let path = directory.file("c")
      let writer = try CaptureWriter(creating: path, manifest: .test(), segmentSize: 64 << 10)
      try writer.append(TestMessage("before"))
      Self.limitFileSize(1 << 20)
      let large = TestMessage([[UInt8](repeating: 1, count: 2 << 20)])
      #expect(throws: StoreError.self) { try writer.append(large) }
      #expect(writer.messageCount == 1)
      try? writer.finish()
      let capture = try Capture(path: path)
      let walk = CaptureWalk(capture)
      #expect(walk.order == [0] && walk.missing.isEmpty && walk.damages.isEmpty)
      for file in try capture.segmentFiles() {
        #expect(try Segment(path: file.path)?.isSealed == true)
      }
    }
  }

  @Test func afterAMessageThatDoesNotFitSmallerOnesAreRecorded() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let path = directory.file("c")
      let writer = try CaptureWriter(creating: path, manifest: .test(), segmentSize: 64 << 10)
      try writer.append(TestMessage("before"))
      Self.limitFileSize(1 << 20)
      let large = TestMessage([[UInt8](repeating: 1, count: 2 << 20)])
      for number in 0..<2_000 {
        #expect(throws: StoreError.self) { try writer.append(large) }
        // Nothing of the refused message may be there, so this one is next.
        try writer.append(TestMessage("after \(number)"))
      }
      try writer.finish()
      let walk = CaptureWalk(try Capture(path: path))
      #expect(walk.isWhole)
      #expect(walk.order == Array(0...2_000))
    }
  }

  @Test func aDiskThatFillsUpKeepsWhatWasRecorded() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let path = directory.file("c")
      let writer = try CaptureWriter(creating: path, manifest: .test(), segmentSize: 64 << 10)
      Self.limitFileSize(32 << 10)
      let message = TestMessage([[UInt8](repeating: 1, count: 1_000)])
      #expect(throws: StoreError.self) {
        for _ in 0..<10_000 { try writer.append(message) }
      }
      let count = writer.messageCount
      #expect(count >= 58)
      try? writer.finish()
      let walk = CaptureWalk(try Capture(path: path))
      #expect(walk.isWhole && walk.order == Array(0..<count))
    }
  }
}
