import CaptureIndex
import CaptureStore
import Foundation
import TestSupport
import Testing
import Threads
import ZeroMQ

@testable import Replaying

/// What a replay does when it is told to, against a model of its timeline.
@Suite(.timeLimit(.minutes(1))) struct ReplayControlTests {
  private static let wait: Int64 = 20_000_000_000
  private static let step: Int64 = 1_000_000
  private static let count = 400

  private let directory: TemporaryDirectory
  private let stop = StopToken()
  private let control = ReplayControl()

  init() throws { directory = try TemporaryDirectory() }

  /// A message each millisecond that says its number.
  private func replayer(_ change: (inout ReplayPlan) -> Void = { _ in }) throws -> Replayer {
    let messages = (0..<Self.count).map {
      TestMessage(time: Int64($0) * Self.step, "t/\($0 % 7)", "\($0)")
    }
    let index = try IndexReader(
      Capture.recorded(directory.file("c"), messages, segmentSize: 64 << 10))
    let target = ReplayPlan.Target(address: directory.endpoint("r"), isBound: true)
    var plan = ReplayPlan(routing: .single(target))
    plan.peersAwaited = 1
    plan.waitNanosecondsMax = Self.wait
    change(&plan)
    return try Replayer([ReplaySource(index)], plan, stop: stop, control: control)
  }

  /// Runs a replay on a thread of its own while `body` controls it, then stops it.
  private func play(
    _ replayer: Replayer, _ body: () throws -> Void
  ) throws -> (summary: ReplaySummary, numbers: [Int]) {
    let subscriber = SubscriberThread(
      .sub, replayer.endpoints[0], count: .max, quietMilliseconds: 1_500)
    let outcome = Guarded<ReplaySummary?>(nil)
    let thread = WorkerThread(name: "replay") {
      let summary = try? replayer.run()
      outcome.withLock { $0 = summary }
    }
    try body()
    stop.request()
    thread.join()
    let numbers = subscriber.messages().compactMap { Int(String(decoding: $0[1], as: UTF8.self)) }
    return (try #require(outcome.withLock { $0 }), numbers)
  }

  private func ask(_ verb: ReplayControl.Verb) throws {
    let number = control.ask(verb)
    #expect(control.waitUntilObeyed(number, nanoseconds: Self.wait), "\(verb)")
  }

  private func waitForMessages(_ count: Int, _ replayer: Replayer) throws {
    try waitFor("\(count) messages") { replayer.status.messages >= UInt64(count) }
  }

  @Test func seeksAndStepsInAPauseSendWhatTheTimelineHasThere() throws {
    var random = SplitMix64()
    var expected: [Int] = []
    let replayer = try replayer { $0.loops = 1_000 }
    control.ask(.pause)
    let (summary, numbers) = try play(replayer) {
      for _ in 0..<60 {
        // Between two messages, on one, and behind the last.
        let place = Int64(random.int(0...Self.count)) * Self.step - Int64(random.int(0...1))
        try ask(.seek(place))
        let steps = random.int(1...20)
        try ask(.step(steps))
        let first = max(0, Int((place + Self.step - 1) / Self.step))
        for number in first..<first + steps { expected.append(number % Self.count) }
        try waitForMessages(expected.count, replayer)
        #expect(replayer.status.isPaused)
      }
    }
    #expect(numbers == expected)
    #expect(summary.messages == UInt64(expected.count) && summary.isStopped)
  }

  @Test func asManyStepsAsThereAreNumbersAreAllOfIt() throws {
    let replayer = try replayer()
    for _ in 0..<2 { control.ask(.step(.max)) }
    let (summary, numbers) = try play(replayer) { try waitForMessages(Self.count, replayer) }
    #expect(numbers == Array(0..<Self.count) && summary.messages == UInt64(Self.count))
  }

  /// The answer to a step comes when its messages are sent, and a seek takes back what is left of it.
  @Test func stepsAreSentBeforeTheyAreObeyedAndNotBehindASeek() throws {
    let replayer = try replayer()
    control.ask(.pause)
    let (_, numbers) = try play(replayer) {
      for _ in 0..<20 {
        let before = replayer.status.messages
        try ask(.step(3))
        #expect(replayer.status.messages == before + 3)
      }
      // In one go, so that none of them is sent in between.
      control.ask(.step(1_000_000))
      try ask(.seek(10 * Self.step))
      let before = replayer.status.messages
      try ask(.step(1))
      #expect(replayer.status.messages == before + 1)
    }
    #expect(numbers.last == 10 && numbers.prefix(60) == Array(0..<60)[...])
  }

  /// Verbs that come together are obeyed in their order: steps are sent before a seek behind them.
  @Test func stepsAreSentWhereTheyWereAskedFor() throws {
    let replayer = try replayer()
    let verbs: [ReplayControl.Verb] = [
      .pause, .step(3), .seek(100 * Self.step), .step(2), .seek(300 * Self.step), .step(1), .pause,
    ]
    for verb in verbs { control.ask(verb) }
    let (_, numbers) = try play(replayer) {
      try waitForMessages(6, replayer)
      let number = control.ask(.rate(2))
      #expect(control.waitUntilObeyed(number, nanoseconds: Self.wait))
    }
    #expect(numbers == [0, 1, 2, 100, 101, 300])
  }

  /// Something that goes on all the time while steps are sent.
  enum Disturbance: CaseIterable {
    /// The bell may ring late for what was taken already.
    case bell
    /// Whoever asks for something else waits as long as what is held.
    case verb
  }

  /// Steps go on, and what is held waits for them.
  @Test(arguments: Disturbance.allCases) func nothingEndsStepsButTheirEnd(
    disturbance: Disturbance
  ) throws {
    let replayer = try replayer()
    let verbs: [ReplayControl.Verb] = [.pause, .step(300), .seek(350 * Self.step), .step(1)]
    for verb in verbs { control.ask(verb) }
    let isOver = StopToken()
    let disturber = WorkerThread(name: "disturb") { [control] in
      while !isOver.isRequested {
        switch disturbance {
        case .bell: control.bell.ring()
        case .verb:
          control.ask(.rate(2))
          usleep(50)
        }
      }
    }
    let (_, numbers) = try play(replayer) {
      defer {
        isOver.request()
        disturber.join()
      }
      try waitForMessages(301, replayer)
    }
    #expect(numbers == Array(0..<300) + [350])
  }

  @Test func aPauseIsNoPartOfTheDuration() throws {
    let replayer = try replayer()
    let begun = CaptureClock.monotonicNanoseconds()
    var (paused, played): (Int64, Int64) = (0, 0)
    let (summary, _) = try play(replayer) {
      try waitForMessages(10, replayer)
      try ask(.pause)
      let pausedAt = CaptureClock.monotonicNanoseconds()
      _ = stop.wait(untilMonotonicNanoseconds: pausedAt + 300_000_000)
      paused = CaptureClock.monotonicNanoseconds() - pausedAt
      try ask(.resume)
      try waitFor("the end") { replayer.status.phase == .draining }
      played = CaptureClock.monotonicNanoseconds() - begun - paused
    }
    #expect(summary.durationNanoseconds <= played)
    #expect(summary.durationNanoseconds >= Int64(Self.count - 1) * Self.step)
  }

  /// A capture that is being recorded, and what replays it while it is.
  private func live(
    _ change: (inout ReplayPlan) -> Void = { _ in }
  ) throws -> (CaptureWriter, Replayer) {
    let path = directory.file("live")
    let writer = try CaptureWriter(
      creating: path, manifest: .test(), segmentSize: CaptureWriter.segmentSizes.lowerBound)
    for number in 0..<10 { try writer.append(TestMessage(time: Int64(number), "t", "\(number)")) }
    var plan = ReplayPlan(
      routing: .single(.init(address: directory.endpoint("live"), isBound: true)))
    plan.peersAwaited = 1
    plan.followNanoseconds = 0
    change(&plan)
    let index = try IndexReader(Capture(path: path))
    return (writer, try Replayer([ReplaySource(index)], plan, stop: stop, control: control))
  }

  /// What was recorded in a pause is caught up with, and not late.
  @Test func aPauseMakesNothingLateThatIsFollowed() throws {
    let limit: Int64 = 100_000_000
    let (writer, replayer) = try live {
      $0.late = .drop
      $0.latenessMax = limit
    }
    let (summary, numbers) = try play(replayer) {
      try waitForMessages(10, replayer)
      try ask(.pause)
      for number in 10..<20 {
        try writer.append(
          TestMessage(time: CaptureClock.monotonicNanoseconds(), "t", "\(number)"))
      }
      _ = stop.wait(untilMonotonicNanoseconds: CaptureClock.monotonicNanoseconds() + 2 * limit)
      try ask(.resume)
      try waitForMessages(20, replayer)
    }
    #expect(numbers == Array(0..<20) && summary.messagesDropped == 0)
    try writer.finish()
  }

  @Test func aRecordingThatIsFollowedKeepsItsPace() throws {
    let (writer, replayer) = try live()
    control.ask(.faster(2))
    let (summary, numbers) = try play(replayer) {
      try waitForMessages(10, replayer)
      try ask(.rate(4))
      #expect(replayer.status.rate == 1)
    }
    #expect(numbers == Array(0..<10) && summary.messages == 10)
    try writer.finish()
  }

  @Test func aStopInAPauseBehindTheLastMessageIsTheEnd() throws {
    let replayer = try replayer()
    control.ask(.pause)
    let (summary, _) = try play(replayer) {
      try ask(.step(Self.count))
      // Obeyed where there is nothing left.
      try ask(.step(1))
    }
    #expect(!summary.isStopped && summary.isComplete && summary.achievedRate == nil)
    #expect(summary.messages == UInt64(Self.count))
  }

  /// Who leaves when everything was sent was not too early.
  @Test func whoLeavesBehindTheLastMessageHasEverything() throws {
    let replayer = try replayer()
    control.ask(.pause)
    let subscriber = SubscriberThread(.sub, replayer.endpoints[0], count: Self.count)
    let outcome = Guarded<ReplaySummary?>(nil)
    let thread = WorkerThread(name: "replay") {
      let summary = try? replayer.run()
      outcome.withLock { $0 = summary }
    }
    try ask(.step(Self.count))
    #expect(subscriber.messages().count == Self.count)
    control.ask(.resume)
    thread.join()
    let summary = try #require(outcome.withLock { $0 })
    #expect(summary.endpointsLeft == [] && summary.messages == UInt64(Self.count))
  }

  /// No further than the end.
  @Test func aSeekBehindTheEndIsOneToTheEnd() throws {
    let replayer = try replayer()
    control.ask(.pause)
    _ = try play(replayer) {
      try ask(.seek(1_000_000_000_000_000))
      #expect(replayer.status.positionNanoseconds <= replayer.spanNanoseconds + 1)
      try ask(.move(-Self.step / 2))
      let place = replayer.status.positionNanoseconds
      #expect(place > 0 && place < replayer.spanNanoseconds)
    }
  }

  @Test func whoIsPausedAtTheEndMayGoBack() throws {
    let replayer = try replayer()
    control.ask(.pause)
    let (summary, numbers) = try play(replayer) {
      try ask(.seek(Int64(2 * Self.count) * Self.step))
      try ask(.step(1))
      #expect(replayer.status.isPaused && replayer.status.phase == .playing)
      try ask(.seek(Int64(Self.count - 1) * Self.step))
      try ask(.step(1))
      try waitForMessages(1, replayer)
      try ask(.seek(0))
      try ask(.step(1))
      try waitForMessages(2, replayer)
    }
    #expect(numbers == [Self.count - 1, 0] && summary.isStopped)
  }

  @Test func nothingIsMissingOrDoubledWhateverTheRatesAndPausesAre() throws {
    var random = SplitMix64()
    let replayer = try replayer { $0.loops = nil }
    let (summary, numbers) = try play(replayer) {
      for _ in 0..<40 {
        try ask(.rate([0.5, 3, 10, 200].randomElement(using: &random)!))
        try ask(.toggle)
        try ask(.toggle)
      }
      try ask(.rate(1_000))
      try waitForMessages(5 * Self.count, replayer)
    }
    #expect(numbers.count == Int(summary.messages))
    #expect(numbers == numbers.indices.map { $0 % Self.count })
  }

  /// It stands between two messages, and not at the last one.
  @Test func aPauseIsWhereItWasMade() throws {
    let hour: Int64 = 3_600_000_000_000
    let messages = (0..<3).map { TestMessage(time: Int64($0) * hour, "t", "\($0)") }
    let index = try IndexReader(Capture.recorded(directory.file("long"), messages))
    let target = ReplayPlan.Target(address: directory.endpoint("long"), isBound: true)
    var plan = ReplayPlan(routing: .single(target))
    plan.peersAwaited = 1
    let replayer = try Replayer([ReplaySource(index)], plan, stop: stop, control: control)
    _ = try play(replayer) {
      try waitForMessages(1, replayer)
      let gone: Int64 = 50_000_000
      _ = stop.wait(untilMonotonicNanoseconds: CaptureClock.monotonicNanoseconds() + gone)
      try ask(.pause)
      let place = replayer.status.positionNanoseconds
      #expect(place >= gone)
      try ask(.move(hour))
      #expect(replayer.status.positionNanoseconds == place + hour)
    }
  }

  /// While a message is held up the clock stands where that is.
  @Test func theClockDoesNotGoBackWhileAMessageIsHeldUp() throws {
    let counters = ReplayCounters(keepsTime: true)
    counters.setPhase(.playing)
    counters.setState(isPaused: false, .rate(1))
    let now = CaptureClock.monotonicNanoseconds()
    counters.setNext(now, position: 5_000)
    counters.setHeld(1)
    #expect(counters.timelineTime?.position(at: now + 1_000_000) == 5_000)
    // At another rate it goes on from where it is.
    counters.setState(isPaused: false, .rate(10), next: (due: now + 100, position: 6_000))
    #expect(counters.timelineTime?.position(at: now) == 5_000)
  }

  @Test func aMoveCountsFromWhereItIs() throws {
    let replayer = try replayer()
    control.ask(.pause)
    let (_, numbers) = try play(replayer) {
      try ask(.seek(100 * Self.step))
      try ask(.step(1))
      try waitForMessages(1, replayer)
      try ask(.move(50 * Self.step))
      try ask(.step(1))
      try waitForMessages(2, replayer)
      try ask(.move(-1_000 * Self.step))
      try ask(.step(1))
      try waitForMessages(3, replayer)
    }
    #expect(numbers == [100, 150, 0])
  }

  @Test func theNextMarkIsTheNextThingThatHappened() throws {
    let replayer = try replayer()
    // A record that is damaged is one: it lies behind the last message before it.
    let path = CapturePath.segment(directory.file("c"), 0)
    var bytes = try Data(contentsOf: URL(filePath: path))
    let text = Data("\(Self.count / 2)".utf8)
    let place = try #require(bytes.range(of: text))
    bytes[place.lowerBound] ^= 1
    try bytes.write(to: URL(filePath: path))
    _ = replayer
    let damaged = try IndexReader(Capture(path: directory.file("c")))
    let marks = try damaged.ledger(Selection()).compactMap(\.time)
    try #require(!marks.isEmpty)
    let first = try #require(damaged.overview().first)
    let target = ReplayPlan.Target(address: directory.endpoint("m"), isBound: true)
    var plan = ReplayPlan(routing: .single(target))
    plan.peersAwaited = 1
    let marked = try Replayer([ReplaySource(damaged)], plan, stop: stop, control: control)
    control.ask(.pause)
    let (_, numbers) = try play(marked) {
      try ask(.nextMark)
      try ask(.step(1))
      try waitForMessages(1, marked)
      // Behind the last one it goes on as it did.
      for _ in marks { try ask(.nextMark) }
      try ask(.step(1))
      try waitForMessages(2, marked)
    }
    let number = Int((marks[0] - first) / Self.step)
    #expect(numbers.first == number && numbers.count == 2)
  }

  /// What lies behind a cut is zero to the end of its page, which here is the end of all.
  @Test func whatWasReadAheadOfACutIsNotSent() throws {
    let messages = (0..<20).map { TestMessage(time: Int64($0), "t", "\($0)") }
    let index = try IndexReader(Capture.recorded(directory.file("short"), messages))
    let target = ReplayPlan.Target(address: directory.endpoint("short"), isBound: true)
    var plan = ReplayPlan(routing: .single(target))
    plan.peersAwaited = 1
    let replayer = try Replayer([ReplaySource(index)], plan, stop: stop, control: control)
    let subscriber = SubscriberThread(
      .sub, replayer.endpoints[0], count: .max, quietMilliseconds: 1_500)
    let outcome = Guarded<Result<ReplaySummary, any Error>?>(nil)
    let thread = WorkerThread(name: "replay") {
      let result = Result { try replayer.run() }
      outcome.withLock { $0 = result }
    }
    control.ask(.pause)
    try ask(.step(10))
    let path = CapturePath.segment(directory.file("short"), 0)
    try #require(truncate(path, 4096 + 100) == 0)
    control.ask(.step(10))
    thread.join()
    #expect(subscriber.messages().count == 10)
    let error = #expect(throws: ReplayError.self) { try outcome.withLock { $0 }?.get() }
    #expect(error?.description.hasPrefix("\(path): it was cut") == true)
  }

  @Test func theStateComesFirstAfterASeek() throws {
    let replayer = try replayer { $0.stateFirst = [Array("t/".utf8)] }
    control.ask(.pause)
    let (summary, numbers) = try play(replayer) {
      try ask(.seek(100 * Self.step))
      try ask(.step(1))
      try waitForMessages(1, replayer)
    }
    #expect(numbers == Array(93...99) + [100])
    #expect(summary.messagesOfState == 7 && summary.messages == 1)
  }

  @Test func requestsAreUnderstoodOrAnsweredWithWhatTheyLack() throws {
    func request(_ text: String) throws -> ControlRequest { try ControlRequest(Data(text.utf8)) }
    #expect(try request(#"{"do":"status"}"#) == .status)
    #expect(try request(#"{"do":"step"}"#) == .verb(.step(1)))
    #expect(try request(#"{"do":"seek","position_s":1.5}"#) == .verb(.seek(1_500_000_000)))
    #expect(try request(#"{"do":"seek","by_s":-10}"#) == .verb(.move(-10_000_000_000)))
    #expect(try request(#"{"do":"rate","rate":0.5}"#) == .verb(.rate(0.5)))
    #expect(try request(#"{"do":"next-mark"}"#) == .verb(.nextMark))
    let wrong = [
      "", "[]", "{}", #"{"do":"dance"}"#, #"{"do":"seek"}"#, #"{"do":"rate","rate":0}"#,
      #"{"do":"rate","rate":1e9}"#, #"{"do":"step","messages":0}"#,
      #"{"do":"seek","by_s":1,"position_s":2}"#, #"{"do":"seek","by_s":1e300}"#,
    ]
    for text in wrong {
      #expect(throws: ControlRequest.Problem.self, "\(text)") { try request(text) }
    }
  }

  /// However fast somebody asks, and without waiting for answers.
  @Test func nobodyWhoAsksKeepsItFromEnding() throws {
    let replayer = try replayer()
    let server = try ControlSocket(
      directory.endpoint("control"), of: replayer, control, stop: stop)
    let isOver = StopToken()
    let answers = Guarded(0)
    let address = server.address
    let clients = (0..<2).map { _ in
      WorkerThread(name: "client") {
        guard let socket = try? Socket(.dealer, in: Context()) else { return }
        try? socket.set(.lingerMilliseconds, 0)
        try? socket.set(.sendTimeoutMilliseconds, 10)
        try? socket.connect(address)
        var answer = Message()
        while !isOver.isRequested {
          try? socket.send([[], Array(#"{"do":"status"}"#.utf8)])
          while (try? socket.receive(into: &answer, waiting: false)) == true {
            answers.withLock { $0 += 1 }
          }
        }
      }
    }
    try waitFor("answers") { answers.withLock { $0 > 1_000 } }
    server.finish()
    isOver.request()
    for client in clients { client.join() }
  }

  @Test func aProgramControlsItOverASocket() throws {
    let replayer = try replayer { $0.loops = nil }
    let server = try ControlSocket(
      directory.endpoint("control"), of: replayer, control, stop: stop)
    let client = try Socket(.req, in: Context())
    try client.set(.lingerMilliseconds, 0)
    try client.set(.receiveTimeoutMilliseconds, 20_000)
    try client.connect(server.address)
    func ask(_ text: String) throws -> [String: Any] {
      try client.send([Array(text.utf8)])
      let answer = try #require(try client.receiveFrames())
      let object = try JSONSerialization.jsonObject(with: Data(answer[0]))
      return try #require(object as? [String: Any])
    }
    // Nobody plays yet.
    let early = try ask(#"{"do":"rate","rate":1}"#)
    #expect(early["ok"] as? Bool == true && early["obeyed"] as? Bool == false)
    let (summary, _) = try play(replayer) {
      try waitForMessages(1, replayer)
      let paused = try ask(#"{"do":"pause"}"#)
      #expect(paused["obeyed"] as? Bool == true && paused["paused"] as? Bool == true)
      let sought = try ask(#"{"do":"seek","position_s":0.2}"#)
      #expect(sought["position_s"] as? Double == 0.2)
      let wrong = try ask(#"{"do":"dance"}"#)
      #expect(wrong["ok"] as? Bool == false && (wrong["error"] as? String)?.isEmpty == false)
      #expect(try ask(#"{"do":"rate","rate":2}"#)["rate"] as? Double == 2)
      #expect(try ask(#"{"do":"stop"}"#)["ok"] as? Bool == true)
      try waitFor("the stop") { stop.isRequested }
    }
    server.finish()
    #expect(summary.isStopped)
  }
}
