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
      let faults = try Self.faults(seed)
      #expect(
        faults == [],
        "run it again with ZCAP_POWER_LOSS_SEEDS=1 ZCAP_TEST_SEED=\(seed)")
    }
  }

  private static func faults(_ seed: UInt64) throws -> [String] {
    let live = LiveIndex()
    let run = try PowerLossRun(seed: seed) { try live.advance($0) }
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

    // The worst case: every page of the index had reached the disk.
    try live.copy(to: run.capture)
    let ahead = try IndexContent(IndexReader(found))
    if ahead.rows != before.rows || ahead.tags != before.tags
      || ahead.overview.messages != before.overview.messages
      || ahead.overview.lost < before.overview.lost
    {
      faults.append("an index that is ahead of the segments is believed")
    }

    try run.recover(isInterrupted: false)
    let capture = try Capture(path: run.capture)
    let recovered = try IndexContent(IndexReader(capture))
    if recovered.rows != before.rows || recovered.tags != before.tags
      || recovered.overview.lost < before.overview.lost
    {
      faults.append("recovery changed what the index says")
    }
    try? FileManager.default.removeItem(atPath: CapturePath.index(run.capture))
    let inMemory = try IndexContent(IndexReader(capture))
    if inMemory.rows != before.rows || inMemory.tags != before.tags
      || inMemory.overview.lost != before.overview.lost
    {
      faults.append("recovery changed what the segments say")
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

/// An index that is kept up with a recording, as the recorder's own.
private final class LiveIndex {
  private var indexer: Indexer?
  private var path = ""

  func advance(_ path: String) throws {
    if indexer == nil {
      indexer = try Indexer(creating: Capture(path: path), rule: .auto, verifying: .header)
      self.path = path
    }
    while try indexer!.advance() == .behind {}
  }

  func copy(to capture: String) throws {
    guard let indexer else { return }
    try indexer.close()
    self.indexer = nil
    try FileManager.default.copyItem(
      atPath: CapturePath.index(path), toPath: CapturePath.index(capture))
  }
}
