import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// The power goes at any moment, and what was promised is there.
///
/// `ZCAP_POWER_LOSS_SEEDS` says how many seeds are tried, `ZCAP_TEST_SEED` which is the first.
@Suite struct PowerLossTests {
  @Test(arguments: PowerLossSeeds.groups(500))
  func whatWasPromisedIsThereAndTheRestIsTold(seeds: Range<UInt64>) throws {
    for seed in seeds {
      let faults = try Self.faults(seed)
      #expect(faults == [], "run it again with ZCAP_POWER_LOSS_SEEDS=1 ZCAP_TEST_SEED=\(seed)")
    }
  }

  /// Everything that is wrong with what one seed leads to.
  private static func faults(_ seed: UInt64) throws -> [String] {
    let run = try PowerLossRun(seed: seed)
    var faults: [String] = []
    for round in 0..<run.random.int(1...3) {
      try run.record()
      guard let before = try walk(run, &faults) else { return faults }
      faults += before.faults.map { "round \(round), found: \($0)" }
      if round == 0 { faults += try damagedBeforeFooters(run.capture) }
      for _ in 0..<run.random.int(0...2) {
        try run.recover(isInterrupted: true)
        let meanwhile = try PowerLossOracle(run)
        faults += meanwhile.faults.map { "round \(round), recovery interrupted: \($0)" }
        faults += meanwhile.differences(from: before, "recovery interrupted")
      }
      try run.recover(isInterrupted: false)
      let after = try PowerLossOracle(run)
      faults += after.faults.map { "round \(round), recovered: \($0)" }
      faults += after.differences(from: before, "recovered")
      let once = try fileTree(run.capture)
      try run.recover(isInterrupted: false)
      if try fileTree(run.capture) != once { faults.append("recovering twice is not once") }
      faults += try unsealed(run.capture)
      run.goOn(behind: after.walk)
    }
    return faults
  }

  /// nil where there is no capture, and need not be.
  private static func walk(
    _ run: PowerLossRun, _ faults: inout [String]
  ) throws -> PowerLossOracle? {
    do {
      return try PowerLossOracle(run)
    } catch let error as StoreError {
      if run.isMade { faults.append("made, and now: \(error)") }
      return nil
    }
  }

  /// A footer says that everything before it was on stable storage: nothing of that may be gone.
  private static func damagedBeforeFooters(_ path: String) throws -> [String] {
    try Capture(path: path).segmentFiles().compactMap { file in
      guard let segment = try? Segment(path: file.path), segment.isSealed else { return nil }
      var cursor = SegmentCursor(segment, verifying: .body)
      while true {
        switch cursor.next() {
        case .record: continue
        case .damage(let damage): return "sealed and damaged: \(file.number) \(damage)"
        case .end(let isSealed): return isSealed ? nil : "sealed and torn: \(file.number)"
        }
      }
    }
  }

  /// The power goes in front of each call that a seal makes, and behind the last: many times each.
  @Test func aFooterThatIsFoundHasEveryRecordBeforeIt() throws {
    let directory = try TemporaryDirectory()
    var ends = (sealed: 0, unsealed: 0)
    for seed in 0..<120 {
      let path = directory.file("\(seed)")
      try FileManager.default.createDirectory(
        atPath: "\(path)/found", withIntermediateDirectories: true)
      let disk = try SimulatedDisk(root: path, seed: UInt64(seed))
      let writer = try SegmentWriter(
        directory: path, number: 0, size: 64 << 10, files: FileSystem(disk))
      try FileSystem(disk).synchronizeDirectory(path)
      writer.start(captureID: 1, firstSequence: 0)
      for sequence in 0..<12 as Range<UInt64> {
        #expect(
          withFrames([[UInt8](repeating: 7, count: 3_000)]) {
            writer.append(
              .init(kind: .data, sequence: sequence, monotonicNanoseconds: 0), frames: $0)
          })
      }
      var isLost = false
      disk.interrupt(atCall: 1 + seed % 5) {
        isLost = true
        #expect(throws: Never.self) { try disk.losePower(into: "\(path)/found") }
      }
      try writer.seal(nextSequence: 12)
      disk.interruptNoMore()
      if !isLost { try disk.losePower(into: "\(path)/found") }
      switch try Self.end("\(path)/found/\(CapturePath.segmentName(0))") {
      case (true, let messages):
        #expect(messages == 12, "seed \(seed)")
        ends.sealed += 1
      case (false, _):
        #expect(isLost, "seed \(seed)")
        ends.unsealed += 1
      }
    }
    #expect(ends.sealed > 10 && ends.unsealed > 10)
  }

  /// Whether a walk through a segment finds its footer, and how many messages before it.
  private static func end(_ path: String) throws -> (isSealed: Bool, messages: Int) {
    guard let segment = try? Segment(path: path) else { return (false, 0) }
    var cursor = SegmentCursor(segment, verifying: .body)
    var messages = 0
    while true {
      switch cursor.next() {
      case .record(let record): messages += record.kind == .data ? 1 : 0
      case .damage: continue
      // Pages that were not written are zero: the footer may stand behind them.
      case .end(isSealed: false) where cursor.passOverGap() != nil: continue
      case .end(let isSealed): return (isSealed, messages)
      }
    }
  }

  private static func unsealed(_ path: String) throws -> [String] {
    try Capture(path: path).segmentFiles().compactMap { file in
      do throws(StoreError) {
        guard let segment = try Segment(path: file.path) else { return "unused: \(file.number)" }
        // The first page of another file stands there: such a segment is told and left alone.
        guard segment.header.number == file.number else { return nil }
        return segment.isSealed ? nil : "not sealed: \(file.number)"
      } catch {
        return nil
      }
    }
  }
}
