import CaptureStore
import ZeroMQ

/// A socket that a replay sends on, and the peers it has.
@safe final class ReplaySocket {
  /// How often a send that waits looks up: for a stop, and to count the time.
  static let sendTimeoutMilliseconds = 100

  /// Of what peers sent, at one time.
  private static let readsMax = 10_000

  /// The endpoint, with wildcards of a bound one resolved.
  let address: String
  /// Whether any peer has been there.
  private(set) var hadPeer = false
  /// PUB: whether the last of them is gone.
  var isLeft: Bool { kind == .pub && hadPeer && subscriptions.isEmpty }

  private let socket: Socket
  private let kind: ReplayPlan.SocketKind
  private let connections: PeerConnections
  /// PUB: what each connection has subscribed to, and how often.
  private var subscriptions: [Int: [[UInt8]: Int]] = [:]
  /// Connections that ended and whose subscriptions may still be on their way to us.
  private var ended: Set<CInt> = []
  /// Subscriptions, or what a DEALER's peers answer.
  private var received = Message(reservingFrames: 1)
  private var rewriter: FrameRewriter?
  private let isRewriting: Bool
  /// Frames do not stay where they are until libzmq is done with them.
  private let isCopying: Bool

  init(
    _ target: ReplayPlan.Target, _ plan: ReplayPlan, in context: Context
  ) throws(ZeroMQError) {
    kind = plan.kind
    rewriter = FrameRewriter(plan)
    isRewriting = rewriter != nil
    isCopying = plan.makesCopies
    socket = try Socket(plan.kind.socketType, in: context)
    try socket.set(.sendHighWaterMark, plan.sendHighWaterMark)
    try socket.set(.sendTimeoutMilliseconds, Self.sendTimeoutMilliseconds)
    try socket.set(.lingerMilliseconds, Int(plan.lingerNanoseconds / 1_000_000))
    switch plan.kind {
    case .pub:
      try socket.set(.xpubNoDrop, !plan.isDropAllowed)
      try socket.set(.xpubVerboser, true)
    case .push, .dealer:
      break
    }
    connections = try PeerConnections(socket)
    if target.isBound {
      try socket.bind(target.address)
      address = try socket.lastEndpoint
      // As early as can be: a peer has what the socket that listens had when it came.
      try connections.update()
    } else {
      try socket.connect(target.address)
      address = target.address
    }
  }

  /// Peers there are now: subscribers of anything for PUB, connections for the others.
  func countPeers() throws(ZeroMQError) -> Int {
    try readPeers()
    return kind == .pub ? subscriptions.count : connections.count
  }

  /// PUB: whether somebody subscribed to all topics that start with a prefix, or to some of them.
  func isAwaited(_ prefix: [UInt8]) -> Bool {
    subscriptions.values.contains { wanted in
      wanted.keys.contains { $0.starts(with: prefix) || prefix.starts(with: $0) }
    }
  }

  /// Reads what came from peers: each frame that an XPUB receives is a byte, 1 or 0, and a prefix. A
  /// peer may subscribe to many, so peers are told apart by their connection. Its number may be the
  /// next peer's at once: that one is known to be there before anything of it can be read.
  func readPeers() throws(ZeroMQError) {
    try connections.update()
    let endedBefore = connections.takeEnded()
    for descriptor in endedBefore { subscriptions[Int(descriptor)] = nil }
    guard kind != .push else { return }
    // Whoever answers without end does not keep a replay from going on.
    var left = Self.readsMax
    while left > 0, try socket.receive(into: &received, waiting: false) {
      left -= 1
      // What libzmq itself takes back for a peer that is gone comes without a connection.
      guard kind == .pub, let peer = received.connection,
        let (isNew, prefix) = Self.subscription(received)
      else { continue }
      let count = subscriptions[peer, default: [:]][prefix, default: 0] + (isNew ? 1 : -1)
      subscriptions[peer, default: [:]][prefix] = count > 0 ? count : nil
      if subscriptions[peer]?.isEmpty == true { subscriptions[peer] = nil }
      hadPeer = hadPeer || isNew
    }
    ended.formUnion(endedBefore)
    try connections.update()
    ended.formUnion(connections.takeEnded())
    ended = ended.filter { !connections.isConnected($0) }
    for descriptor in ended { subscriptions[Int(descriptor)] = nil }
  }

