import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// Windows of a ring that become captures of their own.
@Suite struct PinTests {
  private static let segmentSize = 64 << 10

  private let directory: TemporaryDirectory
  private let writer: CaptureWriter

  init() throws {
    directory = try TemporaryDirectory()
    writer = try CaptureWriter(
      creating: directory.file("ring"),
      manifest: .test(keep: Retention(bytes: 8 * Self.segmentSize)),
      segmentSize: Self.segmentSize, sync: .atSeal, schedule: .stepped, files: .system)
  }

  private static func message(_ sequence: UInt64) -> TestMessage {
    TestMessage([[UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: 1000)])
  }

  /// Appends and lets the keeper work. Returns how pins ended meanwhile.
  @discardableResult
  private func append(_ count: Int) throws -> [PinOutcome] {
    var outcomes: [PinOutcome] = []
    for _ in 0..<count {
      try writer.append(Self.message(writer.nextSequence))
      outcomes += try work()
    }
    return outcomes
  }

  private func work() throws -> [PinOutcome] {
    var outcomes: [PinOutcome] = []
    for _ in 0..<4 {
      while writer.stepAhead() {}
      if writer.nextSequence % 16 == 0 { writer.stepBehind() }
      for case .pinned(let outcome) in try writer.tend() { outcomes.append(outcome) }
    }
    return outcomes
  }

  private func request(_ name: String, after: Int64 = 0) -> PinRequest {
    PinRequest(
      path: directory.file(name), before: 1_000_000_000_000, after: after,
      labels: ["trigger": "a test"])
  }

  /// The sequences of a pin, which must be whole, and be what was recorded.
  private func sequences(_ name: String) throws -> Range<UInt64> {
    let capture = try Capture(path: directory.file(name))
    let walk = try CaptureWalk(unused: capture)
    #expect(walk.isClean, "\(walk.missing) \(walk.damages) \(walk.unreadable)")
    let first = try #require(walk.order.first)
    let range = first..<first + UInt64(walk.order.count)
    #expect(walk.order == Array(range))
    #expect(walk.messages.allSatisfy { $0.value.frames == Self.message($0.key).frames })
    let verification = try Verification.verify(capture, threads: 0)
    #expect(verification.isWhole, "\(verification.problems)")
    #expect(capture.manifest.labels["trigger"] == "a test" && !capture.isRing)
    return range
  }

  @Test func whatIsThereStaysThereWhenTheRingGoesOn() throws {
    try append(1000)
    let first = try #require(try Capture(path: writer.path).segmentFiles().first)
    let firstSequence = try #require(try Segment(path: first.path)).header.firstSequence
    _ = writer.pinner(request("pin"))
    let outcomes = try append(3000)
    #expect(outcomes.count == 1 && outcomes.first?.failure == nil)
    let outcome = try #require(outcomes.first)
    #expect(outcome.path == directory.file("pin") && outcome.segments > 4)
    #expect(outcome.before > 0 && outcome.before < 1_000_000_000_000 && outcome.after == 0)
    let found = try sequences("pin")
    #expect(found.lowerBound == firstSequence && (1000...1100).contains(found.upperBound))
    try writer.finish()
    writer.unlock()
    let rest = try CaptureWalk(unused: Capture(path: writer.path))
    #expect(rest.isClean && rest.order.last == 3999 && rest.order.first! > 3000)
    #expect(try sequences("pin") == found)
    // Nothing was copied: in the end the pin alone has these files.
    let links = try Capture(path: directory.file("pin")).segmentFiles().compactMap {
      try FileSystem.system.metadata($0.path)?.links
    }
    #expect(links.allSatisfy { $0 == 1 })
  }

  @Test func aPinHasTheSchemasOfItsCaptureAndLivesWithoutThem() throws {
    let capture = try Capture(path: writer.path)
    let schema = SchemaFile(name: "a.desc", bytes: [1, 2, 3])
    try capture.add([schema])
    try append(100)
    _ = writer.pinner(request("pin"))
    #expect(try append(100).map(\.failure) == [nil])
    #expect(try Capture(path: directory.file("pin")).schemaFiles() == [schema])
    // A folder of this name is no schema, and a file in its place has none.
    try FileManager.default.removeItem(atPath: CapturePath.schemas(writer.path))
    try Data([1]).write(to: URL(fileURLWithPath: CapturePath.schemas(writer.path)))
    _ = writer.pinner(request("bare"))
    #expect(try append(100).map(\.failure) == [nil])
    #expect(try !sequences("bare").isEmpty)
  }

