import TestSupport
import Testing
import ZeroMQ

@Suite struct SocketTests {
  @Test func theLastEndpointHasWildcardsResolved() throws {
    let socket = try makeSocket(.pull, in: Context())
    #expect(try socket.lastEndpoint == "")
    try socket.bind("tcp://127.0.0.1:*")
    let endpoint = try socket.lastEndpoint
    let port = try #require(Int(endpoint.dropFirst("tcp://127.0.0.1:".count)))
    #expect(port > 0)
  }

  @Test func localhostIsAnAddressToo() throws {
    let socket = try makeSocket(.pull, in: Context())
    try socket.bind("tcp://localhost:*")
    #expect(try socket.lastEndpoint.hasPrefix("tcp://127.0.0.1:"))
  }

  @Test(.enabled(if: hasIPv6, "the loopback interface has IPv6"))
  func addressesOfIPv6AndIPv4AreReachedAlike() throws {
    let context = try Context()
    let receiver = try makeSocket(.pull, in: context)
    let sender = try makeSocket(.push, in: context)
    for address in ["tcp://[::1]:*", "tcp://127.0.0.1:*"] {
      try receiver.bind(address)
      // A name is one of IPv4, also behind an address of IPv6.
      let endpoint = try receiver.lastEndpoint
      try sender.connect(endpoint.replacing("127.0.0.1", with: "localhost"))
      for _ in 0..<4 {
        #expect(try sender.send(constant: constant(64), more: false, waiting: true))
        #expect(try receiver.receiveFrames() == [Array(constant(64))])
      }
      try sender.disconnect(sender.lastEndpoint)
    }
    #expect(try sender.get(.ipv6) == false)
  }

  @Test(
    arguments: [
      ("tcp://127.0.0.1:5555", "127.0.0.1"), ("tcp://a.b:5555", "a.b"), ("tcp://*:*", "*"),
      ("tcp://[::1]:5555", "::1"), ("tcp://::1:5555", "::1"),
      ("tcp://eth0:0;[fe80::1%eth0]:5555", "fe80::1%eth0"), ("tcp://a", nil), ("ipc://a:b", nil),
    ])
  func anEndpointHasAHost(endpoint: String, host: String?) {
    #expect(ZeroMQ.host(ofEndpoint: endpoint) == host)
  }

  @Test func anUnboundEndpointIsFreeAgain() throws {
    let context = try Context()
    let directory = try TemporaryDirectory()
    let endpoint = directory.endpoint("free")
    let first = try makeSocket(.pull, in: context)
    try first.bind(endpoint)
    try first.unbind(endpoint)
    // libzmq closes the listener on its own thread: bind until it has.
    let second = try makeSocket(.pull, in: context)
    let deadline = ContinuousClock.now + .milliseconds(patienceMilliseconds)
    while ContinuousClock.now < deadline {
      if (try? second.bind(endpoint)) != nil { break }
    }
    #expect(try second.lastEndpoint == endpoint)
  }

  @Test func aDisconnectedSocketHasNoPeer() throws {
    let link = try Link()
    #expect(try link.sender.canSend)
    try link.sender.disconnect(link.receiver.lastEndpoint)
    #expect(try link.sender.canSend == false)
  }

  @Test func readinessIsKnown() throws {
    let link = try Link()
    #expect(try link.receiver.canReceive == false)
    try link.sender.send([[1]])
    #expect(try link.receiver.canReceive)
    #expect(try link.receiver.fileDescriptor >= 0)
  }

  @Test func nothingToReceiveIsNoError() throws {
    let pull = try makeSocket(.pull, in: Context())
    var message = Message()
    #expect(try pull.receive(into: &message, waiting: false) == false)
    try pull.set(.receiveTimeoutMilliseconds, 20)
    #expect(try pull.receive(into: &message, waiting: true) == false)
    #expect(try pull.receiveFrames() == nil)
  }

  @Test func aSocketThatOnlySendsRefusesToReceive() throws {
    let push = try makeSocket(.push, in: Context())
    var message = Message()
    let refused = #expect(throws: ZeroMQError.self) {
      try push.receive(into: &message, waiting: false)
    }
    #expect(refused?.description == "receive: Operation not supported")
  }

  @Test func routersAndDealersExchangeIdentities() throws {
    let link = try Link(.dealer, .router)
    try link.sender.send([[], [1]])
    let request = try #require(try link.receiver.receiveFrames())
    #expect(Array(request.dropFirst()) == [[], [1]])
    try link.receiver.send([request[0], [], [2]])
    #expect(try link.sender.receiveFrames() == [[], [2]])
  }
}
