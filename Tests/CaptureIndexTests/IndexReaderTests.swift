import CaptureStore
import Foundation
import GRDB
import TestSupport
import Testing
import Threads

@testable import CaptureIndex

@Suite struct IndexReaderTests {
  private let directory: TemporaryDirectory
  private let capture: Capture
  private let messages: [TestMessage]
  private let content: IndexContent
  private var index: String { CapturePath.index(capture.path) }

  init() throws {
    directory = try TemporaryDirectory()
    var traffic = RandomTraffic(SplitMix64(for: "IndexReaderTests"))
    messages = (0..<300).map { _ in
      var message = traffic.next()
      message.frames.append([UInt8](repeating: 7, count: 700))
      return message
    }
    capture = try Capture.recorded(
      directory.file("c"), messages, manifest: .test(endpoints: 3))
    _ = try Indexer.rebuild(capture, rule: .auto)
    content = try IndexContent(IndexReader(capture))
  }

  /// Names, sizes and contents of everything in a capture.
  private func files(_ path: String) throws -> [String: Data] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: path)
    return try names.reduce(into: [:]) { files, name in
      let file = "\(path)/\(name)"
      files[name] = isDirectory(file) ? Data() : try Data(contentsOf: URL(filePath: file))
    }
  }

  private func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
      && isDirectory.boolValue
  }

  @Test func aFinishedIndexIsOneFileThatOnlyTheOwnerReads() throws {
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: capture.path).sorted()
        == ["capture.json", "index.sqlite", "segments"])
    let attributes = try FileManager.default.attributesOfItem(atPath: index)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test func readingChangesNothingOnDisk() throws {
    let before = try files(capture.path)
    #expect(try IndexContent(IndexReader(capture)) == content)
    #expect(try files(capture.path) == before)
    try FileManager.default.removeItem(atPath: index)
    #expect(try IndexContent(IndexReader(capture)) == content)
    #expect(try files(capture.path) == before.filter { $0.key != "index.sqlite" })
  }

  @Test(
    arguments: [
      [], Array("SQLite format 3\u{0}".utf8), Array(repeating: 0, count: 5_000),
      Array(repeating: 0xFF, count: 100_000), Array("not a database at all".utf8),
    ] as [[UInt8]]) func whatIsNoIndexIsIgnored(bytes: [UInt8]) throws
  {
    try Data(bytes).write(to: URL(filePath: index))
    #expect(try IndexContent(IndexReader(capture)) == content)
    #expect(try Array(Data(contentsOf: URL(filePath: index))) == bytes)
  }

  @Test func everyTruncatedPageOfAnIndexIsIgnored() throws {
    let whole = try Data(contentsOf: URL(filePath: index))
    for pages in 0..<whole.count / 4096 {
      try whole[..<(pages * 4096)].write(to: URL(filePath: index))
      let reader = try IndexReader(capture)
      #expect(try reader.overview() == content.overview, "\(pages) pages")
      #expect(try IndexContent.messages(reader).count == messages.count, "\(pages) pages")
    }
  }

  @Test func anIndexOfAnotherVersionIsIgnored() throws {
    let database = try IndexDatabase.create(index)
    try database.queue.write { try $0.execute(sql: "PRAGMA user_version = 99") }
    try database.close()
    #expect(try IndexContent(IndexReader(capture)) == content)
  }

  @Test func theIndexOfAnotherCaptureIsIgnored() throws {
    let other = try Capture.recorded(directory.file("other"), [TestMessage("x", "y")])
    _ = try Indexer.rebuild(other, rule: .auto)
    try FileManager.default.removeItem(atPath: index)
    try FileManager.default.copyItem(atPath: CapturePath.index(other.path), toPath: index)
    #expect(try IndexContent(IndexReader(capture)) == content)
  }

  @Test func anIndexThatIsAheadOfItsSegmentsIsHarmless() throws {
    let files = try capture.segmentFiles()
    try #require(files.count > 2)
    for file in files.dropFirst() { try FileManager.default.removeItem(atPath: file.path) }
    let reader = try IndexReader(capture)
    var found = try reader.messages(Selection(), pool: SegmentPool(capture))
    var count: UInt64 = 0
    while let message = try found.next() {
      #expect(message.record.sequence == count)
      count += 1
    }
    #expect(count > 0 && count < 300)
    #expect(found.damages == 0)
    let overview = try reader.overview()
    #expect(overview.messages == Int64(count))
    #expect(overview.lost == 300 - Int64(count), "what the index knows and is not there is told")
    #expect(try reader.messagesLost(in: Selection()) == overview.lost)
  }

  @Test func anIndexOfATruncatedSegmentIsForgotten() throws {
    let writer = try CaptureWriter(
      creating: directory.file("live"), manifest: .test(endpoints: 3))
    let indexer = try Indexer(
      creating: Capture(path: writer.path), rule: .auto, verifying: .header)
    for message in messages { try writer.append(message) }
    #expect(try indexer.advance() == .caughtUp)
    let copy = try Capture(path: try copy(writer.path))
    // Before the place that the index says, behind half of the messages.
    var cursor = CaptureCursor(copy, verifying: .header)
    for _ in 0..<150 { _ = cursor.next() }
    #expect(truncate(CapturePath.segment(copy.path, 0), off_t(cursor.place.offset + 8)) == 0)
    let walk = CaptureWalk(copy)
    let reader = try IndexReader(copy)
    #expect(walk.order == Array(0..<150))
    #expect(try reader.overview().messages == Int64(walk.order.count))
    #expect(try IndexContent.messages(reader).map(\.record.sequence) == walk.order)
    try writer.finish()
  }

  /// It ends, however fast others record.
  @Test func whatIsReadUpToNowEndsThere() throws {
    let writer = try CaptureWriter(creating: directory.file("live"), manifest: .test())
    func append(_ count: Int) throws {
      for number in 0..<count {
        try writer.append(
          TestMessage(time: CaptureClock.monotonicNanoseconds(), "t", String(number)))
      }
    }
    try append(100)
    let index = try IndexReader(Capture(path: writer.path))
    try append(50)
    let place = RecordPlace(segment: 0, offset: RecordLayout.firstOffset, sequence: 0)
    var reader = try index.followingUpToNow(Selection(), from: place)
    var count = 0
    var isAtEnd = false
    while !isAtEnd {
      // One more for each that is read.
      try append(1)
      switch reader.next() {
      case .message: count += 1
      case .passed: continue
      case .caughtUp, .ended: isAtEnd = true
      }
    }
    #expect(count == 150)
    try writer.finish()
  }

  private func copy(_ path: String) throws -> String {
    try FileManager.default.copyItem(atPath: path, toPath: directory.file("copy"))
    return directory.file("copy")
  }

  @Test func aDamagedSegmentDoesNotKeepTheOthersFromBeingListed() throws {
    let files = try capture.segmentFiles()
    for victim in [files[0], files[files.count - 1]] {
      let intact = try Data(contentsOf: URL(filePath: victim.path))
      var bytes = intact
      bytes[40] ^= 1
      for hasIndex in [true, false] {
        try bytes.write(to: URL(filePath: victim.path))
        if !hasIndex { try? FileManager.default.removeItem(atPath: index) }
        let reader = try IndexReader(capture)
        #expect(try IndexContent.messages(reader).count > 0)
        #expect(reader.state == .unclean)
        try intact.write(to: URL(filePath: victim.path))
      }
    }
  }

  /// A write-ahead log that its writer could not fold in: the recorder was killed.
  @Test func aLogLeftBehindIsRead() throws {
    let writer = try CaptureWriter(
      creating: directory.file("live"), manifest: .test(endpoints: 3))
    let live = try Capture(path: writer.path)
    let indexer = try Indexer(creating: live, rule: .auto, verifying: .header)
    for message in messages { try writer.append(message) }
    _ = try indexer.advance()
    let copy = directory.file("copy")
    try copyTree(live.path, to: copy)
    #expect(try files(copy)["index.sqlite-wal"]?.isEmpty == false)
    let reader = try IndexReader(Capture(path: copy))
    #expect(try IndexContent(reader).rows.map(\.messages) == content.rows.map(\.messages))
    #expect(reader.state == .unclean)
    // While it is being written the same is read in place.
    let beside = try IndexReader(live)
    #expect(beside.isBeingRecorded)
    #expect(beside.state == .recording)
    #expect(try beside.overview().messages == 300)
    try writer.finish()
  }

  /// As another user than root, who may write everywhere.
  private func asNobody<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws
    -> Value
  {
    let result = Guarded<Result<Value, any Error>?>(nil)
    WorkerThread(name: "nobody") {
      // For this thread alone. Source: `setfsuid(2)`.
      let library = dlopen(nil, RTLD_NOW)
      typealias Setter = @convention(c) (CUnsignedInt) -> CInt
      for name in ["setfsgid", "setfsuid"] {
        _ = unsafeBitCast(dlsym(library, name), to: Setter.self)(65_534)
      }
      let outcome = Result { try body() }
      result.withLock { $0 = outcome }
    }.join()
    return try #require(result.withLock { $0 }).get()
  }

  private func setReadOnly(_ path: String) {
    for name in (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? [] {
      chmod("\(path)/\(name)", isDirectory("\(path)/\(name)") ? 0o555 : 0o444)
    }
    chmod(path, 0o555)
    chmod(directory.path, 0o755)
  }

  @Test func aSealedCaptureIsReadWhereNothingCanBeWritten() throws {
    setReadOnly(capture.path)
    let path = capture.path
    let read = try asNobody {
      #expect(throws: (any Error).self) { try Data().write(to: URL(filePath: path + "/x")) }
      return try IndexContent(IndexReader(Capture(path: path)))
    }
    #expect(read == content)
    chmod(capture.path, 0o700)
  }

  @Test func anUncleanCaptureIsReadWhereNothingCanBeWritten() throws {
    let writer = try CaptureWriter(
      creating: directory.file("live"), manifest: .test(endpoints: 3))
    let indexer = try Indexer(
      creating: Capture(path: writer.path), rule: .auto, verifying: .header)
    for message in messages { try writer.append(message) }
    _ = try indexer.advance()
    let copy = directory.file("copy")
    try copyTree(writer.path, to: copy)
    setReadOnly(copy)
    let rows = try asNobody { try IndexReader(Capture(path: copy)).topicRows() }
    #expect(rows.map(\.messages) == content.rows.map(\.messages))
    try FileManager.default.removeItem(atPath: copy + "/index.sqlite-shm")
    let again = try asNobody { try IndexReader(Capture(path: copy)).topicRows() }
    #expect(again.map(\.messages) == content.rows.map(\.messages))
    chmod(copy, 0o700)
    try writer.finish()
  }
}