  @Test func aSchemaThatCannotBeReadFailsNoPin() throws {
    let folder = CapturePath.schemas(writer.path)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder)/a.desc", withDestinationPath: "/proc/self/mem")
    try append(100)
    _ = writer.pinner(request("pin"))
    #expect(try append(100).map(\.failure) == [nil])
    #expect(try !sequences("pin").isEmpty)
  }

  /// What was asked for is known at once, and that it is there in the end only.
  @Test func aPinWhoseRecorderDiesSaysSo() throws {
    try append(200)
    _ = writer.pinner(request("pin", after: 3_600_000_000_000))
    while writer.stepAhead() {}
    let capture = try Capture(path: directory.file("pin"))
    #expect(try capture.isBeingRecorded)
    let window = try #require(capture.manifest.window)
    #expect(window.from < window.until && window.ended == nil)
    #expect(CaptureWalk(capture).order.first == 0)
    try append(200)
    try writer.finish()
    #expect(try Capture(path: capture.path).manifest.window?.ended != nil)
  }

  /// It is killed in the time behind the trigger: what the ring has of that, the pin has, too,
  /// whichever of them is recovered first.
  @Test(arguments: [false, true])
  func aPinWhoseRecorderIsKilledHasWhatTheRingHas(isRingFirst: Bool) throws {
    let (disk, writer) = try simulated()
    func append(_ count: UInt64) throws {
      for _ in 0..<count {
        try writer.append(Self.message(writer.nextSequence))
        while writer.stepAhead() {}
      }
    }
    try append(200)
    let pin = directory.file("disk/pin")
    _ = writer.pinner(
      PinRequest(
        path: pin, before: 1_000_000_000_000, after: 3_600_000_000_000,
        labels: ["trigger": "a test"]))
    try append(220)
    let copy = directory.file("killed")
    try FileManager.default.copyItem(atPath: disk.root, toPath: copy)
    // A copy has no second names: they are made again.
    for file in try Capture(path: "\(copy)/pin").segmentFiles() {
      let name = CapturePath.segment("\(copy)/ring", file.number)
      guard FileManager.default.fileExists(atPath: name) else { continue }
      try FileManager.default.removeItem(atPath: file.path)
      try FileManager.default.linkItem(atPath: name, toPath: file.path)
    }
    let killed = try Capture(path: "\(copy)/pin")
    #expect(try !killed.segmentEndings().areSealed)
    for name in isRingFirst ? ["ring", "pin"] : ["pin", "ring"] {
      _ = try Recovery.recover(Capture(path: "\(copy)/\(name)"))
    }
    let walk = try CaptureWalk(unused: killed)
    #expect(walk.isClean && walk.order == Array(0..<420))
    #expect(try CaptureWalk(unused: Capture(path: "\(copy)/ring")).order.last == 419)
    #expect(try killed.segmentEndings().areSealed && killed.manifest.window?.ended == nil)
    try writer.finish()
  }

  /// Nothing was recorded in its time: a capture without messages, which is whole.
  @Test func aPinMayBeEmpty() throws {
    _ = writer.pinner(request("pin"))
    var outcomes: [PinOutcome] = []
    for _ in 0..<6 {
      while writer.stepAhead() {}
      writer.stepBehind()
      for case .pinned(let outcome) in try writer.tend() { outcomes.append(outcome) }
    }
    #expect(outcomes.map(\.segments) == [1] && outcomes.map(\.failure) == [nil])
    let capture = try Capture(path: directory.file("pin"))
    let walk = try CaptureWalk(unused: capture)
    #expect(walk.isClean && walk.order.isEmpty)
    #expect(try capture.segmentEndings().areSealed)
    #expect(try Verification.verify(capture, threads: 0).isWhole)
    try append(10)
    try writer.finish()
  }

  /// What a ring had of the time before and does not have any more is told; what was before the
  /// recording is not missing.
  @Test func aPinSaysWhetherTheRingHadItsBeginning() throws {
    try append(100)
    _ = writer.pinner(request("first"))
    var outcomes = try append(3000)
    _ = writer.pinner(request("late"))
    outcomes += try append(1000)
    #expect(outcomes.map(\.isLate) == [false, true])
    #expect(outcomes.allSatisfy { $0.before < $0.beforeAsked })
    _ = writer.pinner(
      PinRequest(path: directory.file("short"), before: 0, after: 0, labels: [:]))
    #expect(try append(500).map(\.isLate) == [false])
    let windows = try ["first", "late", "short"].map {
      try Capture(path: directory.file($0)).manifest.window?.late
    }
    #expect(windows == [nil, true, nil])
    try writer.finish()
  }

  @Test func windowsOverlap() throws {
    try append(500)
    _ = writer.pinner(request("a"))
    var outcomes = try append(100)
    _ = writer.pinner(request("b"))
    outcomes += try append(2000)
    #expect(outcomes.map(\.path) == [directory.file("a"), directory.file("b")])
    let (a, b) = (try sequences("a"), try sequences("b"))
    #expect(a.overlaps(b) && b.upperBound > a.upperBound && b.upperBound >= 600)
    try writer.finish()
  }

  /// What was added to the recording since it began is said of the pin, too.
  @Test func aPinSaysWhatTheRecordingSaysNow() throws {
    try append(200)
    try Capture(path: writer.path).replace(
      sequences: ["a:frame=0:offset=0:u8"], labels: ["site": "added"])
    _ = writer.pinner(request("pin"))
    try append(200)
    let manifest = try Capture(path: directory.file("pin")).manifest
    #expect(manifest.labels == ["site": "added", "trigger": "a test"])
    #expect(manifest.sequences == ["a:frame=0:offset=0:u8"])
    try writer.finish()
  }

  /// The writer hears of a pin that ends with its segment before there is another segment.
  @Test func aPinEndsThoughTheNextSegmentComesLate() throws {
    let (disk, writer) = try simulated()
    let large = TestMessage([[UInt8](repeating: 1, count: Self.segmentSize - 8192)])
    // It takes both segments that are ready, then a message goes to the last one.
    for _ in 0..<3 { try writer.append(large) }
    try writer.append(TestMessage("last"))
    _ = writer.pinner(
      PinRequest(
        path: directory.file("disk/pin"), before: 1_000_000_000_000, after: 0, labels: [:]))
    var isEarly = false
    disk.interrupt(atCall: 1, of: .fallocate) { isEarly = (try? writer.tend()) != nil }
    while writer.stepAhead() {}
    _ = try writer.tend()
    #expect(isEarly && writer.segmentCount == 4)
    let outcomes = try outcomes(writer)
    #expect(outcomes.map(\.failure) == [nil] && outcomes.first?.segments == 3)
    try writer.finish()
  }

  /// A ring of its own on a disk that fails, or that does something between two calls.
  private func simulated(
    bytes: Int = 8 * Self.segmentSize
  ) throws -> (SimulatedDisk, CaptureWriter) {
    let root = directory.file("disk")
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
    let disk = try SimulatedDisk(root: root, seed: 1)
    let writer = try CaptureWriter(
      creating: "\(root)/ring", manifest: .test(keep: Retention(bytes: bytes)),
      segmentSize: Self.segmentSize, sync: .atSeal, schedule: .stepped, files: FileSystem(disk))
    while writer.stepAhead() {}
    return (disk, writer)
  }

  /// Lets the keeper of such a ring work until a pin has ended, and on. Returns how it ended.
  private func outcomes(_ writer: CaptureWriter) throws -> [PinOutcome] {
    var outcomes: [PinOutcome] = []
    for _ in 0..<8 {
      while writer.stepAhead() {}
      writer.stepBehind()
      for case .pinned(let outcome) in try writer.tend() { outcomes.append(outcome) }
    }
    return outcomes
  }

  /// It is large, so that its sync takes several steps and is given up between two of them.
  @Test func aSegmentThatMakesRoomWhileItIsSealedIsInNoLaterPin() throws {
    let (disk, writer) = try simulated(bytes: 24 << 20)
    let large = TestMessage([[UInt8](repeating: 1, count: 17 << 20)])
    try writer.append(TestMessage("first"))
    try writer.append(large)
    writer.stepBehind()
    while writer.stepAhead() {}
    try writer.append(large)
    let pin = directory.file("disk/pin")
    disk.interrupt(atCall: 1, of: .msync) {
      while writer.stepAhead() {}
      _ = writer.pinner(PinRequest(path: pin, before: 1_000_000_000_000, after: 0, labels: [:]))
      while writer.stepAhead() {}
    }
    writer.stepBehind()
    let outcomes = try outcomes(writer)
    #expect(outcomes.map(\.failure) == [nil] && outcomes.map(\.segments) == [1])
    try writer.finish()
    let capture = try Capture(path: pin)
    for file in try capture.segmentFiles() {
      #expect(try capture.openSegment(file.path)?.isSealed == true, "segment \(file.number)")
    }
    let walk = try CaptureWalk(unused: capture)
    #expect(walk.isClean && walk.order == [2])
  }

  @Test(arguments: [false, true])
  func aPinOfASegmentWhoseSyncFailedIsNotWhole(endsWithTheRecording: Bool) throws {
    let (disk, writer) = try simulated()
    for sequence in 0..<100 as Range<UInt64> { try writer.append(Self.message(sequence)) }
    disk.fail(.init(call: disk.calls(of: .fsync) + 1, of: .fsync, with: EIO))
    writer.stepBehind()
    disk.fail(nil)
    #expect(disk.failedCalls == [.fsync] && writer.segmentCount == 2)
    let pin = directory.file("disk/pin")
    let after = endsWithTheRecording ? 3_600_000_000_000 : 0 as Int64
    _ = writer.pinner(PinRequest(path: pin, before: 1_000_000_000_000, after: after, labels: [:]))
    var ends = try outcomes(writer)
    #expect(ends.isEmpty == endsWithTheRecording)
    #expect(throws: StoreError.self) { try writer.finish() }
    ends += writer.takePinOutcomes()
    let failed = CapturePath.segment(writer.path, 0)
    #expect(ends.map(\.failure) == [.system(operation: "fsync", path: failed, code: EIO)])
    #expect(try Capture(path: pin).manifest.window?.ended == nil)
  }

  /// More comes behind the trigger than the ring holds: all of it is kept.
  @Test func aWindowMayBeLargerThanTheRing() throws {
    try append(200)
    _ = writer.pinner(request("pin", after: 3_600_000_000_000))
    #expect(try append(2000).isEmpty)
    try writer.finish()
    #expect(writer.takePinOutcomes().map(\.failure) == [nil])
    writer.unlock()
    #expect(try sequences("pin") == 0..<2200)
  }

  @Test func aNameThatIsTakenIsToldAndTheRecordingGoesOn() throws {
    try append(200)
    try FileManager.default.createDirectory(
      atPath: directory.file("pin"), withIntermediateDirectories: false)
    _ = writer.pinner(request("pin"))
    let outcomes = try append(500)
    #expect(outcomes.map(\.failure) == [.captureExists(path: directory.file("pin"))])
    try writer.finish()
    writer.unlock()
    #expect(try CaptureWalk(unused: Capture(path: writer.path)).order.last == 699)
  }

  @Test func aPinIsNotUsedAgainThoughTheRingForgotIt() throws {
    try append(1000)
    _ = writer.pinner(request("pin"))
    try append(2000)
    let found = try sequences("pin")
    let capture = try Capture(path: directory.file("pin"))
    let reader = try #require(try capture.openSegment(capture.segmentFiles()[0].path))
    try append(2000)
    #expect(reader.header.firstSequence == found.lowerBound)
    #expect(try sequences("pin") == found)
    try writer.finish()
  }
}
