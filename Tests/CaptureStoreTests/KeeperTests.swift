import Foundation
import Synchronization
import TestSupport
import Testing
import Threads

@testable import CaptureStore

/// What a keeper's threads see of the segments that its writer has.
@Suite struct KeeperTests {
  private static let segmentSize = 64 << 10

  private let directory: TemporaryDirectory
  private let disk: SimulatedDisk
  private let manifest = Manifest.test()
  private var path: String { "\(disk.root)/c" }

  init() throws {
    directory = try TemporaryDirectory()
    let root = directory.file("disk")
    try FileManager.default.createDirectory(
      atPath: "\(root)/c/segments", withIntermediateDirectories: true)
    disk = try SimulatedDisk(root: root, seed: 1)
    try manifest.save(capture: path, files: FileSystem(disk))
  }

  private var settings: KeeperSettings {
    KeeperSettings(
      capture: path, segmentSize: Self.segmentSize, ring: nil, sync: .atSeal, freeSpaceMin: .none,
      schedule: .stepped, files: FileSystem(disk))
  }

  private func active() throws -> SegmentWriter {
    let segment = try SegmentWriter(
      directory: settings.directory, number: 0, size: Self.segmentSize, files: settings.files)
    segment.start(captureID: manifest.captureID, firstSequence: 0)
    return segment
  }

  /// A pin that wants nothing of before begins with it.
  @Test func theActiveSegmentIsStartedAlways() throws {
    let keeper = SegmentKeeper(settings, active: try active())
    let next = try keeper.roll(captureID: manifest.captureID, nextSequence: 5, size: 0)
    #expect(next.header?.firstSequence == 5 && next.header?.captureID == manifest.captureID)
    let pin = "\(disk.root)/pin"
    _ = keeper.pin(PinRequest(path: pin, before: 0, after: 3_600_000_000_000, labels: [:]))
    while keeper.stepAhead() {}
    let begins = try Capture(path: pin).manifest.begins
    #expect(begins == Manifest.Beginning(segment: 1, sequence: 5))
    try keeper.finish(nextSequence: 5)
  }

  // MARK: - Room for a large message

  private func ringWork(bytes: Int) throws -> KeeperWork {
    var settings = settings
    settings.ring = SegmentRing(retention: Retention(bytes: bytes))
    return KeeperWork(settings, active: try active())
  }

  /// Though the second one, which a ring has in hand, cannot be made.
  @Test func aSegmentThatGrowsIsWaitedFor() throws {
    let size = 4 * Self.segmentSize
    let work = try ringWork(bytes: 16 * Self.segmentSize)
    disk.fail(.init(call: disk.calls(of: .fallocate) + 2, of: .fallocate, with: EIO))
    while work.stepAhead() {}
    work.state.withLock { state in
      #expect(state.spares.map(\.number) == [1] && state.prepareFailure != nil)
      state.roomNeeded = size
    }
    var isWaitedFor = false
    disk.interrupt(atCall: 1, of: .fallocate) {
      isWaitedFor = work.state.withLock { $0.takeSpare(size: size) == nil }
    }
    #expect(work.stepAhead() && isWaitedFor)
    let taken = try work.state.withLock { $0.takeSpare(size: size) }?.get()
    #expect(taken?.number == 1 && taken?.capacity == size)
  }

