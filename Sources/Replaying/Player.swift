import CaptureIndex
import CaptureStore
import Threads
import ZeroMQ

/// Plays a timeline: waits for each message, sends it, and does what it is told in between.
///
/// For one thread, on which nothing is read from a disk: `ReplayTimeline` does that ahead of it.
final class Player {
  /// Later than this, the timeline moves where gaps are kept: less is what any wait costs.
  private static let slipMin: Int64 = 1_000_000
  /// Later than this, messages are dropped where they may be and nothing else was said.
  static let dropLatenessDefault: Int64 = 10_000_000

  private let plan: ReplayPlan
  private let sockets: [ReplaySocket]
  private let stop: StopToken
  private let control: ReplayControl
  private let counters: ReplayCounters
  /// When the first message of the selection was received.
  private let beginning: Int64
  private let makeTimeline: (ReplayTimeline.Start) -> ReplayTimeline

  private(set) var summary: ReplaySummary
  private var timeline: ReplayTimeline?
  private var batch: ReplayTimeline.Batch?
  private var nextIndex = 0
  private var pacer: Pacer
  /// Messages that the pace counts, and their bytes.
  private var paced = Pacer.Position()
  /// When it was paused; nil while it plays.
  private var pausedAt: Int64?
  private var stepsLeft = 0
  /// Where it is, in Unix nanoseconds of the recording.
  private var place: Int64

  /// `makeTimeline` starts to read where a timeline begins; `beginning`: Unix nanoseconds.
  init(
    _ plan: ReplayPlan, sockets: [ReplaySocket], stop: StopToken, control: ReplayControl,
    counters: ReplayCounters, beginning: Int64,
    makeTimeline: @escaping (ReplayTimeline.Start) -> ReplayTimeline
  ) {
    self.plan = plan
    self.sockets = sockets
    self.stop = stop
    self.control = control
    self.counters = counters
    self.beginning = beginning
    self.makeTimeline = makeTimeline
    place = beginning
    summary = ReplaySummary()
    summary.isEndless = plan.loops == nil
    summary.lateness = Lateness(limit: plan.latenessMax)
    pacer = Pacer(plan.pace, spinNanoseconds: plan.spinNanoseconds)
  }

  /// Plays everything. Throws `ZeroMQError`, `ReplayError`.
  func play() throws {
    timeline = makeTimeline(ReplayTimeline.Start())
    defer { timeline = nil }
    do {
      // The first batch is in memory before the clock starts.
      batch = timeline?.nextBatch()
      pacer = Pacer(plan.pace, spinNanoseconds: plan.spinNanoseconds)
      let begun = CaptureClock.monotonicNanoseconds()
      counters.setPhase(.playing)
      counters.setState(isPaused: false, pacer.pace)
      while let item = try nextItem() {
        switch try waitUntilDue(item) {
        case .due(let lateness): try finish(item, lateness: lateness)
        case .moved: continue
        case .stopped: summary.isStopped = true
        }
        if summary.isStopped { break }
      }
      summary.durationNanoseconds = CaptureClock.monotonicNanoseconds() - begun
      for socket in sockets { try socket.readPeers() }
    } catch {
      _ = timeline?.finish()
      throw error
    }
    try endTimeline()
    summary.held.sort { $0.nanoseconds > $1.nanoseconds }
  }

  private func endTimeline() throws {
    if let failure = timeline?.finish() { throw ReplayError.unreadable(reason: failure) }
  }

  /// The next message; nil at the end of the last loop.
  private func nextItem() throws -> ReplayItem? {
    while let items = batch?.items {
      if nextIndex < items.count { return items[nextIndex] }
      take(batch)
      for socket in sockets { try socket.readPeers() }
      batch = timeline?.nextBatch()
      nextIndex = 0
    }
    return nil
  }

  /// What the reading thread could not hand over, up to here. It counts anew in each loop and behind
  /// each seek: the most of them is told, since a place that is met again is the same loss.
  private func take(_ batch: ReplayTimeline.Batch?) {
    guard let batch else { return }
    summary.damages = max(summary.damages, batch.damages)
    summary.messagesMissing = max(summary.messagesMissing, batch.messagesMissing)
    summary.messagesRetired = max(summary.messagesRetired, batch.messagesRetired)
  }

  // MARK: - Waiting

  private enum Wait {
    /// `lateness`: nil where there was no deadline.
    case due(lateness: Int64?)
    /// Another message is next.
    case moved
    case stopped
  }

  private func waitUntilDue(_ item: ReplayItem) throws -> Wait {
    while true {
      if stop.isRequested { return .stopped }
      if control.bell.isRung, try obey(next: item) { return .moved }
      if pausedAt != nil {
        if stepsLeft > 0 { return .due(lateness: nil) }
        counters.setNextDue(nil)
        _ = stop.wait(untilMonotonicNanoseconds: .max, bell: control.bell)
        continue
      }
      if item.isState { return .due(lateness: nil) }
      guard let deadline = pacer.deadline(of: position(of: item)) else {
        return .due(lateness: nil)
      }
      counters.setNextDue(deadline)
      if let lateness = pacer.wait(until: deadline, stop: stop, bell: control.bell) {
        return .due(lateness: lateness)
      }
    }
  }

  private func position(of item: ReplayItem) -> Pacer.Position {
    Pacer.Position(timeline: item.timeline, messages: paced.messages, bytes: paced.bytes)
  }

  // MARK: - Sending

