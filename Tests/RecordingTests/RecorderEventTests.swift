import CaptureIndex
import CaptureStore
import Foundation
import TestSupport
import Testing
import Threads
import ZeroMQ

@testable import Recording

/// What happens to a recording is in its capture: real sockets, and a disk that fails on purpose.
@Suite(.timeLimit(.minutes(1))) struct RecorderEventTests {
  private static let address = "inproc://publisher"

  private let directory: TemporaryDirectory
  private let disk: SimulatedDisk
  /// The recorder's, too: inproc passes frames on without copying them.
  private let context: Context
  private let publisher: Socket
  private let stop = StopToken()
  private var path: String { "\(disk.root)/c" }

  init() throws {
    directory = try TemporaryDirectory()
    let root = directory.file("disk")
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
    disk = try SimulatedDisk(root: root, seed: 1)
    context = try Context()
    publisher = try Socket(.xpub, in: context)
    try publisher.set(.lingerMilliseconds, 0)
    try publisher.set(.sendHighWaterMark, 0)
    try publisher.set(.receiveTimeoutMilliseconds, 20_000)
    try publisher.bind(Self.address)
  }

  /// A recorder that has subscribed.
  private func recorder(_ sync: SyncPolicy = .atSeal) throws -> Recorder {
    var plan = RecordingPlan(
      capture: path,
      endpoints: [
        RecordedEndpoint(
          address: Self.address, socket: "SUB", isBound: false,
          subscriptions: [SubscriptionPrefix([])])
      ], recorder: "tests")
    plan.segmentSize = 64 << 10
    plan.sync = sync
    plan.freeSpaceMin = .none
    let recorder = try Recorder(plan, stop: stop, context: context, files: FileSystem(disk))
    #expect(try publisher.receiveFrames() == [[1]])
    return recorder
  }

  private func publish(_ messages: Int) throws {
    for number in 0..<messages {
      try publisher.send([Array("\(number)".utf8), [UInt8](repeating: 1, count: 1_000)])
    }
  }

  /// Waits until an event is told.
  private func waitFor(_ kind: String, of recorder: Recorder) throws -> StoredEvent {
    try TestSupport.waitFor(kind) {
      recorder.takeEvents(nanoseconds: 100_000_000).first { $0.kind == kind }
    }
  }

  /// The events of the capture that are of a kind.
  private func stored(_ kind: String) throws -> [LedgerEntry] {
    try IndexReader(Capture(path: path)).ledger(Selection()).filter { $0.event == kind }
  }

  private func detail(_ name: String, of entry: LedgerEntry) -> StoredEvent.Value? {
    entry.details.first { $0.name == name }?.value
  }

  @Test func aMessageThatIsLargerThanARecordIsRefusedAndTold() throws {
    let recorder = try recorder()
    // The same bytes in every frame: 4 GiB, of which there is one MiB.
    let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
    defer { frame.deallocate() }
    frame.initializeMemory(as: UInt8.self, repeating: 1)
    for number in 0..<4_097 {
      let isTaken = try publisher.send(
        constant: UnsafeRawBufferPointer(frame), more: number < 4_096, waiting: true)
      #expect(isTaken)
    }
    try publish(1)
    try TestSupport.waitFor("a message") { recorder.status.messages == 1 }
    stop.request()
    let summary = try recorder.finish()
    #expect(summary.status.messagesRefused == 1 && !summary.isComplete)
    #expect(summary.possibleLosses == ["refused": 1])
    let entry = try #require(try stored("refused").first)
    #expect(entry.lost == 1 && entry.endpoint == Self.address && entry.mayHideLoss)
    #expect(detail("frames", of: entry) == .number(4_097))
    #expect(CaptureWalk(try Capture(path: path)).order == [0])
  }

  @Test func thatThereIsNoRoomForAnotherSegmentIsToldBeforeItIsNeeded() throws {
    disk.fail(.init(call: 2, of: .fallocate, with: ENOSPC, persists: true))
    let recorder = try recorder()
    let event = try waitFor("last_segment", of: recorder)
    #expect(event.text("reason")?.contains("No space left on device") == true)
    // It goes on until this one is full, and what it had stored then is sealed.
    try publish(200)
    #expect(recorder.wait(nanoseconds: 30_000_000_000))
    let summary = try recorder.finish()
    #expect(summary.reason == .failure && summary.sealFailure == nil && !summary.isComplete)
    #expect(summary.failure?.contains("No space left on device") == true)
    #expect(try stored("last_segment").count == 1)
    let end = try #require(try stored("ended").last)
    #expect(detail("reason", of: end) == .text("failure"))
    #expect(detail("failure", of: end) == summary.failure.map { .text($0) })
    let walk = CaptureWalk(try Capture(path: path))
    #expect(walk.isWhole && walk.order == Array(0..<summary.status.messages))
    #expect(summary.status.messages > 50)
  }

  @Test func aSyncThatFailsIsToldAndTheRecordingGoesOnUntilItIsStopped() throws {
    disk.fail(.init(call: 1, of: .msync, with: EIO))
    let recorder = try recorder(.always)
    try publish(1)
    let event = try waitFor("sync_failed", of: recorder)
    #expect(event.text("reason")?.contains("Input/output error") == true)
    try publish(9)
    try TestSupport.waitFor("10 messages") { recorder.status.messages == 10 }
    stop.request()
    let summary = try recorder.finish()
    // How it ended is one thing, and that it could not be sealed another.
    #expect(summary.reason == .stopped && summary.failure == nil && !summary.isComplete)
    #expect(summary.sealFailure?.contains("Input/output error") == true)
    #expect(summary.possibleLosses == ["sync_failed": 1])
    #expect(try stored("sync_failed").map(\.mayHideLoss) == [true])
    let end = try #require(try stored("ended").last)
    #expect(detail("reason", of: end) == .text("stopped"))
    #expect(detail("failure", of: end) == nil)
    #expect(try IndexReader(Capture(path: path)).state == .unclean)
    #expect(CaptureWalk(try Capture(path: path)).order.count == 10)
  }

  @Test func aSegmentThatIsWaitedForIsAStall() throws {
    let disk = disk
    // The third segment is long in coming; the second is full soon.
    disk.interrupt(atCall: 3, of: .fallocate) {
      let end = CaptureClock.monotonicNanoseconds() + 500_000_000
      while CaptureClock.monotonicNanoseconds() < end { usleep(5_000) }
    }
    let recorder = try recorder()
    try publish(300)
    let event = try waitFor("stalled", of: recorder)
    try TestSupport.waitFor("300 messages") { recorder.status.messages == 300 }
    stop.request()
    let summary = try recorder.finish()
    #expect(summary.isComplete && summary.status.messages == 300)
    let entry = try #require(try stored("stalled").first)
    #expect(event.number("ms") ?? 0 >= 100 && event.number("segment_ms") ?? 0 >= 100)
    #expect(detail("ms", of: entry) == event.number("ms").map { .number($0) })
    #expect(entry.mayHideLoss == (event.number("ms")! >= 1_000))
  }
}