  /// A subscription that an XPUB received, or the end of one; nil for anything else.
  private static func subscription(
    _ message: borrowing Message
  ) -> (isNew: Bool, prefix: [UInt8])? {
    let frame = unsafe message.frames[0]
    guard let marker = unsafe frame.first, marker <= 1 else { return nil }
    return (marker == 1, unsafe Array(frame.dropFirst()))
  }

  /// Sends a message, its frames in place. False when there is no room, at once or after the send
  /// timeout; then nothing of it was sent.
  ///
  /// `recorded`: when it was, in Unix nanoseconds.
  func send(
    _ frames: Span<UnsafeRawBufferPointer>, recorded: Int64, waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    let last = unsafe frames.count - 1
    for index in unsafe frames.indices {
      // Once libzmq took the first frame it takes the others; waiting for them is a formality.
      let isWaiting = waiting || index > 0
      while unsafe try !send(index, of: frames, recorded, more: index < last, waiting: isWaiting) {
        if index == 0 { return false }
      }
    }
    if isRewriting { unsafe rewriter!.pass(frames) }
    return true
  }

  @inline(__always)
  private func send(
    _ index: Int, of frames: Span<UnsafeRawBufferPointer>, _ recorded: Int64, more: Bool,
    waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    if isRewriting {
      let isRewritten = unsafe rewriter!.rewrite(index, of: frames) { clock in
        switch clock {
        case .unix: CaptureClock.unixNanoseconds()
        case .timeline: recorded
        }
      }
      if isRewritten { return try sendRewritten(more: more, waiting: waiting) }
    }
    return unsafe try isCopying
      ? socket.send(frames[index], more: more, waiting: waiting)
      : socket.send(constant: frames[index], more: more, waiting: waiting)
  }

  private func sendRewritten(more: Bool, waiting: Bool) throws(ZeroMQError) -> Bool {
    let frame = rewriter!.bytes
    return unsafe try frame.span.withUnsafeBytes { bytes throws(ZeroMQError) in
      unsafe try socket.send(bytes, more: more, waiting: waiting)
    }
  }

  /// Whether a message had a topic for one of the plan's stamps, or of its other beginnings.
  func hasUsed(stamp index: Int) -> Bool { rewriter?.isStampUsed[index] == true }
  func hasUsed(mapping index: Int) -> Bool { rewriter?.isMappingUsed[index] == true }

  /// Fields of messages that were not written, since their frames end before them.
  var fieldsMissed: Int { rewriter?.fieldsMissed ?? 0 }

  /// A peer that keeps this socket from sending.
  struct SlowPeer {
    var connection: CInt
    /// nil where the system does not tell.
    var name: String?
    /// Since when it has taken nothing, on the monotonic clock.
    var since: Int64
  }

  /// Who has taken nothing for the longest, as far as `backlog` saw; nil where nothing waits for
  /// anybody.
  func slowestPeer(
    _ backlog: inout Backlog, now: Int64, limit: Int64
  ) throws(ZeroMQError) -> SlowPeer? {
    guard let (connection, since) = try connections.slowest(&backlog, now: now, limit: limit)
    else { return nil }
    return SlowPeer(
      connection: connection, name: PeerConnections.name(of: connection), since: since)
  }

  /// Disconnects a peer.
  func drop(_ peer: SlowPeer) { connections.end(peer.connection) }

  /// Keeps its connections up beyond its own end, and sets how long that end may wait.
  func prepareEnd(lingerMilliseconds: Int) -> [HeldConnection] {
    try? socket.set(.lingerMilliseconds, lingerMilliseconds)
    return (try? connections.hold()) ?? []
  }
}

extension ReplayPlan.SocketKind {
  fileprivate var socketType: SocketType {
    switch self {
    case .pub: .xpub
    case .push: .push
    case .dealer: .dealer
    }
  }
}
