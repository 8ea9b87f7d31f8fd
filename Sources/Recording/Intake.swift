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

  let counters: RecordingCounters
  private(set) var reason = RecordingSummary.Reason.stopped
  private(set) var failure: StoreError?
  private(set) var isCutShort = false

  private let plan: RecordingPlan
  private let sockets: [Socket]
  private let poller = Poller()
  private let writer: CaptureWriter
  private let endpointIDs: [UInt16]
  private let stop: StopToken

  init(_ plan: RecordingPlan, sockets: [Socket], writer: CaptureWriter, stop: StopToken) {
    self.plan = plan
    self.sockets = sockets
    self.writer = writer
    endpointIDs = writer.endpointIDs
    self.stop = stop
    counters = RecordingCounters(endpoints: sockets.count)
    for socket in sockets { poller.add(socket) }
    poller.add(fileDescriptor: stop.fileDescriptor)
  }

  /// Asks for the topics of the plan. From here on messages arrive.
  func subscribe() throws(ZeroMQError) { try sendSubscriptions(marker: 1) }

  /// On an XSUB, a byte of 1 or 0 and the prefix. Source: `zmq_socket(3)`, ZMQ_XSUB.
  private func sendSubscriptions(marker: UInt8) throws(ZeroMQError) {
    for (socket, endpoint) in zip(sockets, plan.endpoints) {
      for prefix in endpoint.subscriptions { try socket.send([[marker] + prefix.bytes]) }
    }
  }

  /// Records until a stop is requested, a limit is reached, or the store cannot go on.
  func run() throws(ZeroMQError) {
    defer { counters.end() }
    var message = Message()
    let deadline = plan.durationNanosecondsMax.map { counters.started + $0 }
    while !stop.isRequested {
      let received = try takeBurst(&message)
      if isLimitReached { return }
      if let deadline, CaptureClock.monotonicNanoseconds() >= deadline {
        reason = .duration
        break
      }
      if received == 0 { try sleep(until: deadline) }
    }
    try drain(&message)
  }

  private func sleep(until deadline: Int64?) throws(ZeroMQError) {
    var milliseconds = Self.pollMilliseconds
    if let deadline {
      let left = (deadline - CaptureClock.monotonicNanoseconds() + 999_999) / 1_000_000
      milliseconds = max(0, min(milliseconds, Int(left)))
    }
    try poller.wait(milliseconds: milliseconds)
  }

  /// Stops what comes in, then records what libzmq holds; given up when that never ends.
  private func drain(_ message: inout Message) throws(ZeroMQError) {
    try sendSubscriptions(marker: 0)
    let end = CaptureClock.monotonicNanoseconds() + Self.drainNanosecondsMax
    while try takeBurst(&message) > 0 {
      if isLimitReached { return }
      if CaptureClock.monotonicNanoseconds() > end {
        isCutShort = true
        return
      }
    }
  }

  private var isLimitReached: Bool { reason != .stopped && reason != .duration }

  /// One turn of every socket. Returns how many messages were taken.
  private func takeBurst(_ message: inout Message) throws(ZeroMQError) -> Int {
    var count = 0
    for endpoint in sockets.indices {
      let socket = sockets[endpoint]
      var taken = 0
      while taken < Self.burst {
        guard try socket.receive(into: &message, waiting: false) else { break }
        taken += 1
        guard record(message, endpoint: endpoint) else { break }
      }
      counters.add(taken, endpoint: endpoint)
      count += taken
      if isLimitReached { break }
    }
    counters.publish(messages: writer.messageCount, bytes: writer.frameBytes)
    return count
  }

  /// Appends one message. False when the recording ends here.
  private func record(_ message: borrowing Message, endpoint: Int) -> Bool {
    do throws(StoreError) {
      unsafe try writer.append(
        endpoint: endpointIDs[endpoint],
        monotonicNanoseconds: CaptureClock.monotonicNanoseconds(), frames: message.frames)
    } catch .messageTooLarge {
      counters.refused.wrappingAdd(1, ordering: .relaxed)
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

/// Counts that the recording thread publishes and any thread reads.
final class RecordingCounters: Sendable {
  let started = CaptureClock.monotonicNanoseconds()
  let refused = Atomic<UInt64>(0)
  private let messages = Atomic<UInt64>(0)
  private let bytes = Atomic<UInt64>(0)
  private let ended = Atomic<Int64>(0)
  private let byEndpoint: [Count]

  private final class Count: Sendable {
    let value = Atomic<UInt64>(0)
  }

  init(endpoints: Int) { byEndpoint = (0..<endpoints).map { _ in Count() } }

  func add(_ count: Int, endpoint: Int) {
    if count > 0 { byEndpoint[endpoint].value.wrappingAdd(UInt64(count), ordering: .relaxed) }
  }

  func publish(messages: UInt64, bytes: UInt64) {
    self.messages.store(messages, ordering: .relaxed)
    self.bytes.store(bytes, ordering: .relaxed)
  }

  /// Recording is over: sealing and indexing do not count as its time.
  func end() { ended.store(CaptureClock.monotonicNanoseconds(), ordering: .relaxed) }

  func status(indexed: UInt64) -> RecordingStatus {
    let ended = ended.load(ordering: .relaxed)
    let now = ended > 0 ? ended : CaptureClock.monotonicNanoseconds()
    return RecordingStatus(
      elapsedNanoseconds: now - started,
      messages: messages.load(ordering: .relaxed),
      bytes: bytes.load(ordering: .relaxed),
      messagesRefused: refused.load(ordering: .relaxed),
      messagesByEndpoint: byEndpoint.map { $0.value.load(ordering: .relaxed) },
      messagesIndexed: indexed)
  }
}