  /// Sends a message that is due, or passes over it where it is too late.
  private func finish(_ item: ReplayItem, lateness: Int64?) throws {
    if let lateness, lateness > 0, isTooLate(lateness, item) {
      summary.messagesDropped += 1
      pass(item)
      return
    }
    if let lateness { summary.lateness.record(lateness) }
    guard try send(item) else {
      summary.isStopped = true
      return
    }
    if item.isState {
      summary.messagesOfState += 1
    } else {
      summary.messages += 1
      summary.bytes += UInt64(item.frameBytes)
    }
    pass(item)
  }

  /// What the policy makes of a message that is late.
  private func isTooLate(_ lateness: Int64, _ item: ReplayItem) -> Bool {
    switch plan.late {
    case .slip: return false
    case .drop: return lateness > plan.latenessMax ?? Self.dropLatenessDefault
    case .keepGaps:
      if lateness > Self.slipMin { pacer.delay(by: lateness) }
      return false
    }
  }

  /// Goes on behind a message.
  private func pass(_ item: ReplayItem) {
    nextIndex += 1
    if !item.isState {
      if pausedAt != nil, stepsLeft > 0 {
        let now = CaptureClock.monotonicNanoseconds()
        pacer.anchor(position(of: item), at: now)
        pausedAt = now
        stepsLeft -= 1
      }
      paced.messages += 1
      paced.bytes += UInt64(item.frameBytes)
      summary.timelineNanoseconds = item.timeline
      place = item.unixNanoseconds
    }
    counters.publish(summary, position: place - beginning)
  }

  /// Sends one message, waiting for its peers to have room. False when a stop was requested first.
  private func send(_ item: ReplayItem) throws -> Bool {
    let socket = sockets[item.socket]
    if try socket.send(item.record, of: item.segment, waiting: false) { return true }
    let begun = CaptureClock.monotonicNanoseconds()
    var counted = begun
    var slowest: (connection: CInt, name: String?)?
    while !stop.isRequested {
      let isSent = try socket.send(item.record, of: item.segment, waiting: true)
      let now = CaptureClock.monotonicNanoseconds()
      if !isSent { slowest = socket.slowestPeer() ?? slowest }
      summary.held.add(now - counted, endpoint: socket.address, peer: slowest?.name)
      counted = now
      counters.publish(summary, position: place - beginning)
      if isSent { return true }
      if let limit = plan.stallNanosecondsMax, now - begun > limit {
        guard plan.stall == .dropPeer, let slowest else {
          throw ReplayError.stalled(
            endpoint: socket.address, peer: slowest?.name, seconds: Double(limit) / 1e9)
        }
        socket.drop(slowest.connection)
        summary.peersDropped += 1
      }
    }
    return false
  }

  // MARK: - Obeying

  /// Does what was asked for. Returns whether another message is next.
  private func obey(next item: ReplayItem) throws -> Bool {
    var target: Int64?
    let now = CaptureClock.monotonicNanoseconds()
    for verb in control.take() {
      switch verb {
      case .pause: pause(at: now)
      case .resume: resume(at: now)
      case .toggle: pausedAt == nil ? pause(at: now) : resume(at: now)
      case .step(let count):
        pause(at: now)
        stepsLeft += max(0, count)
      case .seek(let position): target = position
      case .move(let distance): target = (target ?? here(item, at: now)) &+ distance
      case .rate(let rate): change(to: rate, next: item, at: now)
      case .faster(let factor):
        if case .rate(let rate) = pacer.pace { change(to: rate * factor, next: item, at: now) }
      }
    }
    if let target { try seek(to: max(0, target)) }
    counters.setState(isPaused: pausedAt != nil, pacer.pace)
    control.finish()
    return target != nil
  }

  private func change(to rate: Double, next item: ReplayItem, at now: Int64) {
    let rates = ReplayControl.rates
    let rate = min(max(rate, rates.lowerBound), rates.upperBound)
    pacer.change(to: .rate(rate), next: position(of: item), at: pausedAt ?? now)
  }

  private func pause(at now: Int64) { pausedAt = pausedAt ?? now }

  private func resume(at now: Int64) {
    guard let paused = pausedAt else { return }
    pacer.delay(by: now - paused)
    pausedAt = nil
    stepsLeft = 0
  }

  /// Where in the recording it is between the last message and the next one.
  private func here(_ next: ReplayItem, at now: Int64) -> Int64 {
    guard case .rate(let rate) = pacer.pace, !next.isState,
      let deadline = pacer.deadline(of: position(of: next))
    else { return place - beginning }
    let left = Double(max(0, deadline - (pausedAt ?? now))) * rate
    let behind = next.unixNanoseconds - beginning - Int64(min(left, 9e18))
    return max(place - beginning, behind)
  }

  /// Goes on in the present loop at a place that is counted from the first message.
  private func seek(to position: Int64) throws {
    let loop = batch?.loop ?? 0
    take(batch)
    try endTimeline()
    let time = beginning &+ position
    let start = ReplayTimeline.Start(
      loop: loop, time: time, played: summary.timelineNanoseconds)
    let timeline = makeTimeline(start)
    self.timeline = timeline
    batch = timeline.nextBatch()
    nextIndex = 0
    place = time
    let now = CaptureClock.monotonicNanoseconds()
    let origin = Pacer.Position(
      timeline: start.played, messages: paced.messages, bytes: paced.bytes)
    pacer.anchor(origin, at: now)
    if pausedAt != nil { pausedAt = now }
    counters.publish(summary, position: position)
  }
}
