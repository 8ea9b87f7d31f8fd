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
  private let counters = ReplayCounters()
  private let socketByEndpoint: [Int?]

  /// Whoever stops a replay wants it to end.
  private static let stoppedLinger: Int64 = 1_000_000_000
  private static let lingerMargin: Int64 = 20_000_000

  // Owned by whoever calls `run`, and ended in this order: sockets, context, mappings.
  private var sockets: [ReplaySocket] = []
  private var context: Context?
  private let pool: SegmentPool

  /// Binds and connects the sockets. Throws `ZeroMQError`, `ReplayError`.
  public init(_ index: IndexReader, _ plan: ReplayPlan, stop: StopToken) throws {
    self.plan = plan
    self.index = index
    self.stop = stop
    pool = SegmentPool(index.capture)
    let recorded = index.capture.manifest.endpoints.map(\.address)
    let targets: [ReplayPlan.Target]
    switch plan.routing {
    case .single(let target):
      targets = [target]
      socketByEndpoint = recorded.map { _ in 0 }
    case .byEndpoint(let pairs):
      for pair in pairs where !recorded.contains(pair.recorded) {
        throw ReplayError.unknownEndpoint(address: pair.recorded, known: recorded)
      }
      targets = pairs.map(\.target)
      socketByEndpoint = recorded.map { address in
        pairs.firstIndex { $0.recorded == address }
      }
    }
    guard try Self.hasMessages(index, plan.selection, socketByEndpoint, pool) else {
      throw try Self.nothingToSend(index, plan)
    }
    let context = try Context()
    self.context = context
    sockets = try targets.map { target throws(ZeroMQError) in
      try ReplaySocket(target, plan, in: context)
    }
    endpoints = sockets.map(\.address)
  }

  /// Whether the selection has a message that some socket sends.
  private static func hasMessages(
    _ index: IndexReader, _ selection: Selection, _ socketByEndpoint: [Int?], _ pool: SegmentPool
  ) throws -> Bool {
    var reader = try index.messages(selection, pool: pool)
    while let message = try reader.next() {
      let endpoint = Int(message.record.endpoint)
      if socketByEndpoint.indices.contains(endpoint), socketByEndpoint[endpoint] != nil {
        return true
      }
    }
    return false
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

  /// How the replay stands; from any thread.
  public var status: ReplayStatus { counters.status }

  /// Waits for peers, sends everything, and waits until it is delivered. Called once.
  public func run() throws -> ReplaySummary {
    defer { end() }
    try waitForPeers()
    let timeline = ReplayTimeline(
      index, plan.selection, loops: plan.loops, socketByEndpoint: socketByEndpoint, pool: pool)
    let played = Result { try play(timeline) }
    let failure = timeline.finish()
    var summary = try played.get()
    if let failure { throw ReplayError.unreadable(reason: failure) }
    counters.setPhase(.draining)
    let linger = min(plan.lingerNanoseconds, stop.isRequested ? Self.stoppedLinger : .max)
    summary.lingerNanoseconds = linger
    summary.isCutShort = end(lingerNanoseconds: linger)
    return summary
  }

  private func waitForPeers() throws {
    guard plan.peersAwaited > 0 else { return }
    let begun = CaptureClock.monotonicNanoseconds()
    while !stop.isRequested {
      var fewest = Int.max
      for socket in sockets { fewest = min(fewest, try socket.countPeers()) }
      counters.peers.store(fewest, ordering: .relaxed)
      if fewest >= plan.peersAwaited { return }
      let now = CaptureClock.monotonicNanoseconds()
      if let limit = plan.waitNanosecondsMax, now - begun > limit {
        throw ReplayError.peersMissing(
          found: fewest, wanted: plan.peersAwaited, seconds: Double(limit) / 1e9)
      }
      _ = stop.wait(untilMonotonicNanoseconds: now + 1_000_000)
    }
  }

  /// The sending loop.
  private func play(_ timeline: ReplayTimeline) throws -> ReplaySummary {
    var summary = ReplaySummary()
    summary.isEndless = plan.loops == nil
    // The first batch is in memory before the clock starts.
    var batch = timeline.nextBatch()
    var pacer = Pacer(plan.pace)
    counters.setPhase(.playing)
    playing: while let items = batch?.items {
      for item in items {
        guard pacer.wait(for: item.timeline, stop: stop),
          try send(item, heldNanoseconds: &summary.heldNanoseconds)
        else {
          summary.isStopped = true
          break playing
        }
        summary.messages += 1
        summary.bytes += UInt64(item.frameBytes)
        summary.timelineNanoseconds = item.timeline
        counters.publish(summary)
      }
      summary.damages = batch?.damages ?? 0
      summary.messagesMissing = batch?.messagesMissing ?? 0
      summary.messagesRetired = batch?.messagesRetired ?? 0
      for socket in sockets { try socket.readSubscriptions() }
      batch = timeline.nextBatch()
    }
    summary.durationNanoseconds = CaptureClock.monotonicNanoseconds() - pacer.anchor
    summary.source = try index.completeness(of: plan.selection)
    summary.latenessNanosecondsMax = pacer.latenessNanosecondsMax
    for socket in sockets { try socket.readSubscriptions() }
    if plan.kind == .pub {
      summary.endpointsWithoutPeer = sockets.filter { !$0.hadPeer }.map(\.address)
    }
    return summary
  }

  /// Sends one message, waiting for its peers to have room. False when a stop was requested first.
  private func send(_ item: ReplayItem, heldNanoseconds: inout Int64) throws -> Bool {
    let socket = sockets[item.socket]
    if try socket.send(item.record, of: item.segment, waiting: false) { return true }
    let begun = CaptureClock.monotonicNanoseconds()
    defer { heldNanoseconds += CaptureClock.monotonicNanoseconds() - begun }
    while !stop.isRequested {
      if try socket.send(item.record, of: item.segment, waiting: true) { return true }
    }
    return false
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

/// Counts that the sending thread publishes and any thread reads.
private final class ReplayCounters: Sendable {
  let peers = Atomic<Int>(0)
  private let phase = Atomic<UInt8>(0)
  private let started = Atomic<Int64>(CaptureClock.monotonicNanoseconds())
  private let messages = Atomic<UInt64>(0)
  private let bytes = Atomic<UInt64>(0)
  private let timeline = Atomic<Int64>(0)
  private let held = Atomic<Int64>(0)

  private static let phases: [ReplayStatus.Phase] = [.waitingForPeers, .playing, .draining]

  func setPhase(_ new: ReplayStatus.Phase) {
    if new == .playing {
      started.store(CaptureClock.monotonicNanoseconds(), ordering: .relaxed)
    }
    phase.store(UInt8(Self.phases.firstIndex(of: new)!), ordering: .relaxed)
  }

  func publish(_ summary: ReplaySummary) {
    messages.store(summary.messages, ordering: .relaxed)
    bytes.store(summary.bytes, ordering: .relaxed)
    timeline.store(summary.timelineNanoseconds, ordering: .relaxed)
    held.store(summary.heldNanoseconds, ordering: .relaxed)
  }

  var status: ReplayStatus {
    let now = CaptureClock.monotonicNanoseconds()
    return ReplayStatus(
      phase: Self.phases[Int(phase.load(ordering: .relaxed))],
      elapsedNanoseconds: now - started.load(ordering: .relaxed),
      messages: messages.load(ordering: .relaxed),
      bytes: bytes.load(ordering: .relaxed),
      timelineNanoseconds: timeline.load(ordering: .relaxed),
      heldNanoseconds: held.load(ordering: .relaxed),
      peers: peers.load(ordering: .relaxed))
  }
}
