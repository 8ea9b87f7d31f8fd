private import CLinux
import CaptureIndex
import CaptureStore
import Glibc
import Synchronization
public import Threads
import ZeroMQ

/// A replay of one capture or of several: messages leave in recorded order, when they are due.
///
/// Two threads: one reads ahead and checks, one waits and sends. Frames are sent in place, as
/// constant messages that point into the mapped segments.
public final class Replayer: @unchecked Sendable {
  private let plan: ReplayPlan
  private let stop: StopToken
  private let control: ReplayControl
  private let counters: ReplayCounters

  // Owned by whoever calls `run`, and ended in this order: sockets, context, mappings.
  private var sockets: [ReplaySocket] = []
  private var context: Context?
  private var isEnded = false
  private let sources: [TimelineSource]
  private let clock: ClockPublisher?
  private var timing: TimingLog?
  private var timingFailure: ReplayError?
  private let topics: TopicNumbers?
  /// Of things that happened to the recordings, in order; nil until somebody asks.
  private var marks: [Int64]?

  /// Binds and connects the sockets. Throws `ZeroMQError`, `ReplayError`, `IndexError`.
  public init(
    _ captures: [ReplaySource], _ plan: ReplayPlan, stop: StopToken,
    control: ReplayControl = ReplayControl()
  ) throws {
    precondition(!captures.isEmpty, "a capture to replay")
    var plan = plan
    for capture in captures {
      let overview = try capture.index.overview()
      plan.limitCopies(ofMessages: overview.messages, bytes: overview.bytes)
    }
    self.plan = plan
    self.stop = stop
    self.control = control
    let route = try Route(plan.routing, captures.map(\.index.capture.manifest))
    sources = try [TimelineSource](captures, route, plan.alignment)
    if plan.followNanoseconds != nil {
      for source in sources where !source.index.isBeingRecorded {
        throw ReplayError.notRecorded(capture: source.index.capture.path)
      }
    } else if sources.allSatisfy({ $0.beginning == nil }) {
      throw try sources[0].reasonForNothing()
    }
    if plan.isControlled { for source in sources { try source.index.prepareForSeeks() } }
    spanNanoseconds = try sources.reduce(0) { max($0, try $1.end()) }
    let counters = ReplayCounters(keepsTime: plan.clock != nil)
    self.counters = counters
    topics = plan.isByTopic ? TopicNumbers() : nil
    let context = try Context()
    self.context = context
    sockets = try route.targets.map { target throws(ZeroMQError) in
      try ReplaySocket(target, plan, in: context)
    }
    endpoints = sockets.map(\.address)
    let origin = sources.map(\.origin).min()!
    clock = try plan.clock.map { clock throws(ZeroMQError) in
      try ClockPublisher(clock, counters, origin: origin)
    }
  }

  /// The endpoints that are sent on, with wildcards of bound ones resolved.
  public let endpoints: [String]

  /// Where the timeline's time is published, with wildcards resolved; nil where it is not.
  public var clockEndpoint: String? { clock?.address }

  /// Recorded time from the first message of the selection to the last, about.
  public let spanNanoseconds: Int64

  /// How the replay stands; from any thread.
  public var status: ReplayStatus { counters.status }

  /// Whether it waits for somebody before it begins.
  var awaitsPeers: Bool {
    plan.peersAwaited > 0 || plan.awaitsAnyPeer || !plan.topicsAwaited.isEmpty
  }

  /// Why a verb will never be obeyed; nil where it will be.
  func reasonAgainst(_ verb: ReplayControl.Verb) -> String? {
    if counters.status.phase == .draining {
      return "everything has been sent; only status and stop mean something now"
    }
    if case .rate = verb, plan.followNanoseconds != nil {
      return "a recording that is followed has the pace at which it is recorded"
    }
    return nil
  }

  /// Waits for peers, sends everything, and waits until it is delivered. Called once.
  public func run() throws -> ReplaySummary {
    defer { end() }
    _ = set_timer_slack(1)
    timing = try plan.timingPath.map { path throws(ReplayError) in try TimingLog(path) }
    try waitForPeers()
    clock?.start()
    var summary = try play()
    clock?.finish()
    // Nobody came to one that was stopped before it began.
    if plan.kind == .pub, summary.messages > 0 || !summary.isStopped {
      summary.endpointsWithoutPeer = sockets.filter { !$0.hadPeer }.map(\.address)
    }
    counters.setPhase(.draining)
    (summary.isCutShort, summary.lingerNanoseconds) = end(linger: plan.lingerNanoseconds)
    summary.timingFailure = timingFailure
    try tellSources(of: &summary)
    if let path = try pathOfCut() { throw ReplayError.cut(path: path) }
    return summary
  }

  /// Once it is back, nobody but `self` has the sockets.
  private func play() throws -> ReplaySummary {
    var player = Player(stage())
    let result = Result { try player.play() }
    do { try timing?.finish() } catch { timingFailure = error }
    try result.get()
    var summary = player.summary
    summary.topics = topicLateness(player.latenessByTopic)
    return summary
  }

  private func stage() -> Player.Stage {
    Player.Stage(
      plan: plan, sockets: sockets, stop: stop, control: control, counters: counters,
      origins: sources.map(\.origin), timing: timing,
      span: plan.followNanoseconds == nil ? spanNanoseconds : nil,
      nextMark: { [self] position in try nextMark(behind: position) },
      changes: FileChanges(sources.map { CapturePath.segments($0.index.capture.path) }),
      pathOfCut: { [self] in try pathOfCut() },
      makeTimeline: { [sources, plan, topics] start in
        ReplayTimeline(sources, plan, from: start, topics: topics)
      })
  }

