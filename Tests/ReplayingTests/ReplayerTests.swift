import CaptureIndex
import CaptureStore
import Foundation
import TestSupport
import Testing
import Threads
import ZeroMQ

@testable import Replaying

/// Whole replays over ipc: what was recorded is what subscribers receive.
@Suite(.timeLimit(.minutes(1))) struct ReplayerTests {
  private let directory: TemporaryDirectory
  private let stop = StopToken()
  private var endpoint: String { directory.endpoint("r") }

  init() throws { directory = try TemporaryDirectory() }

  private func capture(_ messages: [TestMessage], endpoints: Int = 1) throws -> IndexReader {
    try IndexReader(
      Capture.recorded(
        directory.file("c"), messages, manifest: .test(endpoints: endpoints),
        segmentSize: 256 << 10))
  }

  private func target(_ name: String) -> ReplayPlan.Target {
    ReplayPlan.Target(address: directory.endpoint(name), isBound: true)
  }

  /// At full speed, for one peer that is waited for.
  private func plan(kind: ReplayPlan.SocketKind = .pub) -> ReplayPlan {
    var plan = ReplayPlan(routing: .single(target("r")))
    plan.kind = kind
    plan.pace = .max
    plan.peersAwaited = 1
    plan.waitNanosecondsMax = 20_000_000_000
    return plan
  }

  private func numbered(_ count: Int, size: Int = 0, endpoints: Int = 1) -> [TestMessage] {
    (0..<count).map { number in
      TestMessage(
        endpoint: UInt16(number % endpoints), time: Int64(number) * 1_000,
        [Array("t".utf8), Array("\(number)".utf8), [UInt8](repeating: 7, count: size)])
    }
  }

  /// Runs a replay on a thread of its own, stops it when a condition holds, and gives its summary.
  private func run(
    _ replayer: Replayer, stoppingWhen condition: () throws -> Bool
  ) throws -> ReplaySummary {
    let outcome = Guarded<ReplaySummary?>(nil)
    let thread = WorkerThread(name: "replay") {
      let summary = try? replayer.run()
      outcome.withLock { $0 = summary }
    }
    try waitFor("the time to stop", condition)
    stop.request()
    thread.join()
    return try #require(outcome.withLock { $0 })
  }

  @Test func subscribersReceiveWhatWasRecorded() throws {
    var random = SplitMix64()
    var messages: [TestMessage] = []
    for number in 0..<300 {
      let frameCount = random.int(1...(number % 100 == 0 ? 200 : 4))
      let sizeMax = number % 30 == 0 ? 1 << 20 : 10_000
      let frames = (0..<frameCount).map { _ in random.bytes(random.size(max: sizeMax)) }
      messages.append(TestMessage(time: Int64(number) * 1_000, frames))
    }
    let subscribers = (0..<2).map { _ in SubscriberThread(.sub, endpoint, count: 300) }
    var plan = plan()
    plan.peersAwaited = 2
    let summary = try Replayer([ReplaySource(capture(messages))], plan, stop: stop).run()
    #expect(summary.messages == 300 && summary.isComplete)
    #expect(summary.bytes == UInt64(messages.reduce(0) { $0 + $1.bytes }))
    #expect(summary.timelineNanoseconds == 299_000 && summary.endpointsWithoutPeer.isEmpty)
    for subscriber in subscribers {
      let isAll = subscriber.messages() == messages.map(\.frames)
      #expect(isAll)
    }
  }

  @Test func loopsFollowOneAnother() throws {
    let messages = numbered(100)
    var plan = plan()
    plan.loops = 3
    plan.pace = .rate(1)
    let subscriber = SubscriberThread(.sub, endpoint, count: 300)
    let summary = try Replayer([ReplaySource(capture(messages))], plan, stop: stop).run()
    #expect(summary.messages == 300 && summary.isComplete)
    #expect(summary.timelineNanoseconds == 3 * 99_000)
    #expect(summary.durationNanoseconds >= 3 * 99_000)
    #expect(subscriber.messages() == (0..<3).flatMap { _ in messages.map(\.frames) })
  }

  /// Without end it would be a flood; a number of loops ends, and so does none.
  @Test func anEndlessLoopOfOneMomentIsRefused() throws {
    let index = try capture([TestMessage(time: 5, "t", "x"), TestMessage(time: 5, "u", "y")])
    var plan = plan()
    plan.peersAwaited = 0
    plan.pace = .rate(1)
    plan.loops = nil
    let error = #expect(throws: ReplayError.self) {
      try Replayer([ReplaySource(index)], plan, stop: stop).run()
    }
    #expect(error?.description.contains("--msgs-per-second") == true)
    plan.loops = 3
    #expect(try Replayer([ReplaySource(index)], plan, stop: stop).run().messages == 6)
  }

  @Test(arguments: [1.0, 4.0]) func theRecordedPaceIsKeptAndDivided(rate: Double) throws {
    var plan = plan()
    plan.peersAwaited = 0
    plan.pace = .rate(rate)
    let index = try capture((0..<20).map { TestMessage(time: $0 * 5_000_000, "t", "x") })
    let summary = try Replayer([ReplaySource(index)], plan, stop: stop).run()
    #expect(Double(summary.durationNanoseconds) >= 95_000_000 / rate)
    #expect(summary.timelineNanoseconds == 95_000_000)
    #expect(summary.endpointsWithoutPeer == [endpoint])
  }

  @Test(arguments: ["ipc", "tcp"])
  func aSlowSubscriberHoldsTheReplayUpAndLosesNothing(transport: String) throws {
    let messages = numbered(3_000, size: 4_000)
    var plan = plan()
    let address = transport == "ipc" ? endpoint : "tcp://127.0.0.1:*"
    plan.routing = .single(ReplayPlan.Target(address: address, isBound: true))
    plan.sendHighWaterMark = 10
    let replayer = try Replayer([ReplaySource(capture(messages))], plan, stop: stop)
    let subscriber = SubscriberThread(
      .sub, replayer.endpoints[0], count: 3_000, highWaterMark: 10, pauseMicroseconds: 100)
    let summary = try replayer.run()
    #expect(summary.messages == 3_000 && summary.isComplete)
    #expect(summary.heldNanoseconds > 0)
    let received = subscriber.messages()
    #expect(received.count == 3_000)
    let wrong = zip(received, messages).map { $0 == $1.frames }.firstIndex(of: false)
    #expect(wrong == nil)
  }

  /// 10,000 small messages may wait, and as many pictures as take 128 MiB.
  @Test(arguments: [
    (0, 0, 1_000), (1_000, 64_000, 10_000), (10, 10 << 20, 128), (3, 3 << 32, 16), (5, 0, 10_000),
  ])
  func copiesThatWaitAreLimitedByTheirBytes(messages: Int64, bytes: Int64, expected: Int) {
    var plan = plan()
    plan.limitCopies(ofMessages: messages, bytes: bytes)
    #expect(plan.sendHighWaterMark == ReplayPlan.sendHighWaterMarkDefault)
    var (follower, writer) = (plan, plan)
    follower.followNanoseconds = 0
    follower.limitCopies(ofMessages: messages, bytes: bytes)
    #expect(follower.sendHighWaterMark == expected)
    // Frames that are written to are copied.
    writer.topicMappings = [.init(old: [], new: [1])]
    writer.limitCopies(ofMessages: messages, bytes: bytes)
    #expect(writer.sendHighWaterMark == expected)
  }

  @Test func aSubscriberThatDoesNotReadDoesNotHoldUpAStop() throws {
    var plan = plan()
    plan.sendHighWaterMark = 10
    plan.loops = nil
    let socket = try Socket(.sub, in: Context())
    try socket.set(.receiveHighWaterMark, 10)
    try socket.set(.lingerMilliseconds, 0)
    try socket.subscribe("")
    try socket.connect(endpoint)
    let source = try ReplaySource(capture(numbered(1_000, size: 4_000)))
    let replayer = try Replayer([source], plan, stop: stop)
    var held: (at: UInt64, since: Int64) = (0, 0)
    let summary = try run(replayer) {
      // Of two looks at the same message, a busy machine may be the cause; of a wait that grows, not.
      let status = replayer.status
      if status.messages != held.at { held = (status.messages, status.heldNanoseconds) }
      return status.heldNanoseconds - held.since > 200_000_000
    }
    #expect(summary.isStopped && summary.isCutShort && !summary.isComplete)
    #expect(try socket.lastEndpoint == endpoint)
  }

  /// Who reads steadily, however slowly, has not stalled; who reads nothing has, wherever more waits.
  @Test(arguments: ["ipc", "tcp"])
  func onlyAPeerThatTakesNothingIsDropped(transport: String) throws {
    let count = 1_800
    var plan = plan()
    let address = transport == "ipc" ? endpoint : "tcp://127.0.0.1:*"
    plan.routing = .single(ReplayPlan.Target(address: address, isBound: true))
    // Room is seen when half of these have left: 1.5 s with 3 ms each.
    plan.sendHighWaterMark = 1_000
    plan.peersAwaited = 2
    plan.stallNanosecondsMax = 1_000_000_000
    plan.stall = .dropPeer
    let source = try ReplaySource(capture(numbered(count, size: 16_000)))
    let replayer = try Replayer([source], plan, stop: stop)
    let steady = SubscriberThread(
      .sub, replayer.endpoints[0], count: count, highWaterMark: 10, pauseMicroseconds: 3_000)
    let stuck = try Socket(.sub, in: Context())
    try stuck.set(.receiveHighWaterMark, 10)
    try stuck.set(.lingerMilliseconds, 0)
    try stuck.set(.reconnectIntervalMilliseconds, nil)
    try stuck.subscribe("")
    try stuck.connect(replayer.endpoints[0])
    let summary = try replayer.run()
    #expect(summary.peersDropped == 1 && summary.messages == UInt64(count))
    #expect(steady.messages().count == count)
    withExtendedLifetime(stuck) {}
  }

  @Test func aStopIsObeyedWhileTheEndWaitsForPeers() throws {
    var plan = plan()
    plan.lingerNanoseconds = 600_000_000_000
    let socket = try Socket(.sub, in: Context())
    try socket.set(.receiveHighWaterMark, 10)
    try socket.set(.lingerMilliseconds, 0)
    try socket.subscribe("")
    try socket.connect(endpoint)
    let source = try ReplaySource(capture(numbered(2_000, size: 4_000)))
    let replayer = try Replayer([source], plan, stop: stop)
    let summary = try run(replayer) { replayer.status.phase == .draining }
    #expect(summary.messages == 2_000 && summary.isCutShort)
    #expect(summary.lingerNanoseconds < 600_000_000_000)
    withExtendedLifetime(socket) {}
  }

  @Test func endlessLoopsEndWithAStop() throws {
    let messages = numbered(50)
    var plan = plan()
    plan.loops = nil
    let subscriber = SubscriberThread(
      .sub, endpoint, count: .max, quietMilliseconds: 2_000)
    let replayer = try Replayer([ReplaySource(capture(messages))], plan, stop: stop)
    let summary = try run(replayer) { subscriber.count > 500 }
    #expect(summary.isStopped && summary.messages > 500)
    let received = subscriber.messages()
    #expect(received.count > 500 && received.count <= Int(summary.messages))
    let isInOrder = received.enumerated().allSatisfy { $1 == messages[$0 % 50].frames }
    #expect(isInOrder)
  }

  @Test func pullersShareWhatIsPushed() throws {
    let messages = numbered(1_000)
    var plan = plan(kind: .push)
    plan.peersAwaited = 2
    let pullers = (0..<2).map { _ in SubscriberThread(.pull, endpoint, count: 500) }
    let summary = try Replayer([ReplaySource(capture(messages))], plan, stop: stop).run()
    #expect(summary.isComplete && summary.messages == 1_000)
    let received = pullers.map { $0.messages() }
    #expect(received.map(\.count) == [500, 500])
    #expect(Set(received.joined()) == Set(messages.map(\.frames)))
  }

  @Test func endpointsGoWhereTheyAreMapped() throws {
    let messages = numbered(300, endpoints: 3)
    var plan = plan()
    plan.routing = .byEndpoint([("ipc://2", target("two")), ("ipc://0", target("zero"))])
    let subscribers = ["two", "zero"].map {
      SubscriberThread(.sub, directory.endpoint($0), count: 100)
    }
    let source = try ReplaySource(capture(messages, endpoints: 3))
    let summary = try Replayer([source], plan, stop: stop).run()
    #expect(summary.messages == 200 && summary.isComplete)
    for (subscriber, endpoint) in zip(subscribers, [2, 0]) {
      #expect(subscriber.messages() == messages.filter { $0.endpoint == endpoint }.map(\.frames))
    }
  }

  /// What is sent nowhere lies in blocks of its own: they are not read, however many there are.
  @Test func whatIsSentNowhereIsNotRead() throws {
    let messages = (0..<2_000).map { number in
      TestMessage(
        endpoint: number < 100 ? 0 : 1, time: Int64(number) * 1_000_000,
        [Array("t".utf8), Array("\(number)".utf8), [UInt8](repeating: 7, count: 1_000)])
    }
    let index = try capture(messages, endpoints: 2)
    let last = try #require(index.capture.segmentFiles().last)
    let path = CapturePath.segment(index.capture.path, last.number)
    var bytes = try Data(contentsOf: URL(filePath: path))
    for place in stride(from: 4096, to: bytes.count, by: 512) { bytes[place] ^= 1 }
    try bytes.write(to: URL(filePath: path))
    var plan = plan()
    plan.routing = .byEndpoint([("ipc://0", target("r"))])
    let subscriber = SubscriberThread(.sub, endpoint, count: 100)
    let summary = try Replayer([ReplaySource(index)], plan, stop: stop).run()
    #expect(summary.messages == 100 && summary.damages == 0)
    #expect(subscriber.messages() == messages.prefix(100).map(\.frames))
  }

  /// A message of ZeroMQ has a frame; a capture of another program may have one without.
  @Test(arguments: [false, true]) func whatHasNoFramesCannotBeSent(isMapped: Bool) throws {
    var messages = numbered(10)
    messages[4].frames = []
    var plan = plan()
    if isMapped {
      plan.topicMappings = [.init(old: Array("t".utf8), new: Array("u".utf8))]
    }
    let subscriber = SubscriberThread(.sub, endpoint, count: 9)
    let summary = try Replayer([ReplaySource(capture(messages))], plan, stop: stop).run()
    #expect(summary.messages == 9 && summary.damages == 1 && !summary.isComplete)
    #expect(subscriber.messages().count == 9)
  }

  /// It may take longer to send than what comes behind it may be late.
  @Test func nothingIsLateByTheStateBeforeIt() throws {
    let states = 300
    var messages = (0..<states).map {
      TestMessage(time: Int64($0), [Array("t/\($0)".utf8), [UInt8](repeating: 1, count: 16 << 10)])
    }
    for number in 0..<10 {
      messages.append(TestMessage(time: 1_000_000 + Int64(number) * 10_000_000, "u", "\(number)"))
    }
    let index = try capture(messages)
    var selection = Selection()
    selection.from = try #require(index.overview().first) + 1_000_000
    var plan = plan()
    plan.pace = .rate(1)
    plan.stateFirst = [Array("t/".utf8)]
    plan.late = .drop
    plan.latenessMax = 700_000_000
    plan.sendHighWaterMark = 10
    let subscriber = SubscriberThread(
      .sub, endpoint, count: states + 10, highWaterMark: 10, pauseMicroseconds: 5_000)
    let summary = try Replayer([ReplaySource(index, selection)], plan, stop: stop).run()
    #expect(summary.messagesOfState == UInt64(states) && summary.messages == 10)
    #expect(summary.messagesDropped == 0)
    #expect(subscriber.messages().count == states + 10)
  }

  @Test func theStateIsOfTheSelectedCodecs() throws {
    let messages = [
      TestMessage(time: 0, "t/json", #"{"a":1}"#), TestMessage(time: 1, "t/raw", "\u{1}\u{2}"),
      TestMessage(time: 1_000_000, "t/json", #"{"a":2}"#),
    ]
    let index = try capture(messages)
    var selection = Selection()
    selection.codecs = ["json"]
    selection.from = try #require(index.overview().first) + 1_000_000
    var plan = plan()
    plan.stateFirst = [Array("t/".utf8)]
    let subscriber = SubscriberThread(.sub, endpoint, count: 2)
    let summary = try Replayer([ReplaySource(index, selection)], plan, stop: stop).run()
    #expect(summary.messagesOfState == 1 && summary.messages == 1)
    #expect(subscriber.messages() == [messages[0].frames, messages[2].frames])
  }

  /// However long the next message is waited for, and in a pause behind the last one.
  @Test(arguments: [false, true]) func answersOfDealersAreRead(isPaused: Bool) throws {
    let messages = [
      TestMessage(time: 0, "t", "0"), TestMessage(time: 3_600_000_000_000, "t", "1"),
    ]
    var plan = plan(kind: .dealer)
    plan.pace = .rate(1)
    let control = ReplayControl()
    if isPaused { control.ask(.step(2)) }
    let source = try ReplaySource(capture(messages))
    let replayer = try Replayer([source], plan, stop: stop, control: control)
    let peer = try Socket(.dealer, in: Context())
    try peer.set(.lingerMilliseconds, 0)
    try peer.set(.sendHighWaterMark, 10)
    try peer.set(.sendTimeoutMilliseconds, 20_000)
    try peer.connect(endpoint)
    let summary = try run(replayer) {
      for message in messages.prefix(isPaused ? 2 : 1) {
        #expect(try peer.receiveFrames() == message.frames)
      }
      for _ in 0..<50_000 { try peer.send([[UInt8](repeating: 1, count: 64)]) }
      return true
    }
    #expect(summary.messages == (isPaused ? 2 : 1) && summary.isStopped == !isPaused)
  }

  @Test func onlyTheSelectionIsSent() throws {
    let messages = (0..<200).map {
      TestMessage(time: Int64($0), $0 % 4 == 0 ? "a/x" : "b", "\($0)")
    }
    var selection = Selection()
    selection.topicPrefixes = [Array("a/".utf8)]
    let subscriber = SubscriberThread(.sub, endpoint, count: 50)
    let source = try ReplaySource(capture(messages), selection)
    let summary = try Replayer([source], plan(), stop: stop).run()
    #expect(summary.messages == 50)
    #expect(subscriber.messages() == messages.filter { $0.frames[0].count == 3 }.map(\.frames))
  }

  @Test func damagedMessagesAreCountedAndTheRestIsSent() throws {
    let messages = numbered(100)
    let index = try capture(messages)
    let path = CapturePath.segment(index.capture.path, 0)
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[4096 + 32 + 24] ^= 1
    try bytes.write(to: URL(filePath: path))
    let subscriber = SubscriberThread(.sub, endpoint, count: 99)
    let summary = try Replayer([ReplaySource(index)], plan(), stop: stop).run()
    #expect(summary.messages == 99 && summary.damages == 1 && !summary.isComplete)
    #expect(subscriber.messages() == messages.dropFirst().map(\.frames))
  }

  @Test func whatCannotBePlayedIsTold() throws {
    let index = try capture(numbered(10))
    func reason(_ plan: ReplayPlan, _ selection: Selection = Selection()) -> String {
      let error = #expect(throws: ReplayError.self) {
        _ = try Replayer([ReplaySource(index, selection)], plan, stop: stop).run()
      }
      return error?.description ?? ""
    }
    var plan = plan()
    plan.peersAwaited = 2
    plan.waitNanosecondsMax = 20_000_000
    #expect(reason(plan).contains(": only 0 of 2 subscribers came within"))
    var selection = Selection()
    selection.topicPrefixes = [[1]]
    #expect(reason(plan, selection).contains("no message matches the selection"))
    plan.routing = .byEndpoint([("ipc://9", target("r"))])
    #expect(reason(plan).hasPrefix("ipc://9: not an endpoint of the capture"))
  }
}
