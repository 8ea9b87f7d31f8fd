import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// Each file operation fails in turn: nothing that was accepted is lost, nothing is passed over in
/// silence, and nothing is called durable that may not be.
@Suite struct FailingCallsTests {
  static let codes = [ENOSPC, EDQUOT, EIO, EINTR, EOPNOTSUPP]

  /// A directory on a simulated disk, with a capture in it if the workload made one.
  private struct Scene {
    let directory: TemporaryDirectory
    let disk: SimulatedDisk
    var path: String { "\(disk.root)/c" }
    var files: FileSystem { FileSystem(disk) }

    init() throws {
      directory = try TemporaryDirectory()
      let root = directory.file("disk")
      try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
      disk = try SimulatedDisk(root: root, seed: 1)
    }
  }

  /// What a workload was told.
  private struct Told {
    var accepted: [TestMessage] = []
    var errors: [StoreError] = []
    var notices: [StorageNotice] = []
    var isMade = false
    var durable: RecordPlace?

    var isAnythingTold: Bool { !errors.isEmpty || !notices.isEmpty }
  }

  private static let messages: [TestMessage] = (0..<40).map { number in
    let size = number == 25 ? 150_000 : 3_000 + number
    return TestMessage(
      time: Int64(number), [[UInt8](repeating: UInt8(number), count: size), [7]])
  }

  /// Records several segments and one message larger than that, with syncs and checkpoints, to
  /// the end. What is refused is passed over, as a recorder that goes on would.
  private static func record(
    _ scene: Scene, _ schedule: KeeperSchedule, beforeFinish: () -> Void = {}
  ) -> Told {
    var told = Told()
    do throws(StoreError) {
      let writer = try CaptureWriter(
        creating: scene.path, manifest: .test(), segmentSize: 64 << 10, sync: .standard,
        freeSpaceMin: .bytes(1), schedule: schedule, files: scene.files)
      told.isMade = true
      for (number, message) in messages.enumerated() {
        do throws(StoreError) {
          try writer.append(message)
          told.accepted.append(message)
        } catch {
          told.errors.append(error)
        }
        if schedule == .stepped {
          if number % 5 == 1 { _ = writer.stepAhead() }
          if number % 3 == 0 { writer.stepBehind() }
        }
        do throws(StoreError) {
          told.notices += try writer.tend()
        } catch {
          told.errors.append(error)
        }
      }
      beforeFinish()
      defer { told.durable = writer.durable }
      try writer.finish()
    } catch {
      told.errors.append(error)
    }
    return told
  }

