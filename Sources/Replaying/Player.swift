import CaptureStore
import Threads
import ZeroMQ

/// Plays a timeline: waits for each message, sends it, and does what it is told in between.
///
/// For one thread, on which no message is read from a disk: `ReplayTimeline` does that ahead of it. A
/// value, so that what a message costs is no count of references and no check of exclusive access.
struct Player: ~Copyable {
  /// Later than this, the timeline moves where gaps are kept: less is what any wait costs.
  private static let slipMin: Int64 = 1_000_000
  /// At full speed, so many messages are sent between two looks at whether something else is to be done.
  private static let burst = 64
  /// Later than this, messages are dropped where they may be and nothing else was said.
  static let dropLatenessDefault: Int64 = 10_000_000
  /// Where messages are dense, it is looked no more often whether files were cut: that is a system call.
  private static let looksApartNanoseconds: Int64 = 100_000
  /// Answers that a DEALER's peers send meanwhile are read so often at least.
  private static let answersNanoseconds: Int64 = 50_000_000

  /// What it works with.
  struct Stage {
    var plan: ReplayPlan
    var sockets: [ReplaySocket]
    var stop: StopToken
    var control: ReplayControl
    var counters: ReplayCounters
    /// Unix nanoseconds of position 0, by capture.
    var origins: [Int64]
    var timing: TimingLog?
    /// Nanoseconds of the recording from its first message to its last; nil while that grows.
    var span: Int64?
    /// Where what one can jump to is: the first of those behind a position of the recording.
    var nextMark: (Int64) throws -> Int64?
    /// Of the folders that segments lie in, and a segment that was cut since it was read.
    var changes: FileChanges
    var pathOfCut: () throws -> String?
    /// Starts to read where a timeline begins.
    var makeTimeline: (ReplayTimeline.Start) -> ReplayTimeline
  }

  private let stage: Stage
  private let plan: ReplayPlan

  private(set) var summary: ReplaySummary
  /// By the number of a topic, where topics are told apart.
  private(set) var latenessByTopic: [Lateness] = []
  private var timeline: ReplayTimeline?
  private var batch = ReplayBatch()
  private var nextIndex = 0
  private var pacer: Pacer
  /// When it began to play, on the monotonic clock.
  private var begun: Int64 = 0
  /// Messages that the pace counts, and their bytes.
  private var paced = Pacer.Position()
  /// When it was paused; nil while it plays.
  private var pausedAt: Int64?
  /// What is no part of the duration: all pauses and states before.
  private var idleNanoseconds: Int64 = 0
  /// When it was looked whether files were cut.
  private var lookedAt: Int64 = 0
  /// When the messages of a state began to leave that the timeline has not gone on behind yet, and
  /// what was idle before.
  private var stateSince: (time: Int64, idle: Int64)?
  /// Where a recording is followed: what was received before is sent at once.
  private var catchesUpTo: Int64 = 0
  private var stepsLeft = 0
  /// Verbs that came together with steps and behind them: they are obeyed when those are sent.
  private var verbsHeld: [ReplayControl.Verb] = []
  /// Messages that had been sent when it was looked at who left.
  private var messagesWhenLeft = UInt64.max
  /// Where in the recording it is: nanoseconds.
  private var place: Int64 = 0

  init(_ stage: Stage) {
    self.stage = stage
    plan = stage.plan
    summary = ReplaySummary()
    summary.isEndless = plan.loops == nil || plan.followNanoseconds != nil
    summary.lateness = Lateness(limit: plan.latenessMax)
    pacer = Pacer(plan.pace, spinNanoseconds: plan.spinNanoseconds)
  }

  /// Plays everything. Throws `ZeroMQError`, `ReplayError`.
  mutating func play() throws {
    timeline = stage.makeTimeline(ReplayTimeline.Start())
    do {
      try playAll()
    } catch {
      try? timeline?.finish()
      timeline = nil
      throw error
    }
    try endTimeline()
    summary.fieldsMissed = stage.sockets.reduce(0) { $0 + $1.fieldsMissed }
    summary.stampsIdle = plan.stamps.indices.filter { index in
      !stage.sockets.contains { $0.hasUsed(stamp: index) }
    }
    summary.topicMappingsIdle = plan.topicMappings.indices.filter { index in
      !stage.sockets.contains { $0.hasUsed(mapping: index) }
    }
    summary.held.sort { $0.nanoseconds > $1.nanoseconds }
  }

