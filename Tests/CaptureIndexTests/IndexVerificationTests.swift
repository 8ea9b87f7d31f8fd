import Foundation
import GRDB
import TestSupport
import Testing

@testable import CaptureIndex
@testable import CaptureStore

/// The index held against the segments that it was made from.
@Suite struct IndexVerificationTests {
  private let directory: TemporaryDirectory
  private let capture: Capture

  init() throws {
    directory = try TemporaryDirectory()
    capture = try Capture.recorded(
      directory.file("c"),
      (0..<3_000).map { number in
        TestMessage(
          time: Int64(number) * 1_000_000, "topic/\(number % 7)",
          number % 3 == 0 ? #"{"n": \#(number)}"# : "value \(number)")
      })
  }

  private func rebuild() throws { _ = try Indexer.rebuild(capture, rule: .auto) }

  private func change(_ sql: String) throws {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    let queue = try DatabaseQueue(
      path: CapturePath.index(capture.path), configuration: configuration)
    try queue.write { try $0.execute(sql: sql) }
    try queue.close()
  }

  @Test func anIndexThatWasJustMadeIsTheSame() throws {
    #expect(try IndexVerification.verify(capture) == .missing)
    try rebuild()
    #expect(try IndexVerification.verify(capture) == .ok)
  }

  @Test func theRuleThatItWasMadeByIsTheOneItIsHeldAgainst() throws {
    let rule = try #require(TopicRule("prefix:3") as TopicRule?)
    _ = try Indexer.rebuild(capture, rule: rule)
    #expect(try IndexVerification.verify(capture) == .ok)
  }

  @Test func anIndexOfAnotherVersionIsMissingAndNotWrong() throws {
    try rebuild()
    try change("PRAGMA user_version = 0")
    #expect(try IndexVerification.verify(capture) == .missing)
  }

  @Test(arguments: [
    "UPDATE block SET end_offset = end_offset + 8 WHERE id = (SELECT max(id) FROM block)",
    "DELETE FROM block WHERE id = (SELECT min(id) FROM block)",
    "INSERT INTO missing VALUES (5, 1, 1, 0, 4096, NULL)",
    "UPDATE summary SET messages = messages + 1",
    "UPDATE topic SET name = x'00' WHERE id = 3", "UPDATE codec SET tag = 'x' WHERE id = 0",
    "UPDATE progress SET missing = 1", "UPDATE progress SET offset = 4104",
    "UPDATE progress SET capture = 'x'", "DELETE FROM progress", "DROP TABLE era",
    "CREATE TABLE more (id INTEGER PRIMARY KEY)", "ALTER TABLE block ADD COLUMN more INTEGER",
  ])
  func anyChangeIsTold(sql: String) throws {
    try rebuild()
    try change(sql)
    guard case .differs(let differences) = try IndexVerification.verify(capture) else {
      Issue.record("\(sql) is not told")
      return
    }
    #expect(differences.count == 1, "\(differences)")
  }

  @Test func whatIsNoDatabaseDiffers() throws {
    try Data("no database, but a text".utf8).write(
      to: URL(filePath: CapturePath.index(capture.path)))
    guard case .differs = try IndexVerification.verify(capture) else {
      Issue.record("not told")
      return
    }
  }

  @Test func anIndexThatStoppedEarlyIsBehindAndNotWrong() throws {
    // What an indexer stored that was killed in the middle.
    let index = try IndexDatabase.create(CapturePath.index(capture.path))
    var walk = IndexWalk(capture, rule: .auto, verifying: .header)
    _ = try walk.advance(steps: 1_234)
    try index.store(&walk)
    try index.close()
    #expect(try IndexVerification.verify(capture) == .behind)
  }

  /// A gap that is longer than any stride: the walk must not pass the place behind it.
  @Test(arguments: -2...2)
  func anIndexThatStoppedAtALongGapIsBehindAndNotWrong(steps: Int) throws {
    for number: UInt64 in 1...2 {
      try FileManager.default.removeItem(atPath: CapturePath.segment(capture.path, number))
    }
    var walk = IndexWalk(capture, rule: .auto, verifying: .header)
    var stepsToGap = 0
    while walk.ledger.totals.missing == 0 {
      stepsToGap += 1
      _ = try walk.advance(steps: 1)
    }
    #expect(walk.ledger.totals.missing > 1_000)

    let index = try IndexDatabase.create(CapturePath.index(capture.path))
    var stopped = IndexWalk(capture, rule: .auto, verifying: .header)
    _ = try stopped.advance(steps: stepsToGap + steps)
    try index.store(&stopped)
    try index.close()
    #expect(try IndexVerification.verify(capture) == .behind)
  }

  @Test func theIndexOfACaptureThatIsBeingRecordedIsRightAsFarAsItGoes() throws {
    let writer = try CaptureWriter(
      creating: directory.file("live"), manifest: .test(), segmentSize: 65_536)
    let live = try Capture(path: directory.file("live"))
    let indexer = try Indexer(creating: live, rule: .auto, verifying: .header)
    for number in 0..<500 { try writer.append(TestMessage(time: Int64(number), "\(number % 5)")) }
    while try indexer.advance() == .behind {}
    #expect(try IndexVerification.verify(live) == .ok)
    for number in 0..<500 { try writer.append(TestMessage(time: Int64(number), "\(number % 5)")) }
    #expect(try IndexVerification.verify(live) == .behind)
    try writer.finish()
    writer.unlock()
    while try indexer.advance() != .final {}
    try indexer.close()
    #expect(try IndexVerification.verify(live) == .ok)
  }

  @Test func anIndexOfMessagesThatAreGoneDiffers() throws {
    try rebuild()
    let path = CapturePath.segment(capture.path, 1)
    try FileManager.default.removeItem(atPath: path)
    guard case .differs = try IndexVerification.verify(capture) else {
      Issue.record("not told")
      return
    }
  }
}
