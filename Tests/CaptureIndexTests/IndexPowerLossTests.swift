import CaptureStore
import Foundation
import TestSupport
import Testing

@testable import CaptureIndex

/// What a power loss left of the segments is the truth, and an index says the same each time.
@Suite struct IndexPowerLossTests {
  @Test(arguments: PowerLossSeeds.groups(100))
  func anIndexThatIsMadeAnewSaysWhatTheSegmentsSay(seeds: Range<UInt64>) throws {
    for seed in seeds {
      #expect(
        try Self.faults(seed) == [],
        "run it again with ZCAP_POWER_LOSS_SEEDS=1 ZCAP_TEST_SEED=\(seed)")
    }
  }

  private static func faults(_ seed: UInt64) throws -> [String] {
    let run = try PowerLossRun(seed: seed)
    try run.record()
    guard let found = try? Capture(path: run.capture) else { return [] }
    let before = try IndexContent(IndexReader(found))
    let walk = CaptureWalk(found)
    var faults: [String] = []
    if before.overview.messages != walk.order.count {
      faults.append("\(before.overview.messages) messages of \(walk.order.count)")
    }
    if before.overview.lost != walk.missing.reduce(0, { $0 + $1.count }) {
      faults.append("\(before.overview.lost) lost of \(walk.missing)")
    }
    try run.recover(isInterrupted: false)
    let capture = try Capture(path: run.capture)
    let inMemory = try IndexContent(IndexReader(capture))
    if inMemory.rows != before.rows || inMemory.tags != before.tags
      || inMemory.overview.lost != before.overview.lost
    {
      faults.append("recovery changed what the index says")
    }
    for round in ["once", "twice"] {
      _ = try Indexer.rebuild(capture, rule: .auto)
      let reader = try IndexReader(capture)
      if !reader.isOnDisk { faults.append("made anew \(round), and not complete") }
      if try IndexContent(reader) != inMemory {
        faults.append("made anew \(round), it says something else than the one in memory")
      }
    }
    return faults
  }
}
