import Foundation
import Glibc
import Testing
import ZeroMQ

@Suite(.timeLimit(.minutes(1))) struct MonitorTests {
  /// The next event of a kind; those before it are passed over.
  private func wait(for kind: Monitor.Kind, _ monitor: Monitor) throws -> Monitor.Event {
    let poller = Poller()
    poller.add(monitor.socket)
    while true {
      while let event = try monitor.next() {
        if kind.contains(event.kind) { return event }
      }
      try #require(try poller.wait(milliseconds: patienceMilliseconds) > 0, "no \(kind)")
    }
  }

  @Test(arguments: [Transport.ipc, .tcp])
  func connectionsAreToldFromBeginningToEnd(over transport: Transport) throws {
    let context = try Context()
    var link: Link? = try Link(over: transport, in: context)
    let endpoint = try #require(try link?.receiver.lastEndpoint)
    let client = try makeSocket(.push, in: context)
    let monitor = try Monitor(client)
    #expect(try monitor.next() == nil)
    try client.connect(endpoint)
    let connected = try wait(for: .connected, monitor)
    #expect(connected.endpoint == endpoint)
    #expect(connected.value > 0)
    #expect(try wait(for: .handshakeSucceeded, monitor).endpoint == endpoint)
    link = nil
    #expect(try wait(for: .disconnected, monitor).endpoint == endpoint)
    #expect(try wait(for: .connectRetried, monitor).value > 0)
  }

  @Test func listenersAreToldOfPeers() throws {
    let context = try Context()
    let server = try makeSocket(.pull, in: context)
    let monitor = try Monitor(server, [.listening, .accepted, .handshakeSucceeded])
    try server.bind("tcp://127.0.0.1:*")
    let endpoint = try server.lastEndpoint
    let listening = try wait(for: .all, monitor)
    #expect(listening.kind == .listening)
    #expect(listening.endpoint == endpoint)
    let client = try makeSocket(.push, in: context)
    try client.connect(endpoint)
    #expect(try wait(for: .all, monitor).kind == .accepted)
    #expect(try wait(for: .all, monitor).kind == .handshakeSucceeded)
  }

  @Test func aFailureToBindHasItsErrno() throws {
    let context = try Context()
    let first = try makeSocket(.pull, in: context)
    try first.bind("tcp://127.0.0.1:*")
    let second = try makeSocket(.pull, in: context)
    let monitor = try Monitor(second, .bindFailed)
    let endpoint = try first.lastEndpoint
    #expect(throws: ZeroMQError.self) { try second.bind(endpoint) }
    let failed = try #require(try monitor.next())
    #expect(failed.kind == .bindFailed)
    #expect(failed.value == Int(EADDRINUSE))
  }

  @Test func aPeerThatSpeaksOtherwiseFailsItsHandshake() throws {
    let context = try Context()
    let server = try makeSocket(.pull, in: context)
    let monitor = try Monitor(server, .handshakeFailed)
    try server.bind("tcp://127.0.0.1:*")
    // ZMQ_STREAM: bytes as they are, after a frame that names the connection.
    let stream = try makeSocket(SocketType(rawValue: 11), in: context)
    try stream.connect(server.lastEndpoint)
    let connection = try #require(try stream.receiveFrames())[0]
    // ZMTP 3.0, and a security mechanism that there is not.
    let greeting = [255] + [UInt8](repeating: 0, count: 8) + [127, 3, 0] + Array("NONESUCH".utf8)
    try stream.send([connection, greeting + [UInt8](repeating: 0, count: 64 - greeting.count)])
    let failed = try wait(for: .all, monitor)
    #expect(failed.kind == .handshakeFailedProtocol)
    #expect(failed.value == 0x1100_0002)  // ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
  }

  @Test func theEndOfItsSocketIsTheLastEvent() throws {
    var socket: Socket? = try makeSocket(.pull, in: Context())
    let monitor = try Monitor(try #require(socket), [.listening, .monitorStopped])
    try socket?.bind("tcp://127.0.0.1:*")
    socket = nil
    #expect(try wait(for: .all, monitor).kind == .listening)
    #expect(try wait(for: .all, monitor).kind == .monitorStopped)
    #expect(try monitor.next() == nil)
  }

  @Test func aSocketOutlivesItsMonitor() throws {
    let link = try Link(over: .tcp) { sender, receiver in
      // Both end here, before anything happens to their sockets.
      _ = try Monitor(sender)
      _ = try Monitor(receiver)
    }
    try link.sender.send([[1]])
    #expect(try link.receiver.receiveFrames() == [[1]])
    try link.receiver.bind("tcp://127.0.0.1:*")
    _ = try Monitor(link.receiver)
    try link.sender.connect(link.receiver.lastEndpoint)
    try link.sender.send([[2]])
    #expect(try link.receiver.receiveFrames() == [[2]])
  }

  @Test func aMonitorOutlivesItsSocketAndTheOthersGoOn() throws {
    let context = try Context()
    let other = try Link(over: .tcp, in: context)
    var monitors: [Monitor] = []
    for _ in 0..<20 {
      let link = try Link(over: .tcp, in: context)
      monitors.append(try Monitor(link.sender))
      monitors.append(try Monitor(link.receiver))
      try link.sender.send([[1]])
    }
    monitors.removeAll()
    try other.sender.send([[1]])
    #expect(try other.receiver.receiveFrames() == [[1]])
  }

  @Test func unreadEventsHoldNothingUp() throws {
    let socket = try makeSocket(.pull, in: Context())
    let monitor = try Monitor(socket, .listening)
    for _ in 0..<2500 {
      try socket.bind("tcp://127.0.0.1:*")
      try socket.unbind(socket.lastEndpoint)
    }
    var count = 0
    while try monitor.next() != nil { count += 1 }
    #expect(count == 2500)
  }

  @Test func aLaterMonitorTakesOver() throws {
    let socket = try makeSocket(.pull, in: Context())
    var first: Monitor? = try Monitor(socket, [.listening, .monitorStopped])
    let second = try Monitor(socket, .listening)
    #expect(try first.map { try wait(for: .all, $0).kind } == .monitorStopped)
    first = nil
    try socket.bind("tcp://127.0.0.1:*")
    #expect(try wait(for: .all, second).kind == .listening)
  }

  @Test func withoutRoomForAMonitorTheSocketGoesOn() throws {
    let context = try Context(maxSockets: 2)
    let socket = try makeSocket(.pull, in: context)
    let refused = #expect(throws: ZeroMQError.self) { _ = try Monitor(socket) }
    #expect(refused?.description == "monitor a socket: Too many open files")
    try socket.bind("tcp://127.0.0.1:*")
    #expect(try socket.lastEndpoint.hasPrefix("tcp://"))
  }
}
