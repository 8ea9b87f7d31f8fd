import Testing

@testable import ZeroMQ

@Suite struct SendingTests {
  @Test(arguments: [34, 64, 8192, 1 << 20])
  func constantFramesAreNotCopied(size: Int) throws {
    let link = try Link()
    #expect(try link.sender.send(constant: constant(size), more: false, waiting: true))
    var message = Message()
    #expect(try link.receiver.receive(into: &message, waiting: true))
    #expect(message.frames[0].baseAddress == constantBytes.baseAddress)
    #expect(message.frames[0].count == size)
  }

  @Test(arguments: [0, 1, 33])
  func smallConstantFramesAreCopied(size: Int) throws {
    let link = try Link()
    #expect(try link.sender.send(constant: constant(size), more: false, waiting: true))
    var message = Message()
    #expect(try link.receiver.receive(into: &message, waiting: true))
    #expect(message.frames[0].baseAddress != constantBytes.baseAddress)
    #expect(copies(of: message) == [Array(constant(size))])
  }

  @Test(arguments: Transport.allCases)
  func constantFramesArrive(over transport: Transport) throws {
    let link = try Link(over: transport)
    let sizes = [0, 10, 33, 34, 8191, 8192, 20_000, 1 << 20]
    for (index, size) in sizes.enumerated() {
      let more = index + 1 < sizes.count
      #expect(try link.sender.send(constant: constant(size), more: more, waiting: true))
    }
    #expect(try link.receiver.receiveFrames() == sizes.map { Array(constant($0)) })
  }

  /// Frames carry the signal now and then, until the I/O thread was done with one of them.
  @Test(arguments: [Transport.tcp, .ipc])
  func theIOThreadGetsFaultsOnceItHasSent(over transport: Transport) throws {
    let link = try Link(over: transport)
    let signal = link.sender.context.faultSignal
    #expect(signal.isUnblocked == false)
    // Longer than frames are apart that carry it.
    for _ in 0..<200 {
      #expect(try link.sender.send(constant: constant(100), more: false, waiting: true))
      #expect(try link.receiver.receiveFrames() == [Array(constant(100))])
    }
    #expect(signal.isUnblocked)
    #expect(link.sender.framesUntilSignal > 1000)
  }

  @Test func copiedFramesMayChangeAfterwards() throws {
    let link = try Link()
    var bytes = [UInt8](repeating: 1, count: 100)
    let isTaken = try bytes.withUnsafeBytes { try link.sender.send($0, more: false, waiting: true) }
    #expect(isTaken)
    bytes[0] = 2
    #expect(try link.receiver.receiveFrames() == [[UInt8](repeating: 1, count: 100)])
  }

  @Test(arguments: [1, 1000])
  func withoutPeersThereIsNoRoom(size: Int) throws {
    let push = try makeSocket(.push, in: Context())
    #expect(try push.canSend == false)
    #expect(try push.send(constant(size), more: false, waiting: false) == false)
    #expect(try push.send(constant: constant(size), more: false, waiting: false) == false)
  }

  @Test func waitingEndsWithTheSendTimeout() throws {
    let push = try makeSocket(.push, in: Context())
    try push.set(.sendTimeoutMilliseconds, 20)
    #expect(try push.send(constant: constant(100), more: false, waiting: true) == false)
    #expect(performing: { try push.send([[1]]) }, throws: { ($0 as? ZeroMQError)?.code == .again })
  }

  @Test func aFullPeerLeavesNoRoom() throws {
    let link = try Link { sender, receiver in
      try sender.set(.sendHighWaterMark, 2)
      try receiver.set(.receiveHighWaterMark, 2)
    }
    var taken = 0
    while taken < 100, try link.sender.send(constant: constant(40), more: false, waiting: false) {
      taken += 1
    }
    #expect(taken == 4)
    #expect(try link.sender.canSend == false)
    var received = 0
    var message = Message()
    while try link.receiver.receive(into: &message, waiting: false) { received += 1 }
    #expect(received == taken)
  }

  @Test func aSocketThatOnlyReceivesRefuses() throws {
    let pull = try makeSocket(.pull, in: Context())
    let refused = #expect(throws: ZeroMQError.self) { try pull.send([[1]]) }
    #expect(refused?.code == .notSupported)
    #expect(refused?.description == "send: Operation not supported")
  }
}
