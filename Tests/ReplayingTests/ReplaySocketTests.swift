import Foundation
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

  private static let isPacedByDefault =
    (try? String(contentsOfFile: "/proc/sys/net/ipv4/tcp_congestion_control", encoding: .utf8))?
    .hasPrefix("bbr") == true

  @Test(
    .enabled(if: isPacedByDefault, "a system that has BBR for all"),
    .enabled(if: hasVersion6, "a system with IPv6"),
    arguments: [
      ("tcp://127.0.0.1:*", ["reno", "reno"]), ("tcp://[::1]:*", ["reno", "reno"]),
      // Other machines may connect to this one.
      ("tcp://0.0.0.0:*", ["bbr", "reno"]),
    ])
  func whoConnectsOnTheLoopbackInterfaceIsNotPaced(
    address: String, congestionControl: [String]
  ) throws {
    let socket = try socket(.push, .init(address: address, isBound: true))
    let port = try port(of: socket.address)
    let isV6 = address.contains("::1")
    let peer = try peer(.pull, isV6 ? socket.address : "tcp://127.0.0.1:\(port)")
    try waitForPeers(1, socket)
    #expect(Self.congestionControl(ofPort: port, getsockname) == congestionControl)
    withExtendedLifetime(peer) {}
  }

  @Test(.enabled(if: isPacedByDefault, "a system that has BBR for all"))
  func aConnectionOnTheLoopbackInterfaceIsNotPaced() throws {
    let peer = try Socket(.pull, in: Context())
    try peer.set(.lingerMilliseconds, 0)
    try peer.bind("tcp://127.0.0.1:*")
    let address = try peer.lastEndpoint
    let socket = try socket(.push, .init(address: address, isBound: false))
    try waitForPeers(1, socket)
    #expect(Self.congestionControl(ofPort: try port(of: address), getpeername) == ["reno"])
    withExtendedLifetime(peer) {}
  }

  private func port(of address: String) throws -> UInt16 {
    try #require(UInt16(address.split(separator: ":").last ?? ""))
  }

  /// What the sockets of this process have one of whose names is of a port, those that listen first.
  private static func congestionControl(
    ofPort port: UInt16,
    _ name: (CInt, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?) -> CInt
  ) -> [String] {
    (0..<CInt(1024)).compactMap { descriptor in
      // A port lies at the same place in addresses of both kinds.
      var address = sockaddr_in6()
      var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
      let result = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(descriptor, $0, &size) }
      }
      guard result == 0, address.sin6_port == port.bigEndian else { return nil }
      var text = [UInt8](repeating: 0, count: 16)
      size = socklen_t(text.count)
      guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CONGESTION, &text, &size) == 0 else {
        return nil
      }
      return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
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
