private import CLinux
public import CaptureIndex
import CaptureStore
import Glibc
import Synchronization
public import Threads
import ZeroMQ

/// A replay of a capture: messages leave in recorded order, when they are due.
///
/// Two threads: one reads ahead and checks, one waits and sends. Frames are sent in place, as
/// constant messages that point into the mapped segments.
public final class Replayer: @unchecked Sendable {
  private let plan: ReplayPlan
  private let index: IndexReader
  private let stop: StopToken
  private let control: ReplayControl
  private let counters = ReplayCounters()
  /// When the first message that is sent was received.
  private let beginning: Int64
  private let route: Route

  /// Whoever stops a replay wants it to end.
  private static let stoppedLinger: Int64 = 1_000_000_000
  private static let lingerMargin: Int64 = 20_000_000

  // Owned by whoever calls `run`, and ended in this order: sockets, context, mappings.
  private var sockets: [ReplaySocket] = []
  private var context: Context?
  private let pool: SegmentPool

  /// Binds and connects the sockets. Throws `ZeroMQError`, `ReplayError`.
  public init(
    _ index: IndexReader, _ plan: ReplayPlan, stop: StopToken,
    control: ReplayControl = ReplayControl()
  ) throws {
    self.plan = plan
    self.index = index
    self.stop = stop
    self.control = control
    pool = SegmentPool(index.capture)
    route = try Route(plan.routing, index.capture.manifest)
    guard let first = try Self.firstMessage(index, plan.selection, route, pool) else {
      throw try Self.nothingToSend(index, plan)
    }
    beginning = first.unixNanoseconds
    let last = try index.overview().last ?? beginning
    spanNanoseconds = max(0, min(last, plan.selection.until ?? .max) - beginning)
    let context = try Context()
    self.context = context
    sockets = try route.targets.map { target throws(ZeroMQError) in
      try ReplaySocket(target, plan, in: context)
    }
    endpoints = sockets.map(\.address)
  }

  /// The first message of a selection that some socket sends.
  private static func firstMessage(
    _ index: IndexReader, _ selection: Selection, _ route: Route, _ pool: SegmentPool
  ) throws -> RecordedMessage? {
    var reader = try index.messages(selection, pool: pool)
    while let message = try reader.next() {
      if route.socket(of: message.record) != nil { return message }
    }
    return nil
  }

  /// Why there is no message: nothing fits the selection, or nothing is there.
  private static func nothingToSend(_ index: IndexReader, _ plan: ReplayPlan) throws -> ReplayError
  {
    let path = index.capture.path
    guard plan.selection.isEverything, case .single = plan.routing else {
      return .nothingSelected(capture: path)
    }
    let files = try index.capture.segmentFiles()
    let known = try index.completeness()
    let reason =
      if files.isEmpty {
        "it has no segments; bring them back from a copy"
      } else if index.isBeingRecorded && index.capture.isRing {
        "what its index knows made room meanwhile; it catches up, try again"
      } else if try known.isComplete && index.overview().messages == 0 {
        "there are no messages in it"
      } else {
        "none of its messages can be read; `zcap verify \(path)` tells why"
      }
    return .nothingThere(capture: path, reason: reason)
  }

  /// The endpoints that are sent on, with wildcards of bound ones resolved.
  public let endpoints: [String]

  /// Recorded time from the first message of the selection to the last, about.
  public let spanNanoseconds: Int64

  /// How the replay stands; from any thread.
  public var status: ReplayStatus { counters.status }

  /// Waits for peers, sends everything, and waits until it is delivered. Called once.
  public func run() throws -> ReplaySummary {
    defer { end() }
    _ = set_timer_slack(1)
    try waitForPeers()
    let player = Player(
      plan, sockets: sockets, stop: stop, control: control, counters: counters,
      beginning: beginning
    ) { [index, plan, route, pool] start in
      ReplayTimeline(index, plan, route, from: start, pool: pool)
    }
    try player.play()
    var summary = player.summary
    summary.source = try index.completeness(of: plan.selection)
    if plan.kind == .pub {
      summary.endpointsWithoutPeer = sockets.filter { !$0.hadPeer }.map(\.address)
    }
    counters.setPhase(.draining)
    let linger = min(plan.lingerNanoseconds, stop.isRequested ? Self.stoppedLinger : .max)
    summary.lingerNanoseconds = linger
    summary.isCutShort = end(lingerNanoseconds: linger)
    return summary
  }

  private func waitForPeers() throws {
    let begun = CaptureClock.monotonicNanoseconds()
    while !stop.isRequested {
      var fewest = Int.max
      for socket in sockets { fewest = min(fewest, try socket.countPeers()) }
      counters.peers.store(fewest, ordering: .relaxed)
      let topic = plan.topicsAwaited.first { prefix in
        !sockets.contains { $0.isAwaited(prefix) }
      }
      if fewest >= plan.peersAwaited && topic == nil { return }
      let now = CaptureClock.monotonicNanoseconds()
      if let limit = plan.waitNanosecondsMax, now - begun > limit {
        let seconds = Double(limit) / 1e9
        if let topic, fewest >= plan.peersAwaited {
          throw ReplayError.topicMissing(
            prefix: String(decoding: topic, as: UTF8.self), seconds: seconds)
        }
        throw ReplayError.peersMissing(
          found: fewest, wanted: plan.peersAwaited, seconds: seconds)
      }
      _ = stop.wait(untilMonotonicNanoseconds: now + 1_000_000)
    }
  }

  /// Ends sockets, then the context, which waits until the kernel has everything, then waits until
  /// the peers have it; the mappings that the frames lie in end with `self`, later. Returns whether
  /// the linger ran out.
  @discardableResult
  private func end(lingerNanoseconds: Int64 = 0) -> Bool {
    guard context != nil else { return false }
    // libzmq does not say what it dropped, only how long it took: its own timer runs a little
    // longer than ours, so whoever ends before our deadline dropped nothing.
    let deadline = CaptureClock.monotonicNanoseconds() + lingerNanoseconds + Self.lingerMargin
    let linger = Int((lingerNanoseconds + 2 * Self.lingerMargin) / 1_000_000)
    var held: [HeldConnection] = []
    for socket in sockets { held += socket.prepareEnd(lingerMilliseconds: linger) }
    sockets = []
    context = nil
    var isCutShort = CaptureClock.monotonicNanoseconds() >= deadline
    while !isCutShort {
      held.removeAll { $0.isDelivered }
      if held.isEmpty { break }
      let now = CaptureClock.monotonicNanoseconds()
      isCutShort = now >= deadline
      usleep(1_000)
    }
    return isCutShort
  }
}
