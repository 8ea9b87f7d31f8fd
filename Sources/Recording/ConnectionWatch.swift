import CaptureStore
import ZeroMQ

/// What an endpoint's monitor tells, as events of the ledger: who came, who went, who failed.
///
/// libzmq tries again ten times a second: so only the first retry of an absence is told, the next
/// connection tells how many there were, and failed handshakes are told once a second.
struct ConnectionWatch {
  /// What to ask the monitor for.
  static let kinds: Monitor.Kind = [
    .handshakeSucceeded, .disconnected, .connectRetried, .handshakeFailed,
  ]
  /// Events in a second: more are counted, and told with a later one.
  static let eventsMax = 20

  private static let second: Int64 = 1_000_000_000

  private let address: String
  private let isBound: Bool
  /// Connections whose handshake succeeded.
  private var peers = 0
  /// Since when there is none; nil before the first.
  private var lostAt: Int64?
  private var retries: Int64 = 0
  /// Messages that had come when a connection ended last.
  private var messagesBefore: UInt64 = 0
  /// Handshakes that failed and whose connection has not ended yet.
  private var failuresToEnd = 0

  private var failure: (code: Int, reason: String)?
  private var failures: Int64 = 0
  private var failureToldAt: Int64?

  private var secondBegan: Int64 = 0
  private var eventsInSecond = 0
  private var untold: Int64 = 0

  init(address: String, isBound: Bool) {
    self.address = address
    self.isBound = isBound
  }

  /// Takes what the monitor told, and how many messages came from the endpoint so far. Returns what
  /// the ledger should tell.
  mutating func take(_ event: Monitor.Event, messages: UInt64, at now: Int64) -> StoredEvent? {
    switch event.kind {
    case .handshakeSucceeded: return connected(at: now)
    case .disconnected:
      defer { messagesBefore = messages }
      return disconnected(hasSent: messages > messagesBefore, at: now)
    case .connectRetried: return retried(event, at: now)
    default:
      guard let reason = event.failureReason else { return nil }
      failuresToEnd += 1
      return failed(event.value, reason, at: now)
    }
  }

  private mutating func connected(at now: Int64) -> StoredEvent? {
    peers += 1
    if !isBound { failuresToEnd = 0 }
    var fields: [String: StoredEvent.Value] = [:]
    if let lostAt { fields["after_ms"] = .number((now - lostAt) / 1_000_000) }
    if retries > 0 { fields["retries"] = .number(retries) }
    if isBound { fields["peers"] = .number(Int64(peers)) }
    retries = 0
    return told("connected", fields, at: now)
  }

  /// `hasSent`: messages came since the last one that ended.
  private mutating func disconnected(hasSent: Bool, at now: Int64) -> StoredEvent? {
    if failuresToEnd > 0 {
      failuresToEnd -= 1
      return nil
    }
    // libzmq says nothing of a handshake with a socket that does not fit, but for its end. Nor of
    // that with a peer of ZMTP 2 or before, which is known by its messages.
    guard peers > 0 || hasSent else {
      return failed(0, "it ended early, as with a socket of another type", at: now)
    }
    peers = max(0, peers - 1)
    if peers == 0 { lostAt = now }
    return told("disconnected", isBound ? ["peers": .number(Int64(peers))] : [:], at: now)
  }

  private mutating func retried(_ event: Monitor.Event, at now: Int64) -> StoredEvent? {
    guard peers == 0 else { return nil }
    retries += 1
    return retries == 1 ? told("retried", ["every_ms": .number(Int64(event.value))], at: now) : nil
  }

  private mutating func failed(_ code: Int, _ reason: String, at now: Int64) -> StoredEvent? {
    failures += 1
    failure = (code, reason)
    return settle(at: now)
  }

  /// Tells of failed handshakes, a second after the last time.
  mutating func settle(at now: Int64) -> StoredEvent? {
    guard let failure else { return nil }
    if let last = failureToldAt, now - last < Self.second { return nil }
    failureToldAt = now
    defer {
      self.failure = nil
      failures = 0
    }
    return told(
      "handshake_failed",
      [
        "code": .number(Int64(failure.code)), "reason": .text(failure.reason),
        "count": .number(failures),
      ], at: now)
  }

  private mutating func told(
    _ kind: String, _ fields: [String: StoredEvent.Value], at now: Int64
  ) -> StoredEvent? {
    if now - secondBegan >= Self.second {
      secondBegan = now
      eventsInSecond = 0
    }
    guard eventsInSecond < Self.eventsMax else {
      untold += 1
      return nil
    }
    eventsInSecond += 1
    var fields = fields
    fields["endpoint"] = .text(address)
    if untold > 0 { fields["untold"] = .number(untold) }
    untold = 0
    return StoredEvent(kind, monotonicNanoseconds: now, fields)
  }
}