  private func pathOfCut() throws -> String? {
    for source in sources { if let path = try source.pool.cut().first { return path } }
    return nil
  }

  private func nextMark(behind position: Int64) throws -> Int64? {
    if marks == nil { marks = try sources.flatMap { try $0.marks() }.sorted() }
    return marks!.first { $0 > position }
  }

  private func tellSources(of summary: inout ReplaySummary) throws {
    if plan.followNanoseconds == nil {
      summary.sources = try sources.map { try $0.completeness() }
      summary.sourcesWithoutMessages = sources.indices.filter { sources[$0].beginning == nil }
      summary.sourcesUnsealed = sources.indices.filter { sources[$0].index.state == .unclean }
    } else {
      // What it lacks now, and not what it did when the replay began.
      let indexes = try sources.map { try IndexReader($0.index.capture) }
      summary.sources = try indexes.map { try $0.completeness() }
      summary.sourcesUnsealed = indexes.indices.filter { indexes[$0].state == .unclean }
      summary.isRecordingKilled = !summary.sourcesUnsealed.isEmpty
    }
  }

  private func topicLateness(_ known: [Lateness]) -> [TopicLateness] {
    guard let names = topics?.names else { return [] }
    return known.enumerated().map { number, lateness in
      let topic: TopicLateness.Topic =
        number >= names.count ? .others : names[number].map { .topic($0) } ?? .none
      return TopicLateness(topic: topic, lateness: lateness)
    }
    .filter { $0.lateness.count > 0 }
  }

  private func waitForPeers() throws {
    let begun = CaptureClock.monotonicNanoseconds()
    while !stop.isRequested {
      var fewest = Int.max
      var most = 0
      var lonely = endpoints[0]
      for socket in sockets {
        let count = try socket.countPeers()
        most = max(most, count)
        if count < fewest { (fewest, lonely) = (count, socket.address) }
      }
      counters.peers.store(fewest, ordering: .relaxed)
      let topic = plan.topicsAwaited.first { prefix in
        !sockets.contains { $0.isAwaited(prefix) }
      }
      let isEnough = fewest >= plan.peersAwaited && (most > 0 || !plan.awaitsAnyPeer)
      if isEnough && topic == nil { return }
      let now = CaptureClock.monotonicNanoseconds()
      if let limit = plan.waitNanosecondsMax, now - begun > limit {
        let seconds = Double(limit) / 1e9
        if let topic, isEnough {
          throw ReplayError.topicMissing(
            prefix: String(decoding: topic, as: UTF8.self), seconds: seconds)
        }
        throw ReplayError.peersMissing(
          endpoint: lonely, found: fewest, wanted: max(1, plan.peersAwaited), seconds: seconds)
      }
      _ = stop.wait(untilMonotonicNanoseconds: now + 1_000_000)
    }
  }

  /// Ends sockets, then the context, which waits until the kernel has everything, then waits until
  /// the peers have it; the mappings that the frames lie in end with `self`, later. A stop leaves them
  /// a second. Returns whether it was too long, and how long it could be.
  @discardableResult
  private func end(linger: Int64 = 0) -> (isCutShort: Bool, linger: Int64) {
    clock?.finish()
    try? timing?.finish()
    if isEnded { return (false, linger) }
    isEnded = true
    // libzmq does not say what it dropped, only how long it took: its own timer runs a little
    // longer than ours, so whoever ends before our deadline dropped nothing.
    var wait = EndOfReplay(linger: linger, stop: stop)
    var held: [HeldConnection] = []
    for socket in sockets {
      held += socket.prepareEnd(
        lingerMilliseconds: Int((wait.linger + 2 * EndOfReplay.margin) / 1_000_000))
    }
    sockets = []
    let isClosed = StopToken()
    // libzmq cannot be told to hurry: where this goes on, that thread and what it needs stay behind.
    let closing = WorkerThread(name: "zcap closer") { [self] in
      context = nil
      isClosed.request()
    }
    while !isClosed.isRequested {
      guard wait.goesOn() else { return (true, wait.linger) }
      _ = isClosed.wait(untilMonotonicNanoseconds: wait.nextLook)
    }
    closing.join()
    while true {
      let isInTime = wait.goesOn()
      held.removeAll { $0.isDelivered }
      if held.isEmpty || !isInTime { return (!isInTime, wait.linger) }
      usleep(1_000)
    }
  }
}

/// How long the end of a replay may wait; whoever stops it wants it to end.
private struct EndOfReplay {
  static let margin: Int64 = 20_000_000
  private static let stoppedLinger: Int64 = 1_000_000_000
  /// How often it looks whether a stop was requested.
  private static let lookNanoseconds: Int64 = 20_000_000

  /// How long it may wait, all in all.
  private(set) var linger: Int64
  private let stop: StopToken
  private let begun = CaptureClock.monotonicNanoseconds()
  private var isStopped = false

  init(linger: Int64, stop: StopToken) {
    self.linger = linger
    self.stop = stop
    _ = goesOn()
  }

  /// Whether there is time left.
  mutating func goesOn() -> Bool {
    let now = CaptureClock.monotonicNanoseconds()
    if stop.isRequested, !isStopped {
      isStopped = true
      linger = min(linger, now - begun + Self.stoppedLinger)
    }
    return now - begun < linger + Self.margin
  }

  var nextLook: Int64 { CaptureClock.monotonicNanoseconds() + Self.lookNanoseconds }
}
