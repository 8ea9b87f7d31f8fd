import Foundation
import Glibc
import TestSupport
import Testing
import Threads

@testable import CaptureStore

/// Recordings of which only the newest is kept.
@Suite struct RingTests {
  static let segmentSize = 64 << 10
  static let bytes = 8 * segmentSize

  /// Tells its sequence everywhere in it.
  static func message(_ sequence: UInt64, size: Int = 1000) -> TestMessage {
    TestMessage(
      time: Int64(sequence), [[UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: size)])
  }

  static func writer(
    _ path: String, keep: Retention = Retention(bytes: bytes), schedule: KeeperSchedule = .stepped,
    files: FileSystem = .system
  ) throws -> CaptureWriter {
    try CaptureWriter(
      creating: path, manifest: .test(keep: keep), segmentSize: segmentSize, sync: .atSeal,
      schedule: schedule, files: files)
  }

  /// Appends messages and lets the keeper work in between, as its threads would.
  static func append(
    _ count: Int, to writer: CaptureWriter, size: Int = 1000,
    afterEach: () throws -> Void = {}
  ) throws {
    for _ in 0..<count {
      try writer.append(message(writer.nextSequence, size: size))
      _ = try writer.tend()
      while writer.stepAhead() {}
      if writer.nextSequence % 16 == 0 { writer.stepBehind() }
      try afterEach()
    }
  }

  /// Whether what is there is the end of what was recorded, as it was recorded.
  static func check(_ capture: Capture, next: UInt64, size: Int = 1000) throws -> UInt64 {
    let walk = try CaptureWalk(unused: capture)
    #expect(walk.isClean, "\(walk.missing) \(walk.damages) \(walk.unreadable)")
    let first = try #require(walk.order.first)
    #expect(walk.order == Array(first..<next))
    for (sequence, found) in walk.messages {
      #expect(found == message(sequence, size: size), "message \(sequence)")
    }
    let verification = try Verification.verify(capture, threads: 0)
    #expect(verification.isWhole, "\(verification.problems)")
    return first
  }

  static func endAndCheck(_ writer: CaptureWriter) throws {
    try writer.finish()
    writer.unlock()
    _ = try check(Capture(path: writer.path), next: writer.nextSequence)
  }

  private static func inodes(_ capture: Capture) throws -> Set<UInt64> {
    Set(try capture.segmentFiles().compactMap { try FileSystem.system.metadata($0.path)?.inode })
  }