  private mutating func playAll() throws {
    // The first batch is in memory before the clock starts.
    _ = timeline!.next(&batch, stop: stage.stop)
    begun = CaptureClock.monotonicNanoseconds()
    pacer.anchor(Pacer.Position(), at: begun)
    catchesUpTo = begun
    stage.counters.setPhase(.playing)
    stage.counters.setState(isPaused: false, pacer.pace)
    while let item = try nextItem() {
      if !item.isState { goOnBehindState(at: item) }
      if try sendAtOnce() { continue }
      switch try waitUntilDue(item) {
      case .due(let deadline, let now): try finish(item, deadline: deadline, now: now)
      case .moved: continue
      case .stopped: summary.isStopped = true
      }
      if summary.isStopped { break }
    }
    for socket in stage.sockets { try socket.readPeers() }
  }

  private mutating func endTimeline() throws {
    defer { timeline = nil }
    do {
      try timeline?.finish()
    } catch let error as ReplayError {
      throw error
    } catch {
      throw ReplayError.unreadable(reason: "\(error)")
    }
  }

  /// The next message; nil at the end of the last loop, and where a stop was requested first.
  private mutating func nextItem() throws -> ReplayItem? {
    while nextIndex >= batch.items.count {
      summary.losses.take(batch.losses)
      for socket in stage.sockets { try socket.readPeers() }
      noteWhoLeft()
      nextIndex = 0
      let look = plan.kind == .dealer ? Self.answersNanoseconds : nil
      switch timeline!.next(&batch, stop: stage.stop, bell: stage.control.bell, within: look) {
      case .batch: continue
      case .end:
        guard pausedAt != nil else { return nil }
        // Who paused it may go on elsewhere.
        stepsLeft = 0
        if verbsHeld.isEmpty { stage.control.finish() }
        if verbsHeld.isEmpty { try waitForVerb() }
        // Everything has been sent.
        if stage.stop.isRequested { return nil }
      case .interrupted: break
      }
      if stage.stop.isRequested {
        summary.isStopped = true
        return nil
      }
      _ = try obey(next: nil)
    }
    return batch.items[nextIndex]
  }

  /// Whoever left before the last message was sent; who leaves behind it has everything.
  private mutating func noteWhoLeft() {
    guard summary.messages != messagesWhenLeft else { return }
    messagesWhenLeft = summary.messages
    summary.endpointsLeft = stage.sockets.filter(\.isLeft).map(\.address)
  }

  /// A message was sent, the last one up to now.
  private mutating func noteSent(_ item: ReplayItem, at now: Int64) {
    summary.durationNanoseconds = (pausedAt ?? now) - begun - idleNanoseconds
    summary.bytesOfLast = UInt64(item.frameBytes)
  }

  // MARK: - Waiting

  private enum Wait {
    /// `deadline`: nil where there was none; then nobody looked at the clock.
    case due(deadline: Int64?, now: Int64)
    /// Another message is next.
    case moved
    case stopped
  }

  private mutating func waitUntilDue(_ item: ReplayItem) throws -> Wait {
    while true {
      if stage.stop.isRequested { return .stopped }
      if stage.control.bell.isRung || isHeldVerbDue, try obey(next: item) { return .moved }
      if pausedAt != nil {
        if stepsLeft > 0 { return .due(deadline: nil, now: 0) }
        stage.counters.setNext(nil, position: 0)
        try waitForVerb()
        continue
      }
      guard !item.isState, let deadline = deadline(of: item) else {
        return .due(deadline: nil, now: 0)
      }
      stage.counters.setNext(deadline, position: item.position)
      if try readAnswers(before: deadline) { continue }
      if let now = pacer.wait(until: deadline, stop: stage.stop, bell: stage.control.bell) {
        return .due(deadline: deadline, now: now)
      }
    }
  }

  /// The time that the state took makes nothing late that comes behind it.
  private mutating func goOnBehindState(at item: ReplayItem) {
    guard let since = stateSince.take() else { return }
    // What is behind a pause moves when that ends.
    let end = pausedAt ?? CaptureClock.monotonicNanoseconds()
    if let deadline = deadline(of: item) {
      let late = max(0, min(end - deadline, end - since.time))
      pacer.delay(by: late)
      idleNanoseconds += late
    } else {
      idleNanoseconds = max(idleNanoseconds, since.idle + end - since.time)
    }
  }

  /// In a pause.
  private func waitForVerb() throws {
    while !stage.stop.isRequested, !stage.control.bell.isRung, try readAnswers(before: .max) {}
    _ = stage.stop.wait(untilMonotonicNanoseconds: .max, bell: stage.control.bell)
  }

