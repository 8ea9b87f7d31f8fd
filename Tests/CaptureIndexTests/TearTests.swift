import CaptureStore
import Foundation
import TestSupport
import Testing

@testable import CaptureIndex

/// Bytes that hold no record: corruption where they had been safe, else the tear of a recorder
/// that ended without warning.
@Suite struct TearTests {
  private let directory: TemporaryDirectory
  private let path: String
  private let capture: Capture

  /// Twenty messages, of which ten are known to be on stable storage; nobody records any more.
  init() throws {
    directory = try TemporaryDirectory()
    path = directory.file("c")
    let live = directory.file("live")
    let writer = try CaptureWriter(
      creating: live, manifest: .test(), segmentSize: CaptureWriter.segmentSizes.lowerBound,
      sync: .standard, schedule: .stepped, files: .system)
    for number in 0..<10 { try writer.append(TestMessage("topic", "payload \(number)")) }
    writer.stepBehind()
    _ = try writer.tend()
    for number in 10..<20 { try writer.append(TestMessage("topic", "payload \(number)")) }
    try copyTree(live, to: path)
    capture = try Capture(path: path)
    while writer.stepAhead() {}
    try writer.finish()
  }

  private var segment: URL { URL(filePath: CapturePath.segment(path, 0)) }

  /// Where a message lies in the first segment.
  private func record(_ sequence: UInt64) throws -> RecordHeader {
    var cursor = CaptureCursor(capture, verifying: .header)
    while let record = CaptureWalk.record(cursor.next()) {
      if record.kind == .data && record.sequence == sequence { return record }
    }
    throw TestFailure("no message \(sequence)")
  }

  private func spoil(_ offset: Int) throws {
    var bytes = try Data(contentsOf: segment)
    bytes[offset] ^= 0x40
    try bytes.write(to: segment)
  }

  private func overview() throws -> IndexReader.Overview {
    let overview = try IndexReader(Capture(path: path)).overview()
    let rebuilt = directory.file("rebuilt")
    try FileManager.default.copyItem(atPath: path, toPath: rebuilt)
    _ = try Indexer.rebuild(Capture(path: rebuilt), rule: .auto)
    #expect(try IndexReader(Capture(path: rebuilt)).overview() == overview)
    try FileManager.default.removeItem(atPath: rebuilt)
    return overview
  }

  private func events() throws -> [String] {
    try IndexReader(Capture(path: path)).ledger(Selection()).map(\.event)
  }

  @Test func whatWasSafeIsCorruptNow() throws {
    let record = try record(5)
    try spoil(record.end - 1)
    let overview = try overview()
    #expect(overview.damagedBytes == Int64(record.length) && overview.tornBytes == 0)
    #expect(overview.lost == 1)
    #expect(try events() == ["corruption", "missing"])
    #expect(try !IndexReader(capture).completeness().isComplete)
  }

  @Test func whatWasOnItsWayIsTorn() throws {
    let record = try record(15)
    try spoil(record.end - 1)
    let overview = try overview()
    #expect(overview.damagedBytes == 0 && overview.tornBytes == Int64(record.length))
    #expect(overview.lost == 1, "its header says that it was a message")
    #expect(try events() == ["torn", "missing"])
  }

  @Test func aTornTailIsNoLoss() throws {
    let end = try record(19).end
    try spoil(end + 16)
    let overview = try overview()
    #expect(overview.damagedBytes == 0 && overview.tornBytes == 24 && overview.lost == 0)
    let completeness = try IndexReader(capture).completeness()
    #expect(completeness.isComplete && completeness.tornBytes == 24)
    #expect(try events() == ["torn"])
  }

  @Test func afterRecoveryATearIsStillNone() throws {
    let tear = try record(15)
    try spoil(tear.end - 1)
    try spoil(record(19).end + 16)
    _ = try Recovery.recover(capture)
    var found = try overview()
    #expect(found.damagedBytes == 0 && found.tornBytes == Int64(tear.length) && found.lost == 1)
    #expect(try events() == ["torn", "missing", "recovered"])
    #expect(try IndexReader(capture).state == .sealed)
    // What goes bad from here on had been safe.
    let later = try record(12)
    try spoil(later.end - 1)
    found = try overview()
    #expect(found.tornBytes == 0 && found.lost == 2)
    #expect(found.damagedBytes == Int64(tear.length + later.length))
  }

  @Test func whatOnlyTheIndexKnewMakesNoTearOfIt() throws {
    let tear = try record(15)
    try spoil(tear.end - 1)
    let known = RecordPlace(segment: 0, offset: 60_000, sequence: 30)
    #expect(try Recovery.recover(capture, known: known).messagesMissing == 11)
    let found = try overview()
    #expect(found.damagedBytes == 0 && found.tornBytes == Int64(tear.length) && found.lost == 11)
  }

  @Test func aSealedSegmentHasNoTears() throws {
    let sealed = try Capture.recorded(
      directory.file("sealed"), (0..<20).map { TestMessage("topic", "payload \($0)") })
    var bytes = try Data(contentsOf: URL(filePath: CapturePath.segment(sealed.path, 0)))
    bytes[bytes.count - 100] ^= 1
    try bytes.write(to: URL(filePath: CapturePath.segment(sealed.path, 0)))
    let overview = try IndexReader(sealed).overview()
    #expect(overview.damagedBytes > 0 && overview.tornBytes == 0)
  }

  @Test func aSegmentThatIsCutIsToldWhereverItIsCut() throws {
    for end in [try record(3).offset, try record(17).offset, try record(3).offset + 8] {
      let cut = directory.file("cut")
      try FileManager.default.copyItem(atPath: path, toPath: cut)
      #expect(truncate(CapturePath.segment(cut, 0), off_t(end)) == 0)
      let completeness = try IndexReader(Capture(path: cut)).completeness()
      #expect(completeness.segmentsCut == 1 && !completeness.isComplete)
      try FileManager.default.removeItem(atPath: cut)
    }
    #expect(try IndexReader(capture).completeness().segmentsCut == 0)
  }
}
