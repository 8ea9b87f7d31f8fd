import CaptureIndex
import CaptureStore
import Synchronization
import Threads
import ZeroMQ

/// The sockets that are recorded, and the one loop that empties them into the store.
///
/// The hot path of zcap: receive, copy once into the mapped segment, publish. It allocates nothing,
/// takes no lock and makes no call of the system while messages are there.
@safe final class Intake: @unchecked Sendable {
  /// Messages taken from one socket before the next one gets its turn.
  private static let burst = 256
  /// The longest sleep: how soon a limit in time is noticed.
  private static let pollMilliseconds = 100
  /// How long the drain at the end goes on when messages do not stop arriving.
  private static let drainNanosecondsMax: Int64 = 30_000_000_000
  /// Two messages that were both there are taken this far apart: something held the loop up.
  private static let stallNanosecondsMin: Int64 = 100_000_000
  /// How often monitors are looked at while there is no time to sleep.
  private static let monitorNanoseconds: Int64 = 10_000_000
  /// Messages that wait together, and are small, share one reading of the clock: they are taken
  /// within 3 us. Reading it for each would be an eighth of the recorder's work.
  private static let messagesSharingTime = 8
  private static let bytesSharingTime: UInt64 = 4096

  let counters: RecordingCounters
  let ledger: RecordingLedger
  private(set) var reason = RecordingSummary.Reason.stopped
  private(set) var failure: StoreError?
  private(set) var isCutShort = false
  /// Captures of windows that ended, and those among them that could not be made.
  private(set) var windows = 0
  private(set) var windowsFailed = 0

  private let plan: RecordingPlan
  /// As they are in the manifest.
  private let endpoints: [RecordedEndpoint]
  private let sockets: [WatchedSocket]
  private let poller = Poller()
  private let writer: CaptureWriter
  private let pinner: Pinner
  private let pinIndexer: PinIndexer
  private let indexed: IndexProgress
  private let endpointIDs: [UInt16]
  private let stop: StopToken

  // The watch over the loop, touched once a turn at most.
  private var watch = LoopWatch(.now())
  private var connections: [ConnectionWatch]
  private var queues: [QueueWatch]
  /// When the last message was taken, while there are more; `.max` behind a sleep.
  private var lastTaken = Int64.max
  private var monitorsSeen: Int64 = 0
  /// What monitors told and the ledger has not.
  private var news: [(event: Monitor.Event, endpoint: Int)] = []
  private var rollNanosecondsSeen: Int64 = 0
  private let hasTopicTriggers: Bool
  private var topicTriggers: TopicTriggers

  init(
    _ plan: RecordingPlan, endpoints: [RecordedEndpoint], sockets: [WatchedSocket],
    writer: CaptureWriter, pinner: Pinner, pinIndexer: PinIndexer, indexed: IndexProgress,
    stop: StopToken
  ) {
    self.plan = plan
    self.endpoints = endpoints
    self.sockets = sockets
    self.writer = writer
    self.pinner = pinner
    self.pinIndexer = pinIndexer
    self.indexed = indexed
    endpointIDs = writer.endpointIDs
    hasTopicTriggers = !plan.triggerTopics.isEmpty
    topicTriggers = TopicTriggers(
      prefixes: plan.triggerTopics, after: plan.triggerWindow.after)
    self.stop = stop
    ledger = RecordingLedger(writer)
    counters = RecordingCounters(endpoints: sockets.count)
    connections = endpoints.map { ConnectionWatch(address: $0.address, isBound: $0.isBound) }
    queues = endpoints.map { _ in QueueWatch(highWaterMark: plan.receiveHighWaterMark) }
    for socket in sockets { poller.add(socket.socket) }
    for socket in sockets {
      if let monitor = socket.monitor { poller.add(monitor.socket) }
    }
    poller.add(fileDescriptor: stop.fileDescriptor)
  }

  /// Asks for the topics of the plan. From here on messages arrive.
  func subscribe() throws(ZeroMQError) { try sendSubscriptions(marker: 1) }

  /// On an XSUB, a byte of 1 or 0 and the prefix. Source: `zmq_socket(3)`, ZMQ_XSUB.
  private func sendSubscriptions(marker: UInt8) throws(ZeroMQError) {
    for (socket, endpoint) in zip(sockets, plan.endpoints) {
      for prefix in endpoint.subscriptions { try socket.socket.send([[marker] + prefix.bytes]) }
    }
  }

