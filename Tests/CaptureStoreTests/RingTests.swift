import Foundation
import Glibc
import TestSupport
import Testing
import Threads

@testable import CaptureStore

/// Recordings of which only the newest is kept.
@Suite struct RingTests {
  private static let segmentSize = 64 << 10
  private static let bytes = 8 * segmentSize

  /// Tells its sequence everywhere in it.
  private static func message(_ sequence: UInt64, size: Int = 1000) -> TestMessage {
    TestMessage(
      time: Int64(sequence), [[UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: size)])
  }

  private static func writer(
    _ path: String, keep: Retention = Retention(bytes: bytes), schedule: KeeperSchedule = .stepped,
    files: FileSystem = .system
  ) throws -> CaptureWriter {
    try CaptureWriter(
      creating: path, manifest: .test(keep: keep), segmentSize: segmentSize, sync: .atSeal,
      schedule: schedule, files: files)
  }

  /// Appends messages and lets the keeper work in between, as its threads would.
  private static func append(
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
  private static func check(_ capture: Capture, next: UInt64, size: Int = 1000) throws -> UInt64 {
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
    try writer.finish()
    writer.unlock()
    _ = try Self.check(Capture(path: path), next: writer.nextSequence)
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

  // MARK: - Going on, and limits

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
    try writer.finish()
    writer.unlock()
    _ = try Self.check(capture, next: writer.nextSequence)
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
    try writer.finish()
    writer.unlock()
    _ = try Self.check(Capture(path: path), next: writer.nextSequence)
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

  /// Whatever the time of day was when it was recorded: here 30 years ago.
  @Test func aRingIsNotForgottenWhenTheClockWasWrong() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("c")
    let keep = Retention(nanoseconds: 86_400_000_000_000)
    var writer: CaptureWriter? = try Self.writer(path, keep: keep)
    try Self.append(1000, to: writer!)
    try writer!.finish()
    writer = nil
    try Capture(path: path).waitUntilUnused()
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
    writer = try CaptureWriter(
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
    let keep = Retention(nanoseconds: 86_400_000_000_000)
    var writer: CaptureWriter? = try Self.writer(path, keep: keep)
    try Self.append(100, to: writer!)
    try writer!.finish()
    writer = nil
    try Capture(path: path).waitUntilUnused()
    usleep(300_000)
    let begun = CaptureClock.monotonicNanoseconds()
    writer = try CaptureWriter(
      appendingTo: Capture(path: path), endpoints: [], segmentSize: Self.segmentSize,
      sync: .atSeal, schedule: .stepped)
    try Self.append(100, to: writer!)
    let time = CaptureClock.monotonicNanoseconds()
    #expect(
      writer!.pinner(
        PinRequest(
          path: directory.file("pin"), time: time, before: 1_000_000_000_000,
          after: 3_600_000_000_000, labels: [:])))
    try Self.append(200, to: writer!)
    try writer!.finish()
    let outcome = try #require(writer!.takePinOutcomes().first)
    #expect(outcome.failure == nil && outcome.segments > 1 && !outcome.isLate)
    #expect(outcome.before <= time - begun)
    let late = PinRequest(path: directory.file("no"), before: 0, after: 0, labels: [:])
    #expect(!writer!.pinner(late))
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
    try writer.finish()
    writer.unlock()
    _ = try Self.check(capture, next: writer.nextSequence)
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
