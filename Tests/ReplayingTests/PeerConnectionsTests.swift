import CLinux
import Foundation
import Glibc
import TestSupport
import Testing
import ZeroMQ

@testable import Replaying

@Suite(.timeLimit(.minutes(1))) struct PeerConnectionsTests {
  private let context: Context
  private let socket: Socket
  private let connections: PeerConnections

  init() throws {
    context = try Context()
    socket = try Self.socket(.push, in: context)
    connections = try PeerConnections(socket)
  }

  private static func socket(_ type: SocketType, in context: Context) throws -> Socket {
    let socket = try Socket(type, in: context)
    try socket.set(.lingerMilliseconds, 0)
    return socket
  }

  private func waitForPeers(_ count: Int) throws {
    try waitFor("\(count) peers", seconds: 10) {
      try connections.update()
      return connections.count == count
    }
  }

  /// Also where others looked meanwhile who waits for what.
  @Test func aConnectionThatEndedIsTold() throws {
    try socket.bind("tcp://127.0.0.1:*")
    var peer: Socket? = try Self.socket(.pull, in: context)
    try peer?.connect(socket.lastEndpoint)
    try waitForPeers(1)
    #expect(connections.takeEnded() == [])
    peer = nil
    var backlog = Backlog()
    try waitFor("the end of the connection", seconds: 10) {
      _ = try connections.slowest(&backlog, now: 0, limit: .max)
      return connections.count == 0
    }
    #expect(connections.takeEnded().count == 1)
    #expect(connections.takeEnded() == [])
  }

  // MARK: Congestion control

  private static let ofSystem =
    (try? String(contentsOfFile: "/proc/sys/net/ipv4/tcp_congestion_control", encoding: .utf8))?
    .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
  /// Where it is not BBR nothing is to be replaced.
  private static let isBBR = ofSystem.hasPrefix("bbr")

  @Test(.enabled(if: isBBR, "the system has BBR for all"))
  func whatListensAtALoopbackAddressHasNoBBR() throws {
    try socket.bind("tcp://127.0.0.1:*")
    try connections.update()
    #expect(try congestionControl(of: socket.lastEndpoint) == ["listening reno"])
    let peer = try Self.socket(.pull, in: Context())
    try peer.connect(socket.lastEndpoint)
    try waitForPeers(1)
    #expect(
      try congestionControl(of: socket.lastEndpoint) == ["connected reno", "listening reno"])
    withExtendedLifetime(peer) {}
  }

  @Test(.enabled(if: isBBR && hasIPv6, "the system has BBR for all, and IPv6"))
  func aReplayBindsALoopbackAddressWithoutBBR() throws {
    var plan = ReplayPlan(routing: .single(.init(address: "tcp://[::1]:*", isBound: true)))
    plan.kind = .push
    plan.lingerNanoseconds = 0
    let replay = try ReplaySocket(
      .init(address: "tcp://[::1]:*", isBound: true), plan, in: context)
    #expect(try congestionControl(of: replay.address) == ["listening reno"])
  }

  /// Others than those of this machine may connect there.
  @Test(.enabled(if: isBBR, "the system has BBR for all"))
  func whatListensAtAllAddressesKeepsBBRForOthers() throws {
    try socket.bind("tcp://0.0.0.0:*")
    let peer = try Self.socket(.pull, in: Context())
    try peer.connect(socket.lastEndpoint.replacing("0.0.0.0", with: "127.0.0.1"))
    try waitForPeers(1)
    #expect(
      try congestionControl(of: socket.lastEndpoint)
        == ["connected reno", "listening \(Self.ofSystem)"])
    withExtendedLifetime(peer) {}
  }

  @Test(.enabled(if: isBBR, "the system has BBR for all"))
  func whatConnectsToALoopbackAddressHasNoBBR() throws {
    let peer = try Self.socket(.pull, in: Context())
    try peer.bind("tcp://127.0.0.1:*")
    try socket.connect(peer.lastEndpoint)
    try waitForPeers(1)
    // The peer is in this process, too: what it listens at and what it accepted are not ours.
    #expect(
      try congestionControl(of: peer.lastEndpoint, getpeername) == ["connected reno"])
    withExtendedLifetime(peer) {}
  }

  @Test(
    arguments: [
      ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("::ffff:127.0.0.1", true),
      ("128.0.0.1", false), ("0.0.0.0", false), ("10.127.0.1", false), ("::", false),
      ("fe80::1", false), ("::ffff:10.0.0.1", false),
    ])
  func loopbackAddressesAreKnown(text: String, isLoopback: Bool) {
    var address = sockaddr_storage()
    withUnsafeMutableBytes(of: &address) { bytes in
      var v4 = sockaddr_in()
      var v6 = sockaddr_in6()
      if inet_pton(AF_INET, text, &v4.sin_addr) == 1 {
        v4.sin_family = sa_family_t(AF_INET)
        withUnsafeBytes(of: v4) { bytes.copyMemory(from: $0) }
      } else if inet_pton(AF_INET6, text, &v6.sin6_addr) == 1 {
        v6.sin6_family = sa_family_t(AF_INET6)
        withUnsafeBytes(of: v6) { bytes.copyMemory(from: $0) }
      }
    }
    #expect(address.ss_family != 0)
    #expect((is_loopback(&address) != 0) == isLoopback)
  }

  /// What the sockets of this process have whose port, or that of whose peer, is an endpoint's.
  private func congestionControl(
    of endpoint: String,
    _ name: (CInt, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?) -> CInt =
      getsockname
  ) throws -> [String] {
    let port = try #require(UInt16(endpoint.split(separator: ":").last ?? ""))
    var found: [String] = []
    for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
      guard let descriptor = CInt(entry) else { continue }
      // The port lies at the same place in addresses of both versions.
      var address = sockaddr_in6()
      var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
      let result = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(descriptor, $0, &size) }
      }
      guard result == 0, address.sin6_port == port.bigEndian,
        [AF_INET, AF_INET6].contains(CInt(address.sin6_family))
      else { continue }
      var isListening: CInt = 0
      size = socklen_t(MemoryLayout<CInt>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size)
      var text = [UInt8](repeating: 0, count: 16)
      size = socklen_t(text.count)
      #expect(getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CONGESTION, &text, &size) == 0)
      let name = String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
      found.append("\(isListening != 0 ? "listening" : "connected") \(name)")
    }
    return found.sorted()
  }
}
