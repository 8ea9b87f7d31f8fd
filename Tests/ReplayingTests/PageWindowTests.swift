import TestSupport
import Testing

@testable import CaptureStore
@testable import Replaying

/// What a reading thread asks the system for ahead of it.
@Suite struct PageWindowTests {
  private static let request = 128 << 10
  private let directory: TemporaryDirectory
  private let disk: SimulatedDisk

  init() throws {
    directory = try TemporaryDirectory()
    disk = try SimulatedDisk(root: directory.path, seed: 1)
  }

  private func segment(_ count: Int) throws -> Segment {
    let files = FileSystem(disk)
    let writer = try CaptureWriter(
      creating: directory.file("c"), manifest: .test(), segmentSize: 4 << 20, sync: .atSeal,
      schedule: .stepped, files: files)
    let payload = [UInt8](repeating: 7, count: 60_000)
    for _ in 0..<count { try writer.append(TestMessage([payload])) }
    try writer.finish()
    writer.unlock()
    return try #require(
      try Segment(path: CapturePath.segment(directory.file("c"), 0), files: files))
  }

  /// The system takes no larger request whole, and one that was made is not made again.
  @Test func pagesAreAskedForOnceInSmallRequests() throws {
    let segment = try segment(50)
    var cursor = SegmentCursor(segment, verifying: .header)
    var window = PageWindow()
    let before = disk.calls(of: .madvise)
    while case .record(let record) = cursor.next() { window.pass(record, of: segment) }
    let requests = disk.calls(of: .madvise) - before
    #expect(requests == (segment.size + Self.request - 1) / Self.request)
  }
}