  @Test func aWriterThatGaveUpNeedsNoRoom() throws {
    let work = try ringWork(bytes: 16 * Self.segmentSize)
    disk.fail(.init(call: disk.calls(of: .fallocate) + 1, of: .fallocate, with: EIO))
    while work.stepAhead() {}
    work.state.withLock { state in
      state.roomNeeded = 4 * Self.segmentSize
      #expect(throws: StoreError.self) { try state.takeSpare(size: state.roomNeeded)?.get() }
      state.prepareFailure = nil
    }
    while work.stepAhead() {}
    work.state.withLock { #expect($0.spares.map(\.capacity) == [65536, 65536]) }
  }

  /// Who reads a segment that made room has its file still: others do not go for that, one after the
  /// other, while there is another way to go on.
  @Test func aRingIsNotEmptiedWhileSomebodyReadsIt() throws {
    var settings = settings
    settings.ring = SegmentRing(retention: Retention(bytes: 64 * Self.segmentSize))
    // Without threads of its own, and yet as one that has them.
    settings.schedule = .threads
    let work = KeeperWork(settings, active: try active())
    while work.stepAhead() {}
    func roll(to sequence: UInt64) {
      work.state.withLock { state in
        guard case .success(let spare) = state.takeSpare(size: 0) else {
          Issue.record("no spare for \(sequence)")
          return
        }
        state.retireActive(nextSequence: sequence)
        spare.start(captureID: manifest.captureID, firstSequence: sequence)
        state.active = spare
      }
    }
    for sequence in 1...6 as ClosedRange<UInt64> {
      roll(to: sequence)
      while work.stepAhead() {}
      while work.stepBehind() {}
    }
    let before = work.state.withLock { $0.segmentsLeft.count }
    #expect(before == 6)
    disk.fail(
      .init(call: disk.calls(of: .fallocate) + 1, of: .fallocate, with: ENOSPC, persists: true))
    roll(to: 7)
    for _ in 0..<100 { _ = work.stepAhead() }
    // One made room, and there is another that is ready.
    work.state.withLock { state in
      #expect(state.segmentsLeft.count == 6 && state.spares.count == 1)
      #expect(state.prepareFailure == nil && state.shortage != nil)
    }
    disk.fail(nil)
  }

  // MARK: - Open files

  @Test func aQuarterOfTheFilesAreKeptOpen() {
    let numbers = [0, 100, 1024, 4096, 1 << 20, .max].map {
      KeeperSettings.writersMax(openFilesMax: $0)
    }
    #expect(numbers == [2, 25, 256, 1024, 1024, 1024])
    #expect(OpenedFile.countMax > 0)
    #expect(settings.writersMax == KeeperSettings.writersMax(openFilesMax: OpenedFile.countMax))
  }

  /// However slow the disk is: then the writer waits for it. A ring with threads that goes around
  /// at once would not seal anything.
  @Test(.timeLimit(.minutes(2)), arguments: [nil, 40], [KeeperSchedule.stepped, .threads])
  func theOpenFilesOfUnsealedSegmentsAreBounded(ring: Int?, schedule: KeeperSchedule) throws {
    func openFiles() -> Int { disk.calls(of: .open) - disk.calls(of: .close) }
    let before = openFiles()
    var settings = settings
    settings.schedule = schedule
    settings.writersMax = 4
    settings.ring = ring.map { SegmentRing(retention: Retention(bytes: $0 * Self.segmentSize)) }
    let keeper = SegmentKeeper(settings, active: try active())
    var most = 0
    for sequence in 1...150 as ClosedRange<UInt64> {
      _ = try keeper.roll(captureID: manifest.captureID, nextSequence: sequence, size: 0)
      most = max(most, openFiles() - before)
    }
    try keeper.finish(nextSequence: 150)
    // Those that are not sealed, those to be used again, the active one, two that are ready; and
    // what threads have in hand: one that is used again, one that is closed, a directory.
    #expect(most <= 4 + 4 + 1 + 2 + 3, "\(most)")
    #expect(try Capture(path: path).segmentFiles().last?.number == 150)
  }

  /// Where a reservation is no promise, a full disk must be noticed in time.
  @Test func spaceIsWatchedAtFullRate() throws {
    var settings = settings
    settings.schedule = .threads
    settings.ring = SegmentRing(retention: Retention(bytes: 16 * Self.segmentSize))
    let keeper = SegmentKeeper(settings, active: try active())
    var sequence: UInt64 = 0
    let looks = disk.calls(of: .fileSystemType)
    try waitFor("a look at the disk") {
      sequence += 1
      for _ in 0..<20 {
        _ = try keeper.roll(captureID: manifest.captureID, nextSequence: sequence, size: 0)
      }
      return disk.calls(of: .fileSystemType) > looks
    }
    try keeper.finish(nextSequence: sequence)
  }

  // MARK: - Pages that cannot be had

  private func append(_ count: UInt64, to segment: SegmentWriter) {
    let first = segment.committedSequence.load(ordering: .relaxed)
    withFrames([[UInt8](repeating: 7, count: 1000)]) { frames in
      for sequence in first..<first + count {
        let isAppended = segment.append(
          .init(kind: .data, sequence: sequence, monotonicNanoseconds: 0), frames: frames)
        #expect(isAppended)
      }
    }
  }

  /// Fast enough for the next segment to be populated, too.
  private func populate(_ work: KeeperWork, _ segment: SegmentWriter) {
    var readAhead = PageReadAhead()
    work.populate(&readAhead)
    append(50, to: segment)
    work.populate(&readAhead)
  }

  @Test func aSpareWithoutPagesIsNoFailureOfTheActiveSegment() throws {
    let segment = try active()
    let work = KeeperWork(settings, active: segment)
    #expect(work.stepAhead() && !work.stepAhead())
    disk.pagelessName = CapturePath.segmentName(1)
    populate(work, segment)
    work.state.withLock { state in
      #expect(state.activeFailure == nil && state.prepareFailure != nil)
      #expect(state.spares.isEmpty && state.nextNumber == 1)
    }
    #expect(try Capture(path: path).segmentFiles().map(\.number) == [0])
    // Tried again, as after a second, before there are pages, and then.
    for isThere in [false, true] {
      if isThere { disk.pagelessName = nil }
      work.state.withLock { $0.prepareFailure = nil }
      while work.stepAhead() {}
      work.state.withLock { state in
        #expect(state.spares.map(\.number) == (isThere ? [1] : []))
        #expect((state.prepareFailure == nil) == isThere && state.activeFailure == nil)
      }
    }
    #expect(try Capture(path: path).segmentFiles().map(\.number) == [0, 1])
  }

  @Test func anActiveSegmentWithoutPagesFails() throws {
    let segment = try active()
    let work = KeeperWork(settings, active: segment)
    #expect(work.stepAhead())
    disk.pagelessName = CapturePath.segmentName(0)
    populate(work, segment)
    work.state.withLock { state in
      #expect(state.activeFailure != nil && state.prepareFailure == nil)
      #expect(state.spares.map(\.number) == [1])
    }
  }
}
