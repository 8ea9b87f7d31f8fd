import Synchronization
import TestSupport
import Testing

@testable import CaptureStore

/// How far pages are brought in front of a writer, by a clock of the test's own.
@Suite struct PageReadAheadTests {
  private static let millisecond: Int64 = 1_000_000
  private static let second: Int64 = 1_000_000_000

  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func segment(
    _ number: UInt64, size: Int, files: FileSystem = .system
  ) throws -> SegmentWriter {
    let segment = try SegmentWriter(
      directory: directory.path, number: number, size: size, files: files)
    segment.start(captureID: 1, firstSequence: 0)
    return segment
  }

  private func append(_ size: Int, to segment: SegmentWriter) {
    let sequence = segment.committedSequence.load(ordering: .relaxed)
    withFrames([[UInt8](repeating: 7, count: size)]) { frames in
      let isAppended = segment.append(
        .init(kind: .data, sequence: sequence, monotonicNanoseconds: 0), frames: frames)
      #expect(isAppended)
    }
  }

  /// Pictures of 1 MiB, one each `interval`, looked at every 5 ms. Returns after how many of them
  /// the pages came in bulk, if they did.
  private func picturesUntilBulk(
    _ count: Int, interval: Int64, lookingEvery pause: Int64 = 5 * millisecond
  ) throws -> Int? {
    let segment = try segment(0, size: 64 << 20)
    var readAhead = PageReadAhead(now: 0)
    var taken = 0
    for now in stride(from: 0, through: Int64(count) * interval, by: Int(pause)) {
      while taken < count, Int64(taken) * interval < now {
        append(1 << 20, to: segment)
        taken += 1
      }
      try readAhead.advance(segment, next: nil, now: now)
      if segment.bringsInBulk { return taken }
    }
    return nil
  }

  /// A camera: fast while it sends a picture, and slow over a second. Each sync would write 2 MiB
  /// for what is in one page of them.
  @Test func burstsOfSlowTrafficBringPagesOneByOne() throws {
    #expect(try picturesUntilBulk(40, interval: 100 * Self.millisecond) == nil)
  }

  @Test func fastTrafficBringsPagesInBulk() throws {
    let count = try picturesUntilBulk(60, interval: 20 * Self.millisecond)
    #expect(count == 31)
  }

  /// The keeper may have been held up by the disk.
  @Test func whatCameInManySecondsIsNotTakenForOne() throws {
    let count = try picturesUntilBulk(
      50, interval: 100 * Self.millisecond, lookingEvery: 5 * Self.second)
    #expect(count == nil)
  }

  /// Twenty segments are filled between any two looks.
  @Test func theRateIsSeenOverSmallSegments() throws {
    var readAhead = PageReadAhead(now: 0)
    var last: SegmentWriter?
    for look in 0..<100 as Range<Int64> {
      let segment = try segment(UInt64(look) * 20, size: 64 << 10)
      try readAhead.advance(segment, next: nil, now: look * 20 * Self.millisecond)
      last = segment
    }
    #expect(readAhead.intervalNanoseconds == 5 * Self.millisecond)
    #expect(last?.bringsInBulk == true)
  }

  /// The pages that were brought for the one behind the active segment are no other one's.
  @Test func aSegmentThatWasNotTheNextOneHasNoPagesYet() throws {
    let disk = try SimulatedDisk(root: directory.path, seed: 1)
    let segments = try (0..<3 as Range<UInt64>).map { number in
      try SegmentWriter(
        directory: disk.root, number: number, size: 64 << 10, files: FileSystem(disk))
    }
    for segment in segments { segment.start(captureID: 1, firstSequence: 0) }
    var readAhead = PageReadAhead(now: 0)
    try readAhead.advance(segments[0], next: segments[1], now: 5 * Self.millisecond)
    append(50_000, to: segments[0])
    try readAhead.advance(segments[0], next: segments[1], now: 10 * Self.millisecond)
    disk.pagelessName = CapturePath.segmentName(2)
    #expect(throws: StoreError.self) {
      try readAhead.advance(segments[2], next: nil, now: 15 * Self.millisecond)
    }
    let lacksPages = segments[2].lacksPages.load(ordering: .relaxed)
    #expect(lacksPages)
  }
}
