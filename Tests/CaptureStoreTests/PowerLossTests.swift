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