  /// What must hold of the capture, whatever failed.
  private static func check(_ scene: Scene, _ told: Told, _ what: Comment) throws {
    scene.disk.fail(nil)
    guard told.isMade else {
      #expect(told.isAnythingTold, what)
      let left = try FileManager.default.contentsOfDirectory(atPath: scene.disk.root)
      #expect(left == [], what)
      return
    }
    let capture = try Capture(path: scene.path)
    let walk = try CaptureWalk(unused: capture)
    #expect(walk.inOrder == told.accepted && walk.isClean, what)
    var isSealed = true
    for file in try capture.segmentFiles() {
      if let segment = try capture.openSegment(file.path) {
        isSealed = isSealed && segment.isSealed
      } else {
        isSealed = false
      }
    }
    #expect(isSealed || told.isAnythingTold, what)

    // What was told to be durable survives the power, and no checkpoint says more than that.
    let found = scene.directory.file("found")
    try FileManager.default.createDirectory(atPath: found, withIntermediateDirectories: false)
    try scene.disk.losePower(into: found)
    let durable = Int(told.durable?.sequence ?? 0)
    let after = try CaptureWalk(unused: Capture(path: "\(found)/c"))
    #expect((0..<durable).allSatisfy { after.messages[UInt64($0)] == told.accepted[$0] }, what)
    for place in try checkpoints(capture) {
      #expect(place.sequence <= durable, what)
    }
    if !told.isAnythingTold { #expect(durable == told.accepted.count, what) }

    _ = try Recovery.recover(capture)
    #expect(try CaptureWalk(unused: capture).inOrder == told.accepted, what)
  }

  private static func checkpoints(_ capture: Capture) throws -> [RecordPlace] {
    var cursor = CaptureCursor(capture, verifying: .body)
    var places: [RecordPlace] = []
    while let record = CaptureWalk.record(cursor.next()) {
      if let checkpoint = Checkpoint(record, in: cursor.segment!) {
        places.append(checkpoint.place)
      }
    }
    return places
  }

  @Test(arguments: codes, [false, true])
  func recordingSurvivesTheFailureOfAnyCall(code: CInt, persists: Bool) throws {
    var call = 1
    var failed = 0
    while true {
      let scene = try Scene()
      scene.disk.fail(.init(call: call, with: code, persists: persists))
      let told = Self.record(scene, .stepped)
      let failure = scene.disk.failedCalls.first
      let what: Comment = "call \(call), \(failure.map { "\($0)" } ?? "none"), errno \(code)"
      try Self.check(scene, told, what)
      guard let failure else { break }
      // Closing and unmapping are harmless; what is interrupted is done again.
      let isHarmless =
        [.close, .munmap, .madvise].contains(failure) || code == EINTR
        || code == EOPNOTSUPP && failure == .fallocate
      if !persists && isHarmless && !(code == EINTR && failure == .mmap) {
        #expect(!told.isAnythingTold, "\(what): \(told.errors) \(told.notices)")
      }
      if !isHarmless { #expect(told.isAnythingTold, what) }
      failed += 1
      call += 1
    }
    #expect(failed > 100)
  }

  @Test(arguments: [ENOSPC, EIO], [1, 2, 3, 5, 8, 13])
  func threadsSurviveIt(code: CInt, call: Int) throws {
    let kinds: [SimulatedDisk.Call] = [.fsync, .msync, .fallocate, .open, .ftruncate, .mmap]
    for kind in kinds {
      let scene = try Scene()
      scene.disk.fail(.init(call: call, of: kind, with: code, persists: call % 2 == 0))
      let told = Self.record(scene, .threads)
      let what: Comment = "\(kind) \(call), errno \(code)"
      try Self.check(scene, told, what)
    }
  }

  // MARK: - Recovering and reading

  /// A capture that was left open, with lost pages between its messages and a torn end. Returns
  /// what of the messages is there.
  private static func leaveUnclean(_ scene: Scene) throws -> CaptureWalk {
    var writer: CaptureWriter? = try CaptureWriter(
      creating: scene.path, manifest: .test(), segmentSize: 64 << 10, sync: .standard,
      schedule: .stepped, files: scene.files)
    for message in messages.prefix(22) { try writer!.append(message) }
    _ = writer!.stepAhead()
    writer = nil
    let file = try FileHandle(
      forUpdating: URL(filePath: CapturePath.segment(scene.path, 0)))
    try file.seek(toOffset: 20_000)
    try file.write(contentsOf: [UInt8](repeating: 0, count: 8_192))
    try file.close()
    let last = try FileHandle(forUpdating: URL(filePath: CapturePath.segment(scene.path, 1)))
    try last.seek(toOffset: 30_000)
    try last.write(contentsOf: [1, 2, 3])
    try last.close()
    let walk = try CaptureWalk(unused: Capture(path: scene.path))
    #expect(walk.order.count > 16 && !walk.missing.isEmpty && !walk.damages.isEmpty)
    return walk
  }

  @Test(arguments: [ENOSPC, EIO, EINTR])
  func recoverySurvivesTheFailureOfAnyCall(code: CInt) throws {
    for call in 1... {
      let scene = try Scene()
      let before = try Self.leaveUnclean(scene)
      let callsBefore = scene.disk.callCount
      scene.disk.fail(.init(call: callsBefore + call, with: code))
      var error: StoreError?
      do throws(StoreError) {
        _ = try Recovery.recover(Capture(path: scene.path, files: scene.files))
      } catch let caught {
        error = caught
      }
      let failure = scene.disk.failedCalls.first
      let what: Comment = "call \(call), \(failure.map { "\($0)" } ?? "none"), errno \(code)"
      let isHarmless = [nil, .close, .munmap, .madvise].contains(failure) || code == EINTR
      if isHarmless && failure != .mmap { #expect(error == nil, what) }

      scene.disk.fail(nil)
      for round in ["then", "recovered", "recovered twice"] {
        let walk = try CaptureWalk(unused: Capture(path: scene.path))
        #expect(walk.order == before.order && walk.messages == before.messages, "\(round) \(what)")
        #expect(walk.missing == before.missing, "\(round) \(what)")
        let tree = try fileTree(scene.path)
        let recovery = try Recovery.recover(Capture(path: scene.path, files: scene.files))
        // Either it was told that something kept it from its end, or it had come there.
        if round != "then" || error == nil {
          #expect(!recovery.isNeeded, "\(round) \(what)")
          #expect(try fileTree(scene.path) == tree, "\(round) \(what)")
        }
      }
      if failure == nil { return }
    }
  }

  @Test(arguments: [EIO, EINTR])
  func readingTellsTheFailureOfAnyCall(code: CInt) throws {
    let scene = try Scene()
    let whole = try Self.leaveUnclean(scene)
    for call in 1... {
      let callsBefore = scene.disk.callCount
      let failuresBefore = scene.disk.failedCalls.count
      scene.disk.fail(.init(call: callsBefore + call, with: code))
      let what: Comment = "call \(call), errno \(code)"
      do throws(StoreError) {
        let walk = CaptureWalk(try Capture(path: scene.path, files: scene.files))
        let isTold = !walk.unreadable.isEmpty || !Set(walk.damages).isSubset(of: whole.damages)
        let isWhole = walk.order == whole.order && walk.messages == whole.messages
        #expect(isWhole || isTold, what)
        #expect(walk.messages.allSatisfy { whole.messages[$0.key] == $0.value }, what)
        if code == EINTR { #expect(isWhole || !walk.unreadable.isEmpty, what) }
      } catch {
        #expect(code != EINTR, "\(what): \(error)")
      }
      if scene.disk.failedCalls.count == failuresBefore { return }
    }
  }
}
