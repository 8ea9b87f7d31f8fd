import CaptureIndex
import CaptureStore
import Foundation
import TestSupport
import Testing
import Threads
import ZeroMQ

@testable import Recording

/// Whole recordings over ipc: what publishers sent is what the capture holds.
@Suite(.timeLimit(.minutes(1))) struct RecorderTests {
  private let directory: TemporaryDirectory
  private let context: Context
  private let stop = StopToken()
  private var path: String { directory.file("c") }

  init() throws {
    directory = try TemporaryDirectory()
    context = try Context()
  }

  /// A publisher that knows when it is subscribed to.
  private func publisher(_ endpoint: String) throws -> Socket {
    let socket = try Socket(.xpub, in: context)
    try socket.set(.lingerMilliseconds, 0)
    try socket.set(.receiveTimeoutMilliseconds, 20_000)
    try socket.set(.sendHighWaterMark, 0)
    try socket.bind(endpoint)
    return socket
  }

  private func endpoint(
    _ address: String, _ subscriptions: [[UInt8]] = [[]], isBound: Bool = false
  ) -> RecordedEndpoint {
    RecordedEndpoint(
      address: address, socket: "SUB", isBound: isBound,
      subscriptions: subscriptions.map { SubscriptionPrefix($0) })
  }

  private func plan(_ endpoints: [RecordedEndpoint]) -> RecordingPlan {
    RecordingPlan(capture: path, endpoints: endpoints, recorder: "tests")
  }

  private func waitForSubscription(_ publisher: Socket, _ prefix: [UInt8] = []) throws {
    #expect(try publisher.receiveFrames() == [[1] + prefix])
  }

  private func recorded() throws -> CaptureWalk { CaptureWalk(try Capture(path: path)) }

  @Test func everyMessageOfEveryEndpointIsThereInItsOrder() throws {
    var random = SplitMix64()
    let addresses = (0..<3).map { directory.endpoint("p\($0)") }
    let publishers = try addresses.map { try publisher($0) }
    let recorder = try Recorder(plan(addresses.map { endpoint($0) }), stop: stop)
    for publisher in publishers { try waitForSubscription(publisher) }

    var sent: [[[[UInt8]]]] = [[], [], []]
    for number in 0..<2_000 {
      let frames = (0..<random.int(1...(number % 500 == 0 ? 200 : 4))).map { _ in
        random.bytes(random.size(max: number % 400 == 0 ? 1 << 20 : 3_000))
      }
      let target = random.int(0...2)
      try publishers[target].send(frames)
      sent[target].append(frames)
    }
    try waitFor("2,000 messages") { recorder.status.messages == 2_000 }
    stop.request()
    let summary = try recorder.finish()
    #expect(summary.reason == .stopped && summary.isComplete && summary.indexFailure == nil)
    #expect(summary.status.messagesByEndpoint == sent.map { UInt64($0.count) })
    #expect(summary.status.bytes == sent.joined().reduce(0) { $0 + UInt64($1.joined().count) })
    #expect(summary.status.messagesIndexed == 2_000)

    let walk = try recorded()
    #expect(walk.isClean)
    for target in 0..<3 {
      let found = walk.inOrder.filter { Int($0.endpoint) == target }.map(\.frames)
      let isAll = found == sent[target]
      #expect(isAll, "endpoint \(target)")
    }
    let times = walk.inOrder.map(\.time)
    #expect(times == times.sorted() && times.allSatisfy { $0 > 0 })
    let reader = try IndexReader(Capture(path: path))
    #expect(reader.state == .sealed)
    #expect(try reader.overview().messages == 2_000)
  }

  @Test func onlyWhatIsSubscribedToIsRecorded() throws {
    let address = directory.endpoint("p")
    let publisher = try publisher(address)
    let recorder = try Recorder(plan([endpoint(address, [[0xFF, 0], [0x61]])]), stop: stop)
    try waitForSubscription(publisher, [0xFF, 0])
    try waitForSubscription(publisher, [0x61])
    for topic: [UInt8] in [[0xFF], [0xFF, 0, 1], [0x62], [0x61], []] {
      try publisher.send([topic, [7]])
    }
    try waitFor("two messages") { recorder.status.messages == 2 }
    stop.request()
    #expect(try recorder.finish().isComplete)
    #expect(try recorded().inOrder.map(\.frames) == [[[0xFF, 0, 1], [7]], [[0x61], [7]]])
  }

  @Test func aLimitOfMessagesIsKeptToTheMessage() throws {
    let address = directory.endpoint("p")
    let publisher = try publisher(address)
    var plan = plan([endpoint(address)])
    plan.messagesMax = 500
    let recorder = try Recorder(plan, stop: stop)
    try waitForSubscription(publisher)
    for number in 0..<2_000 { try publisher.send([Array("\(number)".utf8)]) }
    #expect(recorder.wait(nanoseconds: 20_000_000_000))
    let summary = try recorder.finish()
    #expect(summary.reason == .messages && summary.status.messages == 500 && summary.isComplete)
    #expect(summary.status.messagesByEndpoint == [500])
    #expect(try recorded().inOrder.map(\.frames) == (0..<500).map { [Array("\($0)".utf8)] })
  }

  @Test func aLimitOfBytesEndsWithTheMessageThatReachesIt() throws {
    let address = directory.endpoint("p")
    let publisher = try publisher(address)
    var plan = plan([endpoint(address)])
    plan.bytesMax = 1_001
    let recorder = try Recorder(plan, stop: stop)
    try waitForSubscription(publisher)
    for _ in 0..<100 { try publisher.send([[UInt8](repeating: 1, count: 100)]) }
    #expect(recorder.wait(nanoseconds: 20_000_000_000))
    let summary = try recorder.finish()
    #expect(summary.reason == .bytes && summary.status.messages == 11)
  }

  @Test func aLimitOfTimeEndsWithoutMessages() throws {
    var plan = plan([endpoint(directory.endpoint("nobody"))])
    plan.durationNanosecondsMax = 30_000_000
    let begun = CaptureClock.monotonicNanoseconds()
    let recorder = try Recorder(plan, stop: stop)
    #expect(recorder.wait(nanoseconds: 20_000_000_000))
    #expect(CaptureClock.monotonicNanoseconds() - begun >= 30_000_000)
    let summary = try recorder.finish()
    #expect(summary.reason == .duration && summary.status.messages == 0 && summary.isComplete)
    #expect(try recorded().isClean)
    #expect(try IndexReader(Capture(path: path)).topicRows().isEmpty)
  }

  /// No message twice, none out of order, and none of those that were counted is lost.
  @Test func aStopInTheMiddleLeavesABeginning() throws {
    let address = directory.endpoint("p")
    let publisher = try publisher(address)
    var plan = plan([endpoint(address)])
    plan.segmentSize = 1 << 20
    let recorder = try Recorder(plan, stop: stop)
    try waitForSubscription(publisher)
    var sent: UInt64 = 0
    while recorder.status.messages < 5_000 {
      try publisher.send([Array("\(sent)".utf8), [UInt8](repeating: 1, count: 100)])
      sent += 1
    }
    let before = recorder.status.messages
    stop.request()
    let summary = try recorder.finish()
    #expect(summary.reason == .stopped && summary.isComplete)
    #expect(summary.status.messages >= before && summary.status.messages <= sent)
    let walk = try recorded()
    #expect(walk.isClean && walk.order.count == Int(summary.status.messages))
    let isBeginning =
      walk.inOrder.map { $0.frames[0] } == (0..<walk.order.count).map { Array("\($0)".utf8) }
    #expect(isBeginning)
  }

  @Test func aBoundEndpointIsKnownByWhereItIs() throws {
    let recorder = try Recorder(
      plan([endpoint("tcp://127.0.0.1:*", isBound: true)]), stop: stop)
    let address = try #require(recorder.endpoints.first?.address)
    #expect(!address.contains("*"))
    let publisher = try Socket(.xpub, in: context)
    try publisher.set(.lingerMilliseconds, 0)
    try publisher.set(.receiveTimeoutMilliseconds, 20_000)
    try publisher.connect(address)
    try waitForSubscription(publisher)
    try publisher.send([[1]])
    try waitFor("a message") { recorder.status.messages == 1 }
    stop.request()
    _ = try recorder.finish()
    #expect(try Capture(path: path).manifest.endpoints.map(\.address) == [address])
  }

  @Test(arguments: ["nonsense", "tcp://", "foo://x", "ipc:///no/such/directory/x"])
  func aStartThatFailsLeavesNothingBehind(address: String) throws {
    let wrong = endpoint(address, isBound: address.hasPrefix("ipc"))
    #expect(throws: ZeroMQError.self) {
      _ = try Recorder(plan([endpoint(directory.endpoint("fine")), wrong]), stop: stop)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  /// A manifest that is written and too large to be read: it fails behind the first segment.
  @Test func aStartThatFailsLateLeavesNothingBehind() throws {
    var plan = plan([endpoint(directory.endpoint("p"))])
    plan.labels = ["large": String(repeating: "x", count: 17 << 20)]
    #expect(throws: StoreError.self) { _ = try Recorder(plan, stop: stop) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
  }

  @Test func aStartThatFailsLeavesWhatItWouldHaveGoneOnWith() throws {
    _ = try Capture.recorded(path, [TestMessage("kept")])
    let before = try fileTree(path)
    var plan = plan([endpoint("ipc:///no/such/directory/x", isBound: true)])
    plan.isAppending = true
    #expect(throws: ZeroMQError.self) { _ = try Recorder(plan, stop: stop) }
    #expect(try fileTree(path) == before)
  }

  /// Nothing is subscribed to before what else it needs is there.
  @Test(arguments: [false, true])
  func aStartThatCannotBePreparedRecordsNothing(isAppending: Bool) throws {
    if isAppending { _ = try Capture.recorded(path, [TestMessage("kept")]) }
    var plan = plan([endpoint(directory.endpoint("p"))])
    plan.isAppending = isAppending
    #expect(throws: TestFailure.self) {
      _ = try Recorder(plan, stop: stop) { throw TestFailure("not to be had") }
    }
    guard isAppending else {
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
      return
    }
    let walk = try recorded()
    #expect(walk.isClean && walk.inOrder == [TestMessage("kept")])
    let capture = try Capture(path: path)
    #expect(try IndexReader(capture).state == .sealed)
    #expect(try IndexVerification.verify(capture) == .ok, "it knows of the segment that was begun")
  }

  @Test func whatIsThereIsNotRecordedOver() throws {
    _ = try Capture.recorded(path, [TestMessage("kept")])
    #expect(throws: StoreError.captureExists(path: path)) {
      _ = try Recorder(plan([endpoint(directory.endpoint("p"))]), stop: stop)
    }
    #expect(try recorded().inOrder == [TestMessage("kept")])
  }

  @Test func aCaptureThatIsDeletedMeanwhileDoesNotHoldUpTheEnd() throws {
    let address = directory.endpoint("p")
    let publisher = try publisher(address)
    let recorder = try Recorder(plan([endpoint(address)]), stop: stop)
    try waitForSubscription(publisher)
    try publisher.send([[1]])
    try waitFor("a message") { recorder.status.messages == 1 }
    // The recorder may be making files there.
    try waitFor("the capture to be gone") {
      try? FileManager.default.removeItem(atPath: path)
      return !FileManager.default.fileExists(atPath: path)
    }
    stop.request()
    let summary = try recorder.finish()
    #expect(summary.sealFailure != nil, "it is not there any more, and that is told")
    #expect(summary.reason == .stopped && summary.failure == nil && !summary.isComplete)
  }
}