  /// Records until a stop is requested, a limit is reached, or the store cannot go on.
  func run() throws(ZeroMQError) {
    ledger.tell(StoredEvent("started", monotonicNanoseconds: counters.started))
    defer { counters.end() }
    let result = Result { () throws(ZeroMQError) in try record() }
    if let problem = result.failure { ledger.tell(ended("error", problem.description)) }
    try result.get()
    pinHeldBack(CaptureClock.monotonicNanoseconds())
    try readMonitors(CaptureClock.monotonicNanoseconds())
    tellConnections(CaptureClock.monotonicNanoseconds())
    tellTriggers()
    if isCutShort { ledger.tell(StoredEvent("cut_short")) }
    ledger.tell(ended(reason.rawValue, failure?.description))
  }

  private func ended(_ reason: String, _ failure: String?) -> StoredEvent {
    var event = StoredEvent(
      "ended",
      ["reason": .text(reason), "messages": .number(Int64(clamping: writer.messageCount))])
    if let failure { event.fields["failure"] = .text(failure) }
    return event
  }

  private func record() throws(ZeroMQError) {
    var message = Message()
    let deadline = plan.durationNanosecondsMax.map { counters.started + $0 }
    var now = counters.started
    while !stop.isRequested {
      if now - monitorsSeen >= Self.monitorNanoseconds { try readMonitors(now) }
      let received = try takeBurst(&message)
      if isLimitReached || !tend() { return }
      now = received > 0 ? lastTaken : CaptureClock.monotonicNanoseconds()
      if let deadline, now >= deadline {
        reason = .duration
        break
      }
      look(now)
      if received == 0 { now = try sleep(until: deadline) }
    }
    try drain(&message)
  }

  /// Returns when it woke up.
  private func sleep(until deadline: Int64?) throws(ZeroMQError) -> Int64 {
    var milliseconds = Self.pollMilliseconds
    let begun = CaptureClock.monotonicNanoseconds()
    if let deadline {
      milliseconds = max(0, min(milliseconds, Int((deadline - begun + 999_999) / 1_000_000)))
    }
    try poller.wait(milliseconds: milliseconds)
    let ended = CaptureClock.monotonicNanoseconds()
    let asked = Int64(milliseconds) * 1_000_000
    if let pause = LoopWatch.pause(askedNanoseconds: asked, from: begun, to: ended) {
      ledger.tell(pause)
    }
    lastTaken = .max
    monitorsSeen = 0
    return ended
  }

  /// Stops what comes in, then records what libzmq holds; given up when that never ends.
  private func drain(_ message: inout Message) throws(ZeroMQError) {
    try sendSubscriptions(marker: 0)
    let end = CaptureClock.monotonicNanoseconds() + Self.drainNanosecondsMax
    while try takeBurst(&message) > 0 {
      if isLimitReached || !tend() { return }
      let now = CaptureClock.monotonicNanoseconds()
      pinHeldBack(now)
      if now > end {
        isCutShort = true
        return
      }
    }
  }

  /// Looks whether a message triggers, where that would ask for anything.
  private func lookForTrigger(_ message: borrowing Message, at now: Int64) {
    guard !topicTriggers.isCovered(now), unsafe message.frames.count > 0,
      let prefix = unsafe topicTriggers.prefix(of: message.frames[0])
    else { return }
    pinHeldBack(now)
    let trigger = TopicTriggers.Trigger(time: now, prefix: prefix)
    if topicTriggers.take(trigger) { pin(trigger) }
  }

  private var isLimitReached: Bool { reason != .stopped && reason != .duration }