  /// A DEALER's peers may wait until their answers are read: in a long wait that is done now and then.
  /// Returns whether some of it was waited.
  private func readAnswers(before deadline: Int64) throws -> Bool {
    guard plan.kind == .dealer else { return false }
    let next = CaptureClock.monotonicNanoseconds() + Self.answersNanoseconds
    guard deadline > next else { return false }
    for socket in stage.sockets { try socket.readPeers() }
    _ = stage.stop.wait(untilMonotonicNanoseconds: next, bell: stage.control.bell)
    return true
  }

  /// When a message is due; nil where it is at once, however late that is.
  private func deadline(of item: ReplayItem) -> Int64? {
    guard let delay = plan.followNanoseconds else {
      return pacer.deadline(of: position(of: item))
    }
    // What is older is caught up with.
    let deadline = item.received &+ delay
    return deadline < catchesUpTo ? nil : deadline
  }

  private func position(of item: ReplayItem) -> Pacer.Position {
    Pacer.Position(timeline: item.timeline, messages: paced.messages, bytes: paced.bytes)
  }

  /// Of the last message that was sent.
  private var positionPlayed: Pacer.Position {
    Pacer.Position(
      timeline: summary.timelineNanoseconds, messages: paced.messages, bytes: paced.bytes)
  }

  // MARK: - Sending

  /// At full speed: sends what is left of the batch, until a peer has no room or something else is to be
  /// done. Returns whether it sent any.
  private mutating func sendAtOnce() throws -> Bool {
    guard pacer.pace == .max, plan.followNanoseconds == nil, stage.timing == nil, pausedAt == nil
    else { return false }
    try checkFiles()
    let first = nextIndex
    var bytes = 0
    while nextIndex < batch.items.count, !stage.stop.isRequested, !stage.control.bell.isRung {
      let end = min(nextIndex + Self.burst, batch.items.count)
      try sendAtOnce(upTo: end, &bytes)
      if nextIndex < end { break }
    }
    let sent = UInt64(nextIndex - first)
    guard sent > 0 else { return false }
    count(sent, bytes: UInt64(bytes), upTo: batch.items[nextIndex - 1])
    return true
  }

  /// Ends early where a peer has no room and at a message of the state.
  private mutating func sendAtOnce(upTo end: Int, _ bytes: inout Int) throws(ZeroMQError) {
    var number: Int32 = 0
    var socket = stage.sockets[0]
    while nextIndex < end {
      let item = batch.items[nextIndex]
      if item.isState { return }
      if item.socket != number {
        number = item.socket
        socket = stage.sockets[Int(number)]
      }
      let recorded = stage.origins[Int(item.source)] &+ item.position
      let isSent = unsafe try socket.send(
        batch.frames(of: item), recorded: recorded, waiting: false)
      guard isSent else { return }
      bytes += item.frameBytes
      nextIndex += 1
    }
  }

  /// Messages were sent at full speed.
  private mutating func count(_ messages: UInt64, bytes: UInt64, upTo last: ReplayItem) {
    summary.messages += messages
    summary.bytes += bytes
    paced.messages += messages
    paced.bytes += bytes
    summary.timelineNanoseconds = last.timeline
    place = last.position
    noteSent(last, at: CaptureClock.monotonicNanoseconds())
    stage.counters.publish(summary, position: place)
  }

  /// Sends a message that is due, or passes over it where it is too late.
  private mutating func finish(_ item: ReplayItem, deadline: Int64?, now: Int64) throws {
    if item.isState, stateSince == nil {
      stateSince = (CaptureClock.monotonicNanoseconds(), idleNanoseconds)
    }
    if let deadline {
      let lateness = now - deadline
      if lateness > 0, isTooLate(lateness, item) {
        summary.messagesDropped += 1
        pass(item)
        return
      }
    }
    if now - lookedAt >= Self.looksApartNanoseconds || deadline == nil {
      lookedAt = now
      try checkFiles()
    }
    var sent = now
    if try offer(item, waiting: false) {
      if let deadline { note(now - deadline, of: item) }
      if deadline == nil { sent = CaptureClock.monotonicNanoseconds() }
    } else {
      guard try sendHeldUp(item) else {
        summary.isStopped = true
        return
      }
      // It has left now: what held it up counts.
      sent = CaptureClock.monotonicNanoseconds()
      if let deadline { note(sent - deadline, of: item) }
    }
    if let timing = stage.timing {
      timing.add(
        TimingLog.Entry(
          source: item.source, sequence: item.sequence, timeline: item.timeline,
          asked: deadline.map { $0 - begun }, sent: CaptureClock.monotonicNanoseconds() - begun))
    }
    if item.isState {
      summary.messagesOfState += 1
    } else {
      summary.messages += 1
      summary.bytes += UInt64(item.frameBytes)
      noteSent(item, at: sent)
    }
    pass(item)
  }

