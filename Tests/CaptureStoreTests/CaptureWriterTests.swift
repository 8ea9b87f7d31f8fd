import Foundation
import TestSupport
import Testing

@testable import CaptureStore

@Suite struct CaptureWriterTests {
  private func permissions(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int)
  }

  @Test func onlyTheOwnerMayReadACapture() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("a/b/c"), [TestMessage("x")])
    for path in ["a", "a/b", "a/b/c", "a/b/c/segments"] {
      #expect(try permissions(directory.file(path)) == 0o700)
    }
    #expect(try permissions(CapturePath.manifest(capture.path)) == 0o600)
    #expect(try permissions(CapturePath.segment(capture.path, 0)) == 0o600)
    #expect(
      try FileSystem.system.names(in: capture.path) == ["capture.json", "segments"],
      "and nothing temporary is left")
  }

  @Test func countsAreThoseOfTheMessages() throws {
    let directory = try TemporaryDirectory()
    let writer = try CaptureWriter(
      creating: directory.file("c"), manifest: .test(), segmentSize: 64 << 10)
    try writer.append(TestMessage("a", "bc"))
    try writer.append(TestMessage([]))
    try writer.append(TestMessage([[UInt8](repeating: 0, count: 70_000)]))
    #expect(writer.messageCount == 3 && writer.frameBytes == 70_003 && writer.segmentCount == 2)
    try writer.finish()
    #expect(try Capture(path: writer.path).segmentFiles().count == 2)
  }

  @Test func aCaptureIsBeingRecordedAsLongAsItsWriterIsThere() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    var writer: CaptureWriter? = try CaptureWriter(creating: path, manifest: .test())
    let capture = try Capture(path: path)
    #expect(try capture.isBeingRecorded)
    // Looking does not take the lock away.
    #expect(try capture.isBeingRecorded)
    try writer?.finish()
    writer = nil
    try capture.waitUntilUnused()
  }

  @Test func aSecondWriterIsRefused() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    let writer = try CaptureWriter(creating: path, manifest: .test())
    try writer.append(TestMessage("kept"))
    #expect(throws: StoreError.captureInUse(path: path)) {
      _ = try CaptureWriter(creating: path, manifest: .test())
    }
    try writer.append(TestMessage("and this"))
    try writer.finish()
    let walk = CaptureWalk(try Capture(path: path))
    #expect(walk.inOrder == [TestMessage("kept"), TestMessage("and this")])
  }

  @Test func whatIsThereIsNotOverwritten() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("c"), [TestMessage("kept")])
    #expect(throws: StoreError.captureExists(path: capture.path)) {
      _ = try CaptureWriter(creating: capture.path, manifest: .test())
    }
    #expect(CaptureWalk(capture).inOrder == [TestMessage("kept")])

    let file = directory.file("file")
    try Data("precious".utf8).write(to: URL(filePath: file))
    #expect(throws: StoreError.captureExists(path: file)) {
      _ = try CaptureWriter(creating: file, manifest: .test())
    }
    #expect(throws: StoreError.self) {
      _ = try CaptureWriter(creating: file + "/below", manifest: .test())
    }
    #expect(try Data(contentsOf: URL(filePath: file)) == Data("precious".utf8))
  }

  @Test func anEmptyDirectoryThatWasThereStays() throws {
    let directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: directory.file("c"), withIntermediateDirectories: false)
    #expect(throws: StoreError.captureExists(path: directory.file("c"))) {
      _ = try CaptureWriter(creating: directory.file("c"), manifest: .test())
    }
    #expect(try FileSystem.system.names(in: directory.file("c")) == [])
  }

  @Test(arguments: [-1, 0, 4096, 65_535, 128 << 30 + 1])
  func sizesOutOfRangeAreRefusedBeforeAnythingIsMade(size: Int) throws {
    let directory = try TemporaryDirectory()
    #expect(throws: StoreError.self) {
      _ = try CaptureWriter(
        creating: directory.file("a/c"), manifest: .test(), segmentSize: size)
    }
    #expect(try FileSystem.system.names(in: directory.path) == [])
  }

  @Test func aSizeThatIsNoPageIsRoundedUp() throws {
    let directory = try TemporaryDirectory()
    let writer = try CaptureWriter(
      creating: directory.file("c"), manifest: .test(), segmentSize: 65_537)
    #expect(try Capture(path: writer.path).segmentFiles().first?.size == 65_536 + 4096)
    try writer.finish()
  }

  @Test func reservedSegmentsAreGoneAfterTheEnd() throws {
    let directory = try TemporaryDirectory()
    for count in [0, 1, 50] {
      let capture = try Capture.recorded(
        directory.file("c\(count)"),
        (0..<count).map { _ in TestMessage([[UInt8](repeating: 0, count: 30_000)]) })
      for file in try capture.segmentFiles() {
        #expect(try Segment(path: file.path)?.isSealed == true)
      }
    }
  }

  @Test func aLongRunOfEmptyMessagesRollsByRecords() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(
      directory.file("c"), (0..<5_000).map { _ in TestMessage([]) })
    let walk = CaptureWalk(capture)
    #expect(walk.isClean && walk.order == Array(0..<5_000))
    #expect(try capture.segmentFiles().count == 3)
  }

  @Test func whereSpaceRanOutAgainstItsPromiseTheSegmentIsNotSealed() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let writer = try CaptureWriter(
      creating: directory.file("c"), manifest: .test(), segmentSize: 64 << 10, sync: .atSeal,
      schedule: .stepped, files: FileSystem(disk))
    try writer.append(TestMessage("a"))
    disk.fail(.init(call: disk.calls(of: .madvise) + 1, of: .madvise, with: EFAULT))
    #expect(throws: StoreError.self) { try writer.finish() }
    writer.unlock()
    #expect(disk.failedCalls == [.madvise])
    let capture = try Capture(path: directory.file("c"))
    let walk = try CaptureWalk(unused: capture)
    #expect(walk.isClean && walk.order == [0])
    #expect(try Segment(path: CapturePath.segment(capture.path, 0))?.isSealed == false)
  }

  @Test func someSpaceIsLeftWhereAReservationIsNoPromise() throws {
    let memory = MemoryFiles()
    let files = FileSystem(memory)
    func check(_ least: FreeSpaceMin, _ free: Int) -> Bool {
      memory.freeBytes = free
      return (try? least.checkWeakReservation("/c", files)) != nil
    }
    #expect(check(.bytes(1 << 30), 0), "ext4 keeps what it promised")
    memory.type = 0x9123_683E
    #expect(check(.bytes(1 << 30), 1 << 30) && !check(.bytes(1 << 30), (1 << 30) - 4096))
    #expect(check(.none, 64 << 20) && !check(.none, (64 << 20) - 4096))
  }
}
