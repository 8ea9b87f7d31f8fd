import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// A capture whose writer went without a word, and what recovery makes of it.
@Suite struct RecoveryTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.file("c")
  }

  /// Appends messages and leaves the capture without an end. Returns what is durable of it.
  @discardableResult
  private func abandon(
    _ messages: [TestMessage], segmentSize: Int = 64 << 10,
    _ body: (CaptureWriter) throws -> Void = { _ in }
  ) throws -> RecordPlace? {
    let writer = try CaptureWriter(
      creating: path, manifest: .test(), segmentSize: segmentSize, sync: .standard,
      schedule: .stepped, files: .system)
    for message in messages { try writer.append(message) }
    try body(writer)
    return writer.durable
  }

  private static let messages = (0..<200).map {
    TestMessage(
      time: Int64($0), ["t", String(repeating: "x", count: $0 * 7 % 900)].map { Array($0.utf8) })
  }

  private func recover() throws -> Recovery { try Recovery.recover(Capture(path: path)) }

  private func walk() throws -> CaptureWalk { CaptureWalk(try Capture(path: path)) }

  /// Every file of the capture and what is in it.
  private func tree() throws -> [String: Data] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: path)
    return Dictionary(
      uniqueKeysWithValues: names.compactMap { name in
        FileManager.default.contents(atPath: "\(path)/\(name)").map { (name, $0) }
      })
  }

  private func events() throws -> [StoredEvent] {
    let capture = try Capture(path: path)
    var cursor = CaptureCursor(capture, verifying: .body)
    var events: [StoredEvent] = []
    while true {
      switch cursor.next() {
      case .record(let record):
        if let event = StoredEvent(record, in: cursor.segment!) { events.append(event) }
      case .caughtUp: return events
      default: continue
      }
    }
  }

  private func overwrite(_ number: UInt64, at offset: Int, with bytes: [UInt8]) throws {
    let file = try FileHandle(forUpdating: URL(filePath: CapturePath.segment(path, number)))
    try file.seek(toOffset: UInt64(offset))
    try file.write(contentsOf: bytes)
    try file.close()
  }

  @Test func whatWasCommittedIsThereAndSealed() throws {
    try abandon(Self.messages)
    #expect(try walk().inOrder == Self.messages, "also before")
    let recovery = try recover()
    #expect(recovery.endings.count == 2 && recovery.endings.allSatisfy { $0.isClean })
    #expect(recovery.filesRemoved == 0)
    let walk = try walk()
    #expect(walk.inOrder == Self.messages && walk.isClean)
    for file in try Capture(path: path).segmentFiles() {
      #expect(try Segment(path: file.path)?.isSealed == true)
    }
    #expect(try events().map(\.kind) == ["recovered", "recovered"])
  }

  @Test func twiceIsOnce() throws {
    try abandon(Self.messages) { _ = $0.stepAhead() }
    try overwrite(1, at: 50_000, with: [1, 2, 3])
    #expect(try recover().isNeeded)
    let once = try tree()
    #expect(try !recover().isNeeded)
    #expect(try tree() == once)
  }

  @Test func aWholeCaptureStaysAsItIs() throws {
    _ = try Capture.recorded(path, Self.messages)
    let before = try tree()
    #expect(try !recover().isNeeded)
    #expect(try tree() == before)
  }

  @Test func tornBytesAreKeptAside() throws {
    try abandon([TestMessage("a"), TestMessage("b")])
    let end = 4096 + 2 * (32 + 8 + 8)
    try overwrite(0, at: end + 16, with: [7, 8, 9])
    #expect(try walk().damages == [Damage(reason: .torn, range: end..<end + 24)])
    let ending = try #require(try recover().endings.first)
    #expect(ending.offset == end && ending.tornBytes == 19)
    let torn = try Data(contentsOf: URL(filePath: CapturePath.segment(path, 0) + ".torn"))
    #expect(Array(torn) == [UInt8](repeating: 0, count: 16) + [7, 8, 9])
    #expect(try walk().isClean)
  }

  @Test func recordsBehindLostPagesAreFoundAndTheRestIsTold() throws {
    try abandon(Self.messages)
    var cursor = SegmentCursor(
      try #require(try Segment(path: CapturePath.segment(path, 0))), verifying: .body)
    var places: [RecordHeader] = []
    while case .record(let record) = cursor.next() { places.append(record) }
    // A page with messages 20 to 30 was never written.
    let lost = places[20].offset..<places[30].end
    try overwrite(0, at: lost.lowerBound, with: [UInt8](repeating: 0, count: lost.count))
    let before = try walk()
    #expect(before.damages == [Damage(reason: .header, range: lost)])
    #expect(before.missing == [20..<31])
    let recovery = try recover()
    #expect(recovery.endings.first?.damagedBytes == lost.count)
    #expect(recovery.endings.first?.messagesMissing == 11)
    let after = try walk()
    #expect(after.order == before.order && after.missing == before.missing)
  }

  @Test func theSequenceOfADamagedLastMessageIsNotGivenAgain() throws {
    try abandon([TestMessage("a"), TestMessage("bbbbbbbb")])
    try overwrite(0, at: 4096 + 48 + 40, with: [0xFF])
    #expect(try walk().missing == [1..<2])
    #expect(try recover().nextSequence == 2)
    #expect(try walk().missing == [1..<2])
    let writer = try CaptureWriter(
      appendingTo: path, endpoints: [], segmentSize: 64 << 10)
    try writer.append(TestMessage("c"))
    try writer.finish()
    let walk = try walk()
    #expect(walk.order == [0, 2] && walk.missing == [1..<2])
  }

  @Test func aReaderBehindADamagedLastMessageIsNotCutOff() throws {
    try abandon([TestMessage("a"), TestMessage([[UInt8](repeating: 7, count: 20_000)])])
    let path = CapturePath.segment(path, 0)
    var reader = SegmentCursor(try #require(try Segment(path: path)), verifying: .header)
    while case .record = reader.next() {}
    try overwrite(0, at: 10_000, with: [0xFF])
    let ending = try #require(try recover().endings.first)
    #expect(ending.offset == reader.offset && ending.messagesMissing == 1)
    #expect(ending.tornBytes == 0 && ending.damagedBytes == reader.offset - (4096 + 48))
    #expect(reader.next() == .end(isSealed: true), "it finds the footer where it stands")
  }

  // MARK: - What is not in the segments any more

  @Test func whatAnIndexKnewIsMissedAndItsSequencesAreNotGivenAgain() throws {
    _ = try Capture.recorded(path, Self.messages, segmentSize: 64 << 10)
    let last = try #require(try Capture(path: path).segmentFiles().last)
    #expect(last.number == 1)
    try FileManager.default.removeItem(atPath: last.path)
    let left = try walk().order
    let known = RecordPlace(segment: 1, offset: last.size, sequence: 200)
    let writer = try CaptureWriter(
      appendingTo: path, endpoints: [], known: known, segmentSize: 64 << 10)
    #expect(writer.recovery?.messagesMissing == UInt64(200 - left.count))
    try writer.append(TestMessage("more"))
    try writer.finish()
    writer.unlock()
    let walk = try walk()
    #expect(walk.order == left + [200] && walk.missing == [UInt64(left.count)..<200])
    #expect(try Capture(path: path).segmentFiles().map(\.number) == [0, 2, 3])
  }

  @Test(arguments: [
    RecordPlace(segment: .max, offset: .max, sequence: 1000),
    RecordPlace(segment: 0, offset: 5000, sequence: .max),
    RecordPlace(segment: 1 << 60, offset: 4096, sequence: 1 << 60),
  ])
  func whatNoIndexOfOursSaysIsNotBelieved(known: RecordPlace) throws {
    try abandon([TestMessage("a")])
    #expect(try Recovery.recover(Capture(path: path), known: known).messagesMissing == 0)
    #expect(try walk().missing.isEmpty)
  }

  @Test func whatAnIndexKnewIsWrittenDown() throws {
    _ = try Capture.recorded(path, Self.messages, segmentSize: 64 << 10)
    try FileManager.default.removeItem(atPath: CapturePath.segments(path))
    let known = RecordPlace(segment: 2, offset: 4096, sequence: 200)
    let recovery = try Recovery.recover(Capture(path: path), known: known)
    #expect(recovery.isNeeded && recovery.messagesMissing == 200)
    #expect(try walk().missing == [0..<200])
    #expect(try events().map { $0.number("lost") } == [200])
    #expect(try !Recovery.recover(Capture(path: path), known: known).isNeeded)
  }

  @Test func whatAnIndexKnewOfATornCaptureIsMissedAfterItIsGone() throws {
    try abandon([TestMessage("a"), TestMessage("b")])
    let index = CapturePath.index(path)
    try Data("an index".utf8).write(to: URL(filePath: index))
    let known = RecordPlace(segment: 0, offset: 5000, sequence: 7)
    try overwrite(0, at: 4096 + 48, with: [0xFF, 0xFF])
    #expect(try Recovery.recover(Capture(path: path), known: known).messagesMissing == 6)
    #expect(!FileManager.default.fileExists(atPath: index))
    #expect(try walk().missing == [1..<7])
    #expect(try !recover().isNeeded)
    #expect(try walk().missing == [1..<7])
  }

  @Test func aSegmentWithoutItsFirstPageIsToldAndKeptAside() throws {
    try abandon(Self.messages)
    let file = CapturePath.segment(path, 1)
    try overwrite(1, at: 0, with: [UInt8](repeating: 0, count: 4096))
    let torn = try Data(contentsOf: URL(filePath: file))
    let before = try walk().order
    let recovery = try recover()
    #expect(recovery.endings.map(\.segment) == [0] && recovery.unreadable.count == 1)
    #expect(try Data(contentsOf: URL(filePath: file + ".torn")) == torn)
    let events = try events()
    #expect(events.map(\.kind) == ["recovered", "recovered"])
    #expect(events.last?.number("segment") == 1 && events.last?.number("offset") == 0)
    #expect(try #require(events.last?.number("torn_bytes")) > 4096)
    #expect(try walk().order == before)
    #expect(try !recover().isNeeded)
    // Its number is not given again, also when nothing else tells that it was there.
    try FileManager.default.removeItem(atPath: CapturePath.segment(path, 2))
    #expect(try recover().nextNumber == 2)
  }

  @Test func whatIsKeptAsideIsNeverReplaced() throws {
    try abandon([TestMessage("a")])
    let torn = CapturePath.segment(path, 0) + ".torn"
    for (name, text) in [("", "of another time"), (".2", "and of another")] {
      try Data(text.utf8).write(to: URL(filePath: torn + name))
    }
    try overwrite(0, at: 4096 + 48, with: [1, 2, 3])
    let unended = try tree()
    #expect(try recover().endings.first?.tornBytes == 3)
    let kept = { (name: String) in try Data(contentsOf: URL(filePath: torn + name)) }
    #expect(try kept("") == Data("of another time".utf8))
    #expect(try kept(".2") == Data("and of another".utf8))
    #expect(try kept(".3") == Data([1, 2, 3]))
    // Interrupted before the segment was ended: the same bytes are not kept twice.
    let segment = "segments/000000000000.zseg"
    try #require(unended[segment]).write(to: URL(filePath: "\(path)/\(segment)"))
    _ = try recover()
    #expect(try tree().keys.filter { $0.contains(".torn") }.count == 3)
  }

  @Test func anEndWithoutAWordLeavesADoubt() throws {
    _ = try Capture.recorded(path, [TestMessage("a")])
    let spare = CapturePath.segment(path, 1)
    try Data(count: 64 << 10).write(to: URL(filePath: spare))
    #expect(try recover().filesRemoved == 1)
    #expect(try events().map(\.kind) == ["recovered"])
    #expect(try Verification.verify(Capture(path: path), threads: 1).isWhole)
    let once = try tree()
    #expect(try !recover().isNeeded)
    #expect(try tree() == once)
  }

  @Test func anUnusedFileTakesNoNumber() throws {
    try abandon(Self.messages) { _ = $0.stepAhead() }
    #expect(try recover().filesRemoved == 1)
    let verification = try Verification.verify(Capture(path: path), threads: 1)
    #expect(verification.isWhole, "\(verification.problems)")
  }

  @Test func theSequenceThatACheckpointTellsIsNotGivenAgain() throws {
    try abandon([TestMessage("a"), TestMessage("b"), TestMessage("c")]) { writer in
      writer.stepBehind()
      _ = try writer.tend()
    }
    // The last two are gone, the checkpoint behind them is there.
    try overwrite(0, at: 4096 + 48, with: [UInt8](repeating: 0, count: 2 * 48))
    #expect(try walk().missing == [1..<3])
    let recovery = try recover()
    #expect(recovery.nextSequence == 3 && recovery.endings.first?.messagesMissing == 2)
    let writer = try CaptureWriter(appendingTo: path, endpoints: [], segmentSize: 64 << 10)
    try writer.append(TestMessage("d"))
    try writer.finish()
    let walk = try walk()
    #expect(walk.order == [0, 3] && walk.missing == [1..<3] && walk.unreadable.isEmpty)
  }

  @Test func aManifestAloneCanBeGoneOnWith() throws {
    try abandon([TestMessage("a")])
    try FileManager.default.removeItem(atPath: CapturePath.segments(path))
    #expect(try !recover().isNeeded)
    let writer = try CaptureWriter(appendingTo: path, endpoints: [], segmentSize: 64 << 10)
    try writer.append(TestMessage("b"))
    try writer.finish()
    #expect(try walk().inOrder == [TestMessage("b")])
  }

  @Test func anInterruptedRecoveryIsMadeToItsEnd() throws {
    try abandon(Self.messages)
    let unended = try tree()
    _ = try recover()
    // The events are there; of the segments the first has its footer and is not cut, the second
    // is as it was.
    let segment = CapturePath.segment(path, 0)
    let size = try #require(try FileSystem.system.metadata(segment)?.size)
    var bytes = try #require(unended["segments/000000000000.zseg"])
    bytes.replaceSubrange(
      0..<size, with: try Data(contentsOf: URL(filePath: segment)))
    try bytes.write(to: URL(filePath: segment))
    try #require(unended["segments/000000000001.zseg"])
      .write(to: URL(filePath: CapturePath.segment(path, 1)))
    let recovery = try recover()
    #expect(recovery.endings.map(\.segment) == [0, 1])
    let walk = try walk()
    #expect(walk.inOrder == Self.messages && walk.isClean)
    #expect(try events().count == 2, "told once")
  }

  @Test func filesThatWereNeverUsedGo() throws {
    try abandon([TestMessage("a")]) { _ = $0.stepAhead() }
    #expect(try Capture(path: path).segmentFiles().count == 2)
    #expect(try recover().filesRemoved == 1)
  }

  @Test func recordingGoesOnBehindWhatIsThere() throws {
    try abandon(Self.messages)
    let endpoint = RecordedEndpoint(
      address: "ipc://new", socket: "SUB", isBound: true, subscriptions: [])
    let known = try Capture(path: path).manifest.endpoints[0]
    let writer = try CaptureWriter(
      appendingTo: path, endpoints: [endpoint, known], segmentSize: 64 << 10)
    #expect(writer.endpointIDs == [1, 0] && writer.messageCount == 0)
    try writer.append(TestMessage(endpoint: writer.endpointIDs[0], time: 7, "more"))
    #expect(writer.messageCount == 1 && writer.nextSequence == 201)
    try writer.finish()
    let walk = try walk()
    #expect(walk.inOrder == Self.messages + [TestMessage(endpoint: 1, time: 7, "more")])
    #expect(walk.isWhole)
    #expect(try Capture(path: path).manifest.endpoints == [known, endpoint])
  }

  @Test func aCaptureThatIsBeingRecordedIsRefused() throws {
    let writer = try CaptureWriter(creating: path, manifest: .test())
    #expect(throws: StoreError.captureInUse(path: path)) { try recover() }
    try writer.finish()
  }

  // MARK: - Checkpoints

  @Test func aCheckpointTellsWhatIsDurable() throws {
    let durable = try abandon([TestMessage("a"), TestMessage("b")]) { writer in
      writer.stepBehind()
      #expect(try writer.tend() == [])
      try writer.append(TestMessage("c"))
    }
    let end = 4096 + 2 * (32 + 8 + 8)
    #expect(durable == RecordPlace(segment: 0, offset: end, sequence: 2))
    var cursor = CaptureCursor(try Capture(path: path), verifying: .body)
    var checkpoints: [Checkpoint?] = []
    while let record = CaptureWalk.record(cursor.next()) {
      if record.kind == .checkpoint { checkpoints.append(Checkpoint(record, in: cursor.segment!)) }
    }
    #expect(checkpoints.map(\.?.place) == [durable])
  }

  @Test func aCheckpointAloneIsNotWorthASync() throws {
    try abandon([TestMessage("a")]) { writer in
      for _ in 0..<5 {
        writer.stepBehind()
        _ = try writer.tend()
      }
    }
    #expect(try walk().otherKinds == [.checkpoint])
  }

  @Test func damageBeforeACheckpointIsCorruption() throws {
    try abandon([TestMessage("aaaa"), TestMessage("b")]) { writer in
      writer.stepBehind()
      _ = try writer.tend()
      try writer.append(TestMessage("cccc"))
    }
    let ending = { (offset: Int) in
      try overwrite(0, at: offset, with: [0xFF])
      return try #require(try recover().endings.first)
    }
    #expect(try ending(4096 + 32 + 8 + 1).corruptBytes == 48)
  }

  @Test func aCheckpointInALaterSegmentSpeaksOfThoseBefore() throws {
    try abandon(Self.messages) { writer in
      writer.stepBehind()  // Seals the first,
      writer.stepBehind()  // syncs the second,
      _ = try writer.tend()
      try writer.append(TestMessage("last"))
    }
    // Of the first segment the footer is gone, and some of a message.
    let first = CapturePath.segment(path, 0)
    let size = try #require(try FileSystem.system.metadata(first)?.size)
    try overwrite(0, at: size - 48, with: [UInt8](repeating: 0, count: 48))
    try overwrite(0, at: 4096 + 40, with: [0xFF])
    let found = try Verification.verify(Capture(path: path), threads: 1)
    let ending = try #require(try recover().endings.first)
    #expect(ending.segment == 0 && ending.corruptBytes > 0)
    #expect(ending.corruptBytes == found.corruptBytes)
    #expect(try events().first?.number("corrupt_bytes") == Int64(ending.corruptBytes))
  }

  @Test func alwaysMeansBeforeTheNextMessage() throws {
    let writer = try CaptureWriter(
      creating: path, manifest: .test(), segmentSize: 64 << 10, sync: .always)
    for number in 0..<20 {
      try writer.append(TestMessage("\(number)"))
      _ = try writer.tend()
      #expect(writer.durable?.sequence == UInt64(number + 1))
    }
    try writer.finish()
    #expect(try walk().otherKinds == [RecordKind](repeating: .checkpoint, count: 20))
  }

  @Test func alwaysMeansSoInSegmentsThatEndAtTheSamePlace() throws {
    let writer = try CaptureWriter(
      creating: path, manifest: .test(), segmentSize: 64 << 10, sync: .always)
    for number in 0..<5 {
      try writer.append(TestMessage([[UInt8](repeating: 1, count: 40_000)]))
      _ = try writer.tend()
      #expect(writer.durable?.sequence == UInt64(number + 1))
    }
    try writer.finish()
  }
}
