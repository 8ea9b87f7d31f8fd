import Foundation
import TestSupport
import Testing

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
    keeper.pin(PinRequest(path: pin, before: 0, after: 3_600_000_000_000, labels: [:]))
    while keeper.stepAhead() {}
    let begins = try Capture(path: pin).manifest.begins
    #expect(begins == Manifest.Beginning(segment: 1, sequence: 5))
    try keeper.finish(nextSequence: 5)
  }
}