  @Test func theNewestIsKeptAndTheFilesAreUsedAgain() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.writer(directory.file("c"))
    let capture = try Capture(path: writer.path)
    var inodes: Set<UInt64> = []
    var most = 0
    try Self.append(3000, to: writer) {
      let files = try capture.segmentFiles()
      most = max(most, files.reduce(0) { $0 + $1.size })
      inodes.formUnion(try Self.inodes(capture))
    }
    try writer.finish()
    writer.unlock()
    #expect(most <= Self.bytes)
    #expect(writer.segmentCount > 40)
    #expect(inodes.count <= 8, "\(writer.segmentCount) segments in \(inodes.count) files")
    let first = try Self.check(capture, next: 3000)
    // All but the room of an active segment and two that are ready, and what was cut.
    #expect((3000 - first) * 1072 > UInt64(Self.bytes - 4 * Self.segmentSize))
  }

  @Test func messagesAreCounted() throws {
    let directory = try TemporaryDirectory()
    let keep = Retention(messages: 5000)
    let writer = try Self.writer(directory.file("c"), keep: keep)
    try Self.append(20_000, to: writer, size: 10) {
      let sequence = writer.nextSequence
      guard sequence % 1000 == 0, sequence > 7000 else { return }
      let first = try #require(try Capture(path: writer.path).segmentFiles().first)
      let header = try #require(try Segment(path: first.path)?.header)
      #expect((5000...7500).contains(sequence - header.firstSequence))
    }
    try writer.finish()
    writer.unlock()
    let first = try Self.check(Capture(path: writer.path), next: 20_000, size: 10)
    #expect((5000...7500).contains(20_000 - first))
  }

  /// Also where segments expire at any moment, not when the next one is needed.
  @Test func filesOfARingThatCountsMessagesAreUsedAgain() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let writer = try Self.writer(
      "\(disk.root)/c", keep: Retention(messages: 5000), files: FileSystem(disk))
    try Self.append(30_000, to: writer, size: 10)
    #expect(writer.segmentCount > 25)
    // Those that it takes to keep so many, then none.
    #expect((5...12).contains(disk.calls(of: .mmap)), "\(disk.calls(of: .mmap)) files")
    try writer.finish()
    writer.unlock()
    let first = try Self.check(Capture(path: writer.path), next: 30_000, size: 10)
    #expect((5000...7500).contains(30_000 - first))
  }

  @Test func aSegmentGoesWhenOneOfTheLimitsLetsIt() {
    let second: Int64 = 1_000_000_000
    let all = Retention(bytes: 100, nanoseconds: 10 * second, messages: 1000)
    let ring = SegmentRing(retention: all)
    let entry = SegmentRing.Entry(
      path: "", number: 0, size: 10, firstSequence: 0, nextSequence: 500, begun: 0,
      ended: 50 * second)
    func isSurplus(_ bytes: Int, _ nextSequence: UInt64, _ now: Int64) -> Bool {
      ring.isSurplus(entry, bytes: bytes, nextSequence: nextSequence, now: now * second)
    }
    #expect(!isSurplus(100, 1499, 60))
    #expect(isSurplus(101, 1499, 60))
    #expect(isSurplus(100, 1500, 60))
    // Who asks for ten seconds is heard a moment later.
    #expect(isSurplus(100, 1499, 61))
  }

  @Test func aSegmentIsLeftByItsAge() {
    #expect(Retention(nanoseconds: 80_000_000_000).segmentNanosecondsMax == 10_000_000_000)
    #expect(Retention(nanoseconds: 1).segmentNanosecondsMax == 1_000_000_000)
    #expect(Retention(messages: 80_000).segmentMessagesMax == 10_000)
    #expect(Retention(messages: 1).segmentMessagesMax == 1024)
    #expect(Retention(bytes: 10 << 20).segmentSizeMax == 10 << 17)
  }

  /// The keeper does no more than what the writer waits for: none is slower. Messages that are
  /// larger than segments come one at a time.
  @Test(arguments: [1000, 40_000, 100_000, 300_000, 700_000])
  func aRingIsBoundedHoweverFastMessagesCome(size: Int) throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.writer(directory.file("c"))
    let capture = try Capture(path: writer.path)
    let grown = max(Self.segmentSize, (size + 16 << 10) & ~0xFFF)
    let bound = max(
      Self.bytes + grown - Self.segmentSize, size > Self.bytes ? 2 * grown + Self.segmentSize : 0)
    var most = 0
    for _ in 0..<(size == 1000 ? 2000 : 60) {
      try writer.append(Self.message(writer.nextSequence, size: size))
      most = max(most, try capture.segmentFiles().reduce(0) { $0 + $1.size })
    }
    #expect(most <= bound, "\(most - Self.bytes) bytes more than it is to have")
    try Self.append(60, to: writer, size: 1000)
    #expect(try capture.segmentFiles().reduce(0) { $0 + $1.size } <= max(Self.bytes, grown * 2))
    try writer.finish()
    writer.unlock()
  }

  // MARK: - Those who read

  @Test func whatIsReadIsNeverUsedAgain() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.writer(directory.file("c"))
    let capture = try Capture(path: writer.path)
    try Self.append(200, to: writer)
    var cursor = CaptureCursor(capture, verifying: .body)
    let early = try #require(CaptureWalk.record(cursor.next()))
    let segment = try #require(cursor.segment)
    try Self.append(2000, to: writer)
    #expect(try capture.segmentFiles().first!.number > 10)
    #expect(TestMessage(early, in: segment) == Self.message(0))
    // It reads on to the end of what it has, and then from where the ring begins now.
    var walk = CaptureWalk()
    walk.advance(&cursor)
    #expect(walk.isWhole && walk.order.first == 1 && walk.order.last == 2199)
    #expect(walk.order == walk.order.sorted() && walk.order.count < 1000)
    for (sequence, message) in walk.messages { #expect(message == Self.message(sequence)) }
    try writer.finish()
    writer.unlock()
  }

  @Test func aFileOfTwoNamesIsNeverUsedAgain() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.writer(directory.file("c"))
    try Self.append(200, to: writer)
    let pinned = directory.file("pinned.zseg")
    try FileSystem.system.link(CapturePath.segment(writer.path, 0), to: pinned)
    let before = try #require(try Segment(path: pinned)?.header)
    try Self.append(2000, to: writer)
    try writer.finish()
    writer.unlock()
    #expect(try Segment(path: pinned)?.header == before)
    #expect(try FileSystem.system.metadata(pinned)?.links == 1)
    _ = try Self.check(Capture(path: writer.path), next: 2200)
  }

  @Test(.timeLimit(.minutes(2)))
  func aReaderThatIsLappedSeesNothingButWhatWasRecorded() throws {
    let directory = try TemporaryDirectory()
    let writer = try Self.writer(directory.file("c"), schedule: .threads)
    let capture = try Capture(path: writer.path)
    let lapped = Guarded(CaptureWalk())
    let reader = WorkerThread(name: "reader") {
      var cursor = CaptureCursor(capture, verifying: .body)
      var walk = CaptureWalk()
      while !walk.isFinal && walk.isWhole { walk.advance(&cursor) }
      lapped.withLock { $0 = walk }
    }
    while writer.nextSequence < 100_000 {
      try writer.append(Self.message(writer.nextSequence))
      if writer.nextSequence % 64 == 0 { _ = try writer.tend() }
    }
    try writer.finish()
    writer.unlock()
    reader.join()
    let walk = lapped.withLock { $0 }
    #expect(walk.isClean, "\(walk.missing) \(walk.damages) \(walk.unreadable)")
    #expect(walk.order.last == 99_999 && walk.order == walk.order.sorted())
    #expect(walk.messages.allSatisfy { $0.value == Self.message($0.key) })
    _ = try Self.check(capture, next: 100_000)
  }

  // MARK: - Files that are used again

  /// A store to a page that is not in memory would read it first.
  @Test func whatIsNotInMemoryIsNotUsedAgain() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let path = "\(disk.root)/c"
    let writer = try Self.writer(path, files: FileSystem(disk))
    try Self.append(1000, to: writer)
    func newFiles(_ body: () throws -> Void) rethrows -> Int {
      let before = disk.calls(of: .mmap)
      try body()
      return disk.calls(of: .mmap) - before
    }
    #expect(try newFiles { try Self.append(600, to: writer) } == 0)
    disk.isMemoryLost = true
    let segments = writer.segmentCount
    let made = try newFiles { try Self.append(600, to: writer) }
    #expect(made == writer.segmentCount - segments && made > 8)
    // Better than to forget a second one for the room of the first.
    disk.fail(.init(call: disk.calls(of: .fallocate) + 1, of: .fallocate, with: ENOSPC))
    let renamed = disk.calls(of: .rename)
    try Self.append(60, to: writer)
    #expect(disk.failedCalls == [.fallocate] && disk.calls(of: .rename) == renamed + 1)
    disk.isMemoryLost = false
    #expect(try newFiles { try Self.append(600, to: writer) } < 3)
    try Self.endAndCheck(writer)
  }

  /// A process may not have any number of open files and mappings.
  @Test func theFilesOfTheNewestSegmentsAreKeptOpen() throws {
    let directory = try TemporaryDirectory()
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    var ring = SegmentRing(retention: Retention(messages: 1))
    for number in 0..<10 as Range<UInt64> {
      let segment = try SegmentWriter(
        directory: disk.root, number: number, size: 64 << 10, files: FileSystem(disk))
      let entry = SegmentRing.Entry(
        path: segment.path, number: number, size: 64 << 10, firstSequence: number,
        nextSequence: number + 1, begun: 0, ended: 0, segment: segment)
      _ = ring.append(entry, writersMax: 4)
      if number % 3 == 2 { ring.entries.removeFirst() }
    }
    #expect(ring.entries.map(\.number) == Array(3..<10))
    #expect(ring.entries.filter { $0.segment != nil }.map(\.number) == Array(6..<10))
    #expect(disk.calls(of: .close) == 6 && disk.calls(of: .munmap) == 6)
  }

  @Test func theSystemTellsWhatIsInMemory() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("f")
    let file = try OpenedFile(path, O_RDWR | O_CREAT, mode: 0o600, files: .system)
    try FileSystem.system.truncate(file.descriptor, path, size: 1 << 20)
    let mapping = try Mapping(
      file.descriptor, path: path, size: 1 << 20, writable: true, files: .system)
    let page = UnsafeMutableRawBufferPointer(rebasing: mapping.buffer[512 << 10..<516 << 10])
    #expect(try !FileSystem.system.isInMemory(page, path))
    page[0] = 1
    #expect(try FileSystem.system.isInMemory(page, path))
  }
}