  /// What was read ahead of a file that was cut meanwhile is not what would be sent now.
  private func checkFiles() throws {
    guard stage.changes.take(), let path = try stage.pathOfCut() else { return }
    throw ReplayError.cut(path: path)
  }

  private mutating func note(_ lateness: Int64, of item: ReplayItem) {
    summary.lateness.record(lateness)
    guard plan.isByTopic else { return }
    while latenessByTopic.count <= item.topic {
      latenessByTopic.append(Lateness(limit: plan.latenessMax, isRough: true))
    }
    latenessByTopic[Int(item.topic)].record(lateness)
  }

  /// What the policy makes of a message that is late.
  private mutating func isTooLate(_ lateness: Int64, _ item: ReplayItem) -> Bool {
    switch plan.late {
    case .slip: return false
    case .drop: return lateness > plan.latenessMax ?? Self.dropLatenessDefault
    case .keepGaps:
      if lateness > Self.slipMin { pacer.delay(by: lateness) }
      return false
    }
  }

  /// Goes on behind a message.
  private mutating func pass(_ item: ReplayItem) {
    nextIndex += 1
    var isStepDone = false
    if !item.isState {
      if pausedAt != nil, stepsLeft > 0 {
        let now = CaptureClock.monotonicNanoseconds()
        pacer.anchor(position(of: item), at: now)
        movePause(to: now)
        summary.isStepped = true
        stepsLeft -= 1
        isStepDone = stepsLeft == 0
      }
      paced.messages += 1
      paced.bytes += UInt64(item.frameBytes)
      summary.timelineNanoseconds = item.timeline
      place = item.position
    }
    stage.counters.publish(summary, position: place)
    // Who asked for it sees what it sent.
    if isStepDone, verbsHeld.isEmpty { stage.control.finish() }
  }

  @inline(__always)
  private func offer(_ item: ReplayItem, waiting: Bool) throws(ZeroMQError) -> Bool {
    unsafe try stage.sockets[Int(item.socket)].send(
      batch.frames(of: item), recorded: stage.origins[Int(item.source)] &+ item.position,
      waiting: waiting)
  }

  /// Sends a message for which there was no room, waiting for its peers to have some. False when a stop
  /// was requested first.
  private mutating func sendHeldUp(_ item: ReplayItem) throws -> Bool {
    let socket = stage.sockets[Int(item.socket)]
    let begun = CaptureClock.monotonicNanoseconds()
    var counted = begun
    /// Since when nothing waits for anybody, and yet there is no room.
    var idleSince = begun
    var backlog = Backlog()
    var slowest: ReplaySocket.SlowPeer?
    let limit = plan.stallNanosecondsMax ?? .max
    while !stage.stop.isRequested {
      try checkFiles()
      let isSent = try offer(item, waiting: true)
      let now = CaptureClock.monotonicNanoseconds()
      if !isSent { slowest = try socket.slowestPeer(&backlog, now: now, limit: limit) }
      summary.held.add(now - counted, endpoint: socket.address, peer: slowest?.name)
      counted = now
      stage.counters.setHeld(summary.heldNanoseconds)
      if isSent {
        // The gap behind it begins now.
        if plan.late == .keepGaps { pacer.delay(by: now - begun) }
        return true
      }
      // A peer that waits for its answers to be read takes nothing meanwhile.
      if plan.kind == .dealer { try socket.readPeers() }
      if slowest != nil { idleSince = now }
      if now - (slowest?.since ?? idleSince) > limit {
        guard plan.stall == .dropPeer, let stalled = slowest else {
          throw ReplayError.stalled(
            endpoint: socket.address, peer: slowest.map { $0.name ?? "a peer" },
            seconds: Double(limit) / 1e9)
        }
        socket.drop(stalled)
        summary.peersDropped += 1
        idleSince = now
      }
    }
    return false
  }

  // MARK: - Obeying