  /// One turn of every socket. Returns how many messages were taken.
  private func takeBurst(_ message: inout Message) throws(ZeroMQError) -> Int {
    var count = 0
    var last = lastTaken
    defer { lastTaken = last }
    for endpoint in sockets.indices {
      let socket = sockets[endpoint].socket
      var taken = 0
      var now = last
      var sharing = 0
      var bytesTimed = writer.frameBytes
      while taken < Self.burst {
        guard try socket.receive(into: &message, waiting: false) else { break }
        taken += 1
        if sharing == 0 || writer.frameBytes - bytesTimed > Self.bytesSharingTime {
          now = CaptureClock.monotonicNanoseconds()
          if now - last >= Self.stallNanosecondsMin { stalled(now - last, at: now) }
          last = now
          sharing = Self.messagesSharingTime
          bytesTimed = writer.frameBytes
        }
        sharing -= 1
        let stored = writer.messageCount
        let goesOn = record(message, endpoint: endpoint, at: now)
        // The last one may be one of those; one that was refused is in no window.
        if hasTopicTriggers, writer.messageCount > stored { lookForTrigger(message, at: now) }
        guard goesOn else { break }
      }
      counters.add(taken, endpoint: endpoint)
      count += taken
      if queues[endpoint].isFull(taking: taken, isEmpty: taken < Self.burst, at: last) {
        let hwm = Int64(plan.receiveHighWaterMark)
        tell("queue_full", ["hwm": .number(hwm)], endpoint: endpoint)
      }
      if isLimitReached { break }
    }
    counters.publish(messages: writer.messageCount, bytes: writer.frameBytes)
    return count
  }

  /// Appends one message. False when the recording ends here.
  private func record(_ message: borrowing Message, endpoint: Int, at now: Int64) -> Bool {
    do throws(StoreError) {
      unsafe try writer.append(
        endpoint: endpointIDs[endpoint], monotonicNanoseconds: now, frames: message.frames)
    } catch .messageTooLarge(let bytes, let frames) {
      counters.refused.wrappingAdd(1, ordering: .relaxed)
      let fields: [String: StoredEvent.Value] = [
        "bytes": .number(Int64(bytes)), "frames": .number(Int64(frames)), "lost": .number(1),
      ]
      tell("refused", fields, endpoint: endpoint)
      return true
    } catch {
      failure = error
      reason = .failure
      return false
    }
    if let limit = plan.messagesMax, writer.messageCount >= limit {
      reason = .messages
      return false
    }
    if let limit = plan.bytesMax, writer.frameBytes >= limit {
      reason = .bytes
      return false
    }
    return true
  }
}

// MARK: - What happens beside the messages

extension Intake {
  private func tell(
    _ kind: String, _ fields: [String: StoredEvent.Value], endpoint: Int
  ) {
    var event = StoredEvent(kind, fields)
    event.fields["endpoint"] = .text(endpoints[endpoint].address)
    ledger.tell(event, endpoint: endpointIDs[endpoint])
  }

  private func stalled(_ nanoseconds: Int64, at now: Int64) {
    var event = StoredEvent(
      "stalled", monotonicNanoseconds: now, ["ms": .number(nanoseconds / 1_000_000)])
    let waited = (writer.rolls.nanoseconds - rollNanosecondsSeen) / 1_000_000
    rollNanosecondsSeen = writer.rolls.nanoseconds
    if waited > 0 { event.fields["segment_ms"] = .number(waited) }
    ledger.tell(event)
  }

  /// Sees to what was stored. False when the recording ends here.
  private func tend() -> Bool {
    do throws(StoreError) {
      for notice in try writer.tend() {
        switch notice {
        case .pinned(let outcome): tell(outcome)
        case .lastSegment(let error): tell("last_segment", error)
        case .ringIsShort(let error): tell("ring_short", error)
        case .syncFailed(let error): tell("sync_failed", error)
        }
      }
      return true
    } catch {
      // There may be no page behind the next byte.
      ledger.isStoring = false
      failure = error
      reason = .failure
      return false
    }
  }

  /// What triggered since the last time.
  func tellTriggers() {
    for event in pinner.takeEvents() { ledger.tell(event) }
  }

  /// A window of the recording is a capture of its own; its index is made beside the recording.
  func tell(_ outcome: PinOutcome) {
    var event = StoredEvent(
      outcome.failure == nil ? "pinned" : "pin_failed",
      [
        "capture": .text(outcome.path), "segments": .number(Int64(outcome.segments)),
        "before_ms": .number(outcome.before / 1_000_000),
        "after_ms": .number(outcome.after / 1_000_000),
        "asked_before_ms": .number(outcome.beforeAsked / 1_000_000),
      ])
    if outcome.isLate { event.fields["late"] = .number(1) }
    if let failure = outcome.failure { event.fields["reason"] = .text(failure.description) }
    if outcome.isCut { event.fields["cut"] = .number(1) }
    ledger.tell(event)
    windows += 1
    if outcome.failure != nil { windowsFailed += 1 }
    guard outcome.failure == nil, outcome.segments > 0 else { return }
    pinIndexer.add(outcome.path)
  }

