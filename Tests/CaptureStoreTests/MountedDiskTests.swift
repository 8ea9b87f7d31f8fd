import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// A disk that is really full, and the proof that its reservation is what keeps the store alive.
@Suite(.enabled(if: MountedDisk.isAllowed)) struct MountedDiskTests {
  /// Appends until there is no more room. Returns how many messages were accepted.
  private static func fill(_ root: String, keepsReservations: Bool) throws -> UInt64 {
    let disk = try SimulatedDisk(root: root, seed: 1, keepsReservations: keepsReservations)
    let writer = try CaptureWriter(
      creating: "\(root)/c", manifest: .test(), segmentSize: 4 << 20, sync: .atSeal,
      schedule: .stepped, files: FileSystem(disk))
    let message = TestMessage([[UInt8](repeating: 7, count: 60_000)])
    var failure: StoreError?
    while failure == nil && writer.messageCount < 10_000 {
      do throws(StoreError) { try writer.append(message) } catch { failure = error }
    }
    let error = try #require(failure)
    guard case .system(_, _, ENOSPC) = error else { throw TestFailure("it failed of \(error)") }
    try writer.finish()
    return writer.messageCount
  }

  @Test(arguments: MountedDisk.Kind.allCases)
  func everythingUpToTheEndIsThereAndSealed(kind: MountedDisk.Kind) throws {
    let disk = try MountedDisk(kind)
    let count = try Self.fill(disk.path, keepsReservations: true)
    #expect(count > 800)
    let capture = try Capture(path: "\(disk.path)/c")
    let walk = try CaptureWalk(unused: capture)
    #expect(walk.isClean && walk.order == Array(0..<count))
    for file in try capture.segmentFiles() {
      #expect(try Segment(path: file.path)?.isSealed == true)
    }
  }

  /// The negative control: a size without space is death by a signal.
  @Test(arguments: MountedDisk.Kind.allCases)
  func withoutAReservationTheSystemKillsTheWriter(kind: MountedDisk.Kind) async throws {
    let disk = try MountedDisk(kind)
    await #expect(processExitsWith: .signal(SIGBUS)) { [path = disk.path as String] in
      // The report of a crash would take longer than the test.
      signal(SIGBUS, SIG_DFL)
      _ = try Self.fill(path, keepsReservations: false)
    }
  }
}