  /// Does what was asked for. Returns whether another message is next. `item` is nil where no message
  /// is there yet.
  private mutating func obey(next item: ReplayItem?) throws -> Bool {
    var target: Int64?
    let now = CaptureClock.monotonicNanoseconds()
    let new = stage.control.take()
    // A bell may ring for what was taken already: that is no reason to end the steps that are left.
    if new.isEmpty, stepsLeft > 0 { return false }
    // Those that are held wait for steps that are left.
    var hasStepped = stepsLeft > 0 && !verbsHeld.isEmpty
    var verbs = verbsHeld + new
    verbsHeld = []
    while !verbs.isEmpty {
      if hasStepped, verbs[0].endsSteps {
        verbsHeld = verbs
        break
      }
      let verb = verbs.removeFirst()
      // What was left of earlier steps was meant for where it was.
      if verb.endsSteps { stepsLeft = 0 }
      switch verb {
      case .pause: pause(at: now, next: item)
      case .resume: resume(at: now)
      case .toggle: pausedAt == nil ? pause(at: now, next: item) : resume(at: now)
      case .step(let count):
        pause(at: now, next: item)
        stepsLeft += min(max(0, count), .max - stepsLeft)
        hasStepped = true
      case .seek(let position): target = position
      case .move(let distance): target = (target ?? here(item, at: now)) &+ distance
      case .nextMark: target = try stage.nextMark(target ?? here(item, at: now)) ?? target
      case .rate(let rate): change(to: rate, next: item, at: now)
      case .faster(let factor):
        if case .rate(let rate) = pacer.pace { change(to: rate * factor, next: item, at: now) }
      }
    }
    // Behind the last message is as far as it goes.
    if let target { try seek(to: min(max(0, target), (stage.span ?? .max - 1) + 1)) }
    stage.counters.setState(
      isPaused: pausedAt != nil, pacer.pace, next: target == nil ? due(item) : nil)
    if stepsLeft == 0, verbsHeld.isEmpty { stage.control.finish() }
    return target != nil
  }

  private var isHeldVerbDue: Bool { stepsLeft == 0 && !verbsHeld.isEmpty }

  private mutating func change(to rate: Double, next item: ReplayItem?, at now: Int64) {
    // A recording that is followed has the pace at which it is recorded.
    guard plan.followNanoseconds == nil else { return }
    let rates = ReplayControl.rates
    let rate = min(max(rate, rates.lowerBound), rates.upperBound)
    var next = positionPlayed
    if let item { next = position(of: item) }
    pacer.change(to: .rate(rate), next: next, at: pausedAt ?? now)
  }

  /// When the next message is due, where it is waited for.
  private func due(_ next: ReplayItem?) -> (due: Int64, position: Int64)? {
    guard let next, !next.isState, pausedAt == nil, let deadline = deadline(of: next) else {
      return nil
    }
    return (deadline, next.position)
  }

  /// Stands where it is, between two messages.
  private mutating func pause(at now: Int64, next item: ReplayItem?) {
    guard pausedAt == nil else { return }
    place = here(item, at: now)
    pausedAt = now
    stage.counters.publish(summary, position: place)
  }

  /// The time of a pause up to here is counted, and the timeline knows of it.
  private mutating func movePause(to now: Int64) {
    guard let paused = pausedAt else { return }
    idleNanoseconds += now - paused
    pausedAt = now
  }

  private mutating func resume(at now: Int64) {
    guard let paused = pausedAt else { return }
    pacer.delay(by: now - paused)
    movePause(to: now)
    pausedAt = nil
    stepsLeft = 0
    catchesUpTo = now
  }

  /// Where in the recording it is between the last message and the next one.
  private func here(_ next: ReplayItem?, at now: Int64) -> Int64 {
    guard let next, case .rate(let rate) = pacer.pace, !next.isState,
      let deadline = deadline(of: next)
    else { return place }
    let time = TimelineTime(
      position: place, next: (due: deadline, position: next.position), rate: rate)
    return time.position(at: pausedAt ?? now)
  }

  /// Goes on in the present loop at a place that is counted from the first message.
  private mutating func seek(to position: Int64) throws {
    let loop = batch.loop
    summary.losses.take(batch.losses)
    try endTimeline()
    timeline = stage.makeTimeline(
      ReplayTimeline.Start(
        loop: loop, position: position, played: summary.timelineNanoseconds))
    batch.clear()
    batch.loop = loop
    _ = timeline!.next(&batch, stop: stage.stop, bell: stage.control.bell)
    nextIndex = 0
    place = position
    let now = CaptureClock.monotonicNanoseconds()
    pacer.anchor(positionPlayed, at: now)
    catchesUpTo = now
    movePause(to: now)
    stage.counters.publish(summary, position: position)
  }
}

extension ReplayControl.Verb {
  /// Whether it takes back the steps that are left.
  fileprivate var endsSteps: Bool {
    switch self {
    case .pause, .resume, .toggle, .seek, .move, .nextMark: true
    case .step, .rate, .faster: false
    }
  }
}
