import Glibc
import TestSupport
import Testing
import ZeroMQ

@testable import Replaying

@Suite(.timeLimit(.minutes(1))) struct ReplaySocketTests {
  private let directory: TemporaryDirectory
  private let context: Context

  init() throws {
    directory = try TemporaryDirectory()
    context = try Context()
  }

  private func socket(
    _ kind: ReplayPlan.SocketKind, over transport: String = "ipc"
  ) throws -> ReplaySocket {
    let address = transport == "ipc" ? directory.endpoint("p") : "tcp://127.0.0.1:*"
    return try socket(kind, ReplayPlan.Target(address: address, isBound: true))
  }

  private func socket(
    _ kind: ReplayPlan.SocketKind, _ target: ReplayPlan.Target
  ) throws -> ReplaySocket {
    var plan = ReplayPlan(routing: .single(target))
    plan.kind = kind
    plan.lingerNanoseconds = 0
    return try ReplaySocket(target, plan, in: context)
  }

  private func peer(_ type: SocketType, _ address: String) throws -> Socket {
    let socket = try Socket(type, in: context)
    try socket.set(.lingerMilliseconds, 0)
    try socket.connect(address)
    return socket
  }

  private func waitForPeers(_ count: Int, _ socket: ReplaySocket) throws {
    try waitFor("\(count) peers", seconds: 10) { try socket.countPeers() == count }
  }

  @Test(arguments: ["ipc", "tcp"])
  func aSubscriberWithThreePrefixesIsOnePeer(transport: String) throws {
    let socket = try socket(.pub, over: transport)
    #expect(try socket.countPeers() == 0 && !socket.hadPeer)
    let first = try peer(.sub, socket.address)
    for prefix in ["a", "b", "c"] { try first.subscribe(prefix) }
    try waitForPeers(1, socket)
    let second = try peer(.sub, socket.address)
    for prefix in ["a", "b", "c"] { try second.subscribe(prefix) }
    try waitForPeers(2, socket)
    // Only the end of its last subscription ends a peer.
    try first.unsubscribe(Array("a".utf8))
    for prefix in ["a", "b", "c"] { try second.unsubscribe(Array(prefix.utf8)) }
    try waitForPeers(1, socket)
    #expect(socket.hadPeer)
  }

  @Test(arguments: ["ipc", "tcp"]) func aSubscriberThatLeavesIsNoPeer(transport: String) throws {
    let socket = try socket(.pub, over: transport)
    for _ in 0..<3 {
      var leaving: Socket? = try peer(.sub, socket.address)
      try leaving?.subscribe("a")
      try leaving?.subscribe("b")
      try waitForPeers(1, socket)
      leaving = nil
      try waitForPeers(0, socket)
    }
    let staying = try peer(.sub, socket.address)
    try staying.subscribe("a")
    try waitForPeers(1, socket)
  }

  /// The next peer soon has the descriptor of the one before.
  @Test(arguments: ["ipc", "tcp"])
  func aSubscriberThatComesAsAnotherLeavesIsAPeer(transport: String) throws {
    let socket = try socket(.pub, over: transport)
    for _ in 0..<20 {
      var leaving: Socket? = try peer(.sub, socket.address)
      try leaving?.subscribe("a")
      try waitForPeers(1, socket)
      leaving = nil
      let coming = try Socket(.sub, in: Context())
      let monitor = try Monitor(coming, .handshakeSucceeded)
      try coming.set(.lingerMilliseconds, 0)
      try coming.subscribe("b")
      // Nobody looks at the socket until it has both to tell.
      usleep(2_000)
      try coming.connect(socket.address)
      try waitFor("a connection") { try monitor.next() != nil }
      usleep(2_000)
      try waitFor("the one that came, alone", seconds: 10) {
        try socket.countPeers() == 1 && socket.isAwaited(Array("b".utf8))
          && !socket.isAwaited(Array("a".utf8))
      }
      withExtendedLifetime(coming) {}
    }
  }

  @Test func aConnectionWithoutSubscriptionIsNoPeer() throws {
    let socket = try socket(.pub)
    let silent = try peer(.sub, socket.address)
    let other = try peer(.sub, socket.address)
    try other.subscribe("")
    try waitForPeers(1, socket)
    _ = silent
  }

  @Test func pushCountsItsConnections() throws {
    let socket = try socket(.push)
    #expect(try socket.countPeers() == 0)
    var first: Socket? = try peer(.pull, socket.address)
    let second = try peer(.pull, socket.address)
    try waitForPeers(2, socket)
    #expect(try first?.lastEndpoint == socket.address)
    first = nil
    try waitForPeers(1, socket)
    _ = second
  }
}