  private func tell(_ kind: String, _ error: StoreError) {
    ledger.tell(StoredEvent(kind, ["reason": .text(error.description)]))
  }

  /// A trigger that came while the window of another lasted has its own behind that.
  private func pinHeldBack(_ now: Int64) {
    if let trigger = topicTriggers.takeDue(now) { pin(trigger) }
  }

  private func pin(_ trigger: TopicTriggers.Trigger) {
    let prefix = String(decoding: topicTriggers.prefixes[trigger.prefix], as: UTF8.self)
    _ = pinner.pin(
      at: trigger.time, before: nil, after: topicTriggers.after, label: "topic \(prefix)")
  }

  /// Looks at triggers, connections, clocks and the index, each when it is due.
  private func look(_ now: Int64) {
    if !news.isEmpty { tellConnections(now) }
    pinHeldBack(now)
    tellTriggers()
    guard watch.isDue(now) else { return }
    // One that waits is not late.
    let isWaiting = indexed.isWaiting.load(ordering: .relaxed)
    let events = watch.look(
      .now(), recorded: writer.messageCount,
      indexed: isWaiting ? writer.messageCount : indexed.messages.load(ordering: .relaxed))
    for event in events { ledger.tell(event) }
    rollNanosecondsSeen = writer.rolls.nanoseconds
    for endpoint in connections.indices {
      if let event = connections[endpoint].settle(at: now) {
        ledger.tell(event, endpoint: endpointIDs[endpoint])
      }
    }
  }

  /// Reads what the monitors have to tell. Of a publisher that came it is told at once, before its
  /// first message; of all else behind the messages that are there.
  private func readMonitors(_ now: Int64) throws(ZeroMQError) {
    monitorsSeen = now
    for endpoint in sockets.indices {
      guard let monitor = sockets[endpoint].monitor else { continue }
      while let event = try monitor.next() {
        if news.isEmpty && event.kind == .handshakeSucceeded {
          tell(event, endpoint: endpoint, at: now)
        } else {
          news.append((event, endpoint))
        }
      }
    }
  }

  private func tellConnections(_ now: Int64) {
    for (event, endpoint) in news { tell(event, endpoint: endpoint, at: now) }
    news.removeAll()
  }

  private func tell(_ event: Monitor.Event, endpoint: Int, at now: Int64) {
    let messages = counters.messages(endpoint: endpoint)
    if let event = connections[endpoint].take(event, messages: messages, at: now) {
      ledger.tell(event, endpoint: endpointIDs[endpoint])
    }
  }
}

/// A socket and who watches it; nobody where libzmq had no room for a monitor.
struct WatchedSocket {
  var socket: Socket
  var monitor: Monitor?
}

/// Whether a socket's queue may have been full for so long that its publisher had to drop.
///
/// Nobody tells how many messages are in it. It can only have been full when as many were taken
/// since it was last empty as it holds; a burst is as long as that, too. So it is told when the
/// queue is not empty for a second more: short of that, as with a stall, the queues of libzmq and
/// of the kernel on both sides are what takes up the rest.
struct QueueWatch {
  static let fullMin: Int64 = 1_000_000_000

  let highWaterMark: Int
  private var taken = 0
  /// Since when as many messages were taken as it holds.
  private var mayBeFullSince: Int64?
  private var isTold = false

  init(highWaterMark: Int) { self.highWaterMark = highWaterMark }

  /// Takes one turn. True once, until the queue was empty.
  mutating func isFull(taking count: Int, isEmpty: Bool, at now: Int64) -> Bool {
    guard highWaterMark > 0, !isEmpty else {
      self = QueueWatch(highWaterMark: highWaterMark)
      return false
    }
    guard let since = mayBeFullSince else {
      taken += count
      if taken >= highWaterMark { mayBeFullSince = now }
      return false
    }
    guard !isTold else { return false }
    isTold = now - since >= Self.fullMin
    return isTold
  }
}

extension Result {
  fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
