import CaptureStore
import ZeroMQ

/// A socket that a replay sends on, and the peers it has.
@safe final class ReplaySocket {
  /// How often a send that waits looks up: for a stop, and to count the time.
  static let sendTimeoutMilliseconds = 100

  /// The endpoint, with wildcards of a bound one resolved.
  let address: String
  /// Whether any peer has been there.
  private(set) var hadPeer = false

  private let socket: Socket
  private let kind: ReplayPlan.SocketKind
  private let connections: PeerConnections
  /// PUB: subscriptions by connection.
  private var subscriptions: [Int: Int] = [:]
  private var subscription = Message(reservingFrames: 1)

  init(
    _ target: ReplayPlan.Target, _ plan: ReplayPlan, in context: Context
  ) throws(ZeroMQError) {
    kind = plan.kind
    socket = try Socket(plan.kind == .pub ? .xpub : .push, in: context)
    try socket.set(.sendHighWaterMark, plan.sendHighWaterMark)
    try socket.set(.sendTimeoutMilliseconds, Self.sendTimeoutMilliseconds)
    try socket.set(.lingerMilliseconds, Int(plan.lingerNanoseconds / 1_000_000))
    switch plan.kind {
    case .pub:
      try socket.set(.xpubNoDrop, true)
      try socket.set(.xpubVerboser, true)
    case .push:
      break
    }
    connections = try PeerConnections(socket)
    if target.isBound {
      try socket.bind(target.address)
      address = try socket.lastEndpoint
    } else {
      try socket.connect(target.address)
      address = target.address
    }
  }

  /// Peers there are now: subscribers of anything for PUB, connections for PUSH.
  func countPeers() throws(ZeroMQError) -> Int {
    switch kind {
    case .pub:
      try readSubscriptions()
      return subscriptions.count
    case .push:
      _ = try connections.update()
      return connections.count
    }
  }

  /// Each frame that an XPUB receives is a byte, 1 or 0, and the prefix. A peer may subscribe to
  /// many prefixes, so peers are told apart by their connection.
  func readSubscriptions() throws(ZeroMQError) {
    let ended = try connections.update()
    guard kind == .pub else { return }
    while try socket.receive(into: &subscription, waiting: false) {
      guard let isNew = Self.isNew(subscription) else { continue }
      // What libzmq itself takes back for a peer that is gone comes without a connection.
      guard let peer = subscription.connection else { continue }
      let count = subscriptions[peer, default: 0] + (isNew ? 1 : -1)
      subscriptions[peer] = count > 0 ? count : nil
      hadPeer = hadPeer || isNew
    }
    for descriptor in ended { subscriptions[Int(descriptor)] = nil }
  }

  /// Whether a message of an XPUB is a subscription or the end of one; nil for anything else.
  private static func isNew(_ message: borrowing Message) -> Bool? {
    let first = unsafe message.frames[0].first
    return first.flatMap { $0 <= 1 ? $0 == 1 : nil }
  }

  /// Sends a recorded message, its frames in place. False when there is no room, at once or after
  /// the send timeout; then nothing of it was sent.
  func send(
    _ record: RecordHeader, of segment: Segment, waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    for index in 0..<record.frameCount {
      guard let frame = segment.frame(index, of: record) else {
        preconditionFailure("the reading thread hands over messages whose frames fit")
      }
      let more = index + 1 < record.frameCount
      // Once libzmq took the first frame it takes the others; waiting for them is a formality.
      repeat {
        let isSent = unsafe try frame.withUnsafeBytes { bytes throws(ZeroMQError) in
          unsafe try socket.send(constant: bytes, more: more, waiting: waiting || index > 0)
        }
        if isSent { break }
        if index == 0 { return false }
      } while true
    }
    return true
  }

  /// Keeps its connections up beyond its own end, and sets how long that end may wait.
  func prepareEnd(lingerMilliseconds: Int) -> [HeldConnection] {
    try? socket.set(.lingerMilliseconds, lingerMilliseconds)
    return (try? connections.hold()) ?? []
  }
}
