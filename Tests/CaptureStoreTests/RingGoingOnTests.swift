import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// How a ring is gone on with, what is left of it is kept, and what it does where there is little room.
extension RingTests {
  /// Where the oldest segments are pinned, room is not made by forgetting them.
  @Test func aRingOnAFullDiskIsNotEmptiedForNothing() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let path = "\(disk.root)/c"
    let writer = try Self.writer(path, files: FileSystem(disk))
    try Self.append(1000, to: writer)
    let capture = try Capture(path: path)
    for file in try capture.segmentFiles() {
      try FileSystem.system.link(file.path, to: "\(disk.root)/\(file.number)")
    }
    let before = CaptureWalk(capture).order.count
    let next = disk.calls(of: .fallocate) + 1
    disk.fail(.init(call: next, of: .fallocate, with: ENOSPC, persists: true))
    #expect(throws: StoreError.self) { try Self.append(1000, to: writer) }
    // A segment made room for one that would have fitted.
    #expect(CaptureWalk(capture).order.count >= before - 64)
    disk.fail(nil)
    try Self.endAndCheck(writer)
  }

  /// The disk may take seconds for that, and the writer is not to wait for it.
  @Test func roomIsMadeWhileTheOldestSegmentIsSealed() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let path = "\(disk.root)/c"
    let writer = try Self.writer(path, files: FileSystem(disk))
    // Up to its bytes, with one segment ready and none sealed.
    while writer.segmentCount < 7 {
      while writer.stepAhead() {}
      try writer.append(Self.message(writer.nextSequence))
    }
    var prepared = 0
    disk.interrupt(atCall: 1, of: .fsync) {
      let before = disk.calls(of: .fallocate)
      while writer.stepAhead() {}
      prepared = disk.calls(of: .fallocate) - before
    }
    writer.stepBehind()
    #expect(prepared == 1)
    try Self.append(1000, to: writer)
    try Self.endAndCheck(writer)
  }

  /// The ring makes the room that the disk does not have.
  @Test func aRingOnAFullDiskGoesOn() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let path = "\(disk.root)/c"
    let writer = try Self.writer(path, files: FileSystem(disk))
    // Every third reservation fails, of new files and of those that are used again.
    var failed = 0
    disk.fail(.init(call: 6, of: .fallocate, with: ENOSPC))
    try Self.append(3000, to: writer) {
      guard disk.failedCalls.count > failed else { return }
      failed += 1
      disk.fail(.init(call: 6 + 3 * failed, of: .fallocate, with: ENOSPC))
    }
    try writer.finish()
    writer.unlock()
    #expect(writer.segmentCount > 40 && failed > 10)
    _ = try Self.check(Capture(path: path), next: 3000)
  }

  /// A slow disk may have sealed none of it so far.
  @Test func whatIsNotSealedMakesRoomOnAFullDisk() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let path = "\(disk.root)/c"
    let writer = try Self.writer(path, files: FileSystem(disk))
    func append(_ count: Int) throws {
      for _ in 0..<count {
        while writer.stepAhead() {}
        try writer.append(Self.message(writer.nextSequence))
      }
    }
    try append(200)
    disk.fail(.init(call: disk.calls(of: .fallocate) + 1, of: .fallocate, with: ENOSPC))
    try append(800)
    #expect(disk.failedCalls == [.fallocate] && writer.segmentCount > 14)
    try writer.finish()
    writer.unlock()
    _ = try Self.check(Capture(path: path), next: 1000)
  }

  @Test func aRingIsGoneOnWith() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    var writer: CaptureWriter? = try Self.writer(path)
    try Self.append(1000, to: writer!)
    // Without an end, as after a crash.
    writer = nil
    try Capture(path: path).waitUntilUnused()
    writer = try CaptureWriter(
      appendingTo: Capture(path: path), endpoints: [],
      keep: Retention(bytes: 16 * Self.segmentSize),
      segmentSize: Self.segmentSize, sync: .atSeal, schedule: .stepped)
    #expect(writer!.nextSequence == 1000)
    let capture = try Capture(path: path)
    #expect(capture.manifest.keep?.bytes == 16 * Self.segmentSize)
    try Self.append(3000, to: writer!) {
      let files = try capture.segmentFiles()
      #expect(files.reduce(0) { $0 + $1.size } <= 16 * Self.segmentSize)
    }
    try writer!.finish()
    writer = nil
    let first = try Self.check(capture, next: 4000)
    #expect((4000 - first) * 1072 > UInt64(12 * Self.segmentSize))
  }

  /// Finishes a ring that keeps a day.
  private static func recordADay(_ path: String, count: Int) throws {
    let writer = try writer(path, keep: Retention(nanoseconds: 86_400_000_000_000))
    try append(count, to: writer)
    try writer.finish()
    writer.unlock()
  }

  /// Whatever the time of day was when it was recorded: here 30 years ago.
  @Test func aRingIsNotForgottenWhenTheClockWasWrong() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    try Self.recordADay(path, count: 1000)
    for file in try Capture(path: path).segmentFiles() {
      let segment = try #require(try Segment(path: file.path))
      var header = segment.header
      header.clock.unixNanoseconds -= 30 * 365 * 86_400_000_000_000
      var page = [UInt8](repeating: 0, count: SegmentLayout.headerSize)
      page.withUnsafeMutableBytes { header.write(to: $0) }
      let handle = try FileHandle(forUpdating: URL(filePath: file.path))
      try handle.write(contentsOf: page)
      try handle.close()
    }
    var writer: CaptureWriter? = try CaptureWriter(
      appendingTo: Capture(path: path), endpoints: [], segmentSize: Self.segmentSize,
      sync: .atSeal, schedule: .stepped)
    try Self.append(500, to: writer!)
    try writer!.finish()
    writer = nil
    #expect(try Self.check(Capture(path: path), next: 1500) == 0)
  }

  /// Of a time that nobody recorded it is not said that it is there.
  @Test func aPauseBetweenRecordingsIsNoPartOfAWindow() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    try Self.recordADay(path, count: 100)
    usleep(300_000)
    let begun = CaptureClock.monotonicNanoseconds()
    let writer = try CaptureWriter(
      appendingTo: Capture(path: path), endpoints: [], segmentSize: Self.segmentSize,
      sync: .atSeal, schedule: .stepped)
    try Self.append(100, to: writer)
    let time = CaptureClock.monotonicNanoseconds()
    #expect(
      writer.pinner(
        PinRequest(
          path: directory.file("pin"), time: time, before: 1_000_000_000_000,
          after: 3_600_000_000_000, labels: [:])))
    try Self.append(200, to: writer)
    try writer.finish()
    let outcome = try #require(writer.takePinOutcomes().first)
    #expect(outcome.failure == nil && outcome.segments > 1 && !outcome.isLate)
    #expect(outcome.before <= time - begun)
    let late = PinRequest(path: directory.file("no"), before: 0, after: 0, labels: [:])
    #expect(!writer.pinner(late))
  }

  /// Also of what made room before the recording was gone on with.
  @Test func aWindowOfARingThatIsGoneOnWithSaysWhatMadeRoom() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    let keep = Retention(messages: 3000)
    for count in [0, 8000] as [Int] {
      var writer: CaptureWriter?
      if count > 0 {
        writer = try Self.writer(path, keep: keep)
        try Self.append(count, to: writer!, size: 10)
      } else {
        writer = try Self.writer(path + "0", keep: keep)
        try Self.append(10, to: writer!, size: 10)
      }
      let ring = writer!.path
      try writer!.finish()
      writer = nil
      try Capture(path: ring).waitUntilUnused()
      writer = try CaptureWriter(
        appendingTo: Capture(path: ring), endpoints: [], segmentSize: Self.segmentSize,
        sync: .atSeal, schedule: .stepped)
      let request = PinRequest(
        path: ring + ".pin", before: 1_000_000_000_000, after: 3_600_000_000_000, labels: [:])
      #expect(writer!.pinner(request))
      try Self.append(10, to: writer!, size: 10)
      try writer!.finish()
      #expect(writer!.takePinOutcomes().map(\.isLate) == [count > 0])
    }
  }

  /// A ring of 1,000 messages that is finished, and its first segment, which begins with other bytes.
  private static func finished(
    _ directory: TemporaryDirectory, firstBytes: Data
  ) throws -> (Capture, Capture.SegmentFile) {
    var writer: CaptureWriter? = try writer(directory.file("c"))
    try append(1000, to: writer!)
    try writer!.finish()
    writer = nil
    let capture = try Capture(path: directory.file("c"))
    try capture.waitUntilUnused()
    let first = try #require(try capture.segmentFiles().first)
    let handle = try FileHandle(forUpdating: URL(filePath: first.path))
    try handle.write(contentsOf: firstBytes)
    try handle.close()
    return (capture, first)
  }

  /// In front of a ring, too: what had been recorded is not thrown away because its first page is gone.
  @Test func aSegmentInFrontWhoseFirstPageIsGoneIsKept() throws {
    let directory = try TemporaryDirectory()
    let (capture, first) = try Self.finished(
      directory, firstBytes: Data(count: SegmentLayout.headerSize))
    let recovery = try Recovery.recover(capture)
    #expect(recovery.unreadable.count == 1)
    #expect(try FileSystem.system.metadata(first.path + ".torn")?.size == first.size)
  }

  /// A file that was about to be used again when its recorder was killed holds nothing.
  @Test func aWithdrawnSegmentIsNoLoss() throws {
    let directory = try TemporaryDirectory()
    let mark = withUnsafeBytes(of: SegmentLayout.withdrawnMagic.littleEndian) { Data($0) }
    let (capture, _) = try Self.finished(directory, firstBytes: mark)
    let recovery = try Recovery.recover(capture)
    #expect(recovery.unreadable.isEmpty && recovery.filesRemoved == 1)
    _ = try Self.check(capture, next: 1000)
  }

  @Test func whatKeepsEverythingIsNotMadeARing() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("c"), [Self.message(0)])
    try capture.waitUntilUnused()
    #expect(throws: StoreError.keepsEverything(path: capture.path)) {
      _ = try CaptureWriter(
        appendingTo: capture.path, endpoints: [], keep: Retention(messages: 1))
    }
    #expect(try Capture(path: capture.path).manifest == capture.manifest)
  }

  @Test func segmentsAreAnEighthOfTheRoomAtMost() throws {
    let directory = try TemporaryDirectory()
    let keep = Retention(bytes: 8 * Self.segmentSize - 1)
    #expect(throws: StoreError.self) { _ = try Self.writer(directory.file("c"), keep: keep) }
    #expect(!Capture.exists(at: directory.file("c")))
  }

  @Test func aMessageThatIsLargerThanSegmentsIsKeptOnAFullDisk() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let path = "\(disk.root)/c"
    let writer = try Self.writer(path, files: FileSystem(disk))
    try Self.append(1000, to: writer)
    let capture = try Capture(path: path)
    let before = CaptureWalk(capture).order.count
    disk.fail(.init(call: disk.calls(of: .fallocate) + 1, of: .fallocate, with: ENOSPC))
    try writer.append(Self.message(1000, size: 2 * Self.segmentSize))
    #expect(disk.failedCalls == [.fallocate])
    // One segment made room for it.
    let walk = CaptureWalk(capture)
    #expect(walk.isWhole && walk.order.count > before - 64)
    #expect(walk.messages[1000] == Self.message(1000, size: 2 * Self.segmentSize))
    try Self.append(1000, to: writer)
    try Self.endAndCheck(writer)
  }

  /// What would not fit if all of the ring made room is refused, and the ring stays.
  @Test func aRingIsNotEmptiedForAMessageThatDoesNotFit() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let path = "\(disk.root)/c"
    let writer = try CaptureWriter(
      creating: path, manifest: .test(keep: Retention(bytes: Self.bytes)),
      segmentSize: Self.segmentSize, sync: .atSeal, freeSpaceMin: .bytes(1 << 20),
      schedule: .stepped, files: FileSystem(disk))
    try Self.append(1000, to: writer)
    let capture = try Capture(path: path)
    let before = CaptureWalk(capture).order
    disk.freeBytes = 1 << 20
    #expect(throws: StoreError.self) {
      try writer.append(Self.message(1000, size: Self.bytes))
    }
    #expect(CaptureWalk(capture).order == before && before.count > 200)
    try Self.append(1000, to: writer)
    try writer.finish()
    writer.unlock()
    _ = try Self.check(capture, next: 2000)
  }

  @Test func aMessageThatIsLargerThanSegmentsIsKept() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.writer(directory.file("c"))
    try Self.append(1000, to: writer)
    try writer.append(Self.message(1000, size: 2 * Self.segmentSize))
    let large = writer.nextSequence
    try Self.append(20, to: writer)
    let capture = try Capture(path: writer.path)
    var walk = CaptureWalk()
    var cursor = CaptureCursor(capture, verifying: .body)
    walk.advance(&cursor)
    #expect(walk.messages[large - 1] == Self.message(1000, size: 2 * Self.segmentSize))
    try Self.append(1000, to: writer)
    #expect(try capture.segmentFiles().reduce(0) { $0 + $1.size } <= Self.bytes)
    try writer.finish()
    writer.unlock()
  }
}
