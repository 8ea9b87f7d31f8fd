import Testing
import ZeroMQ

@Suite struct PublishingTests {
  /// An XPUB and a SUB, with the high-water marks of both at two.
  private func link(noDrop: Bool, over transport: Transport = .inproc) throws -> Link {
    try Link(.xpub, .sub, over: transport) { publisher, subscriber in
      try publisher.set(.xpubNoDrop, noDrop)
      try publisher.set(.sendHighWaterMark, 2)
      try subscriber.set(.receiveHighWaterMark, 2)
    }
  }

  private func receiveAll(_ socket: Socket) throws -> [[[UInt8]]] {
    var messages: [[[UInt8]]] = []
    var message = Message()
    while try socket.receive(into: &message, waiting: false) {
      messages.append(copies(of: message))
    }
    return messages
  }

  @Test(arguments: Transport.allCases)
  func publishersSeeSubscriptions(over transport: Transport) throws {
    let link = try Link(.xpub, .sub, over: transport)
    try link.receiver.subscribe([0, 255])
    #expect(try link.sender.receiveFrames() == [[1, 0, 255]])
    try link.receiver.subscribe("text")
    #expect(try link.sender.receiveFrames() == [[1] + Array("text".utf8)])
    try link.receiver.unsubscribe([0, 255])
    #expect(try link.sender.receiveFrames() == [[0, 0, 255]])
  }

  @Test func subscribersReceiveWhatStartsWithTheirPrefix() throws {
    let link = try Link(.xpub, .sub)
    try link.receiver.subscribe([0, 255])
    #expect(try link.sender.receiveFrames() == [[1, 0, 255]])
    for topic: [UInt8] in [[0], [0, 254, 1], [0, 255], [1, 0, 255], [0, 255, 9], []] {
      try link.sender.send([topic, [7]])
    }
    #expect(try receiveAll(link.receiver) == [[[0, 255], [7]], [[0, 255, 9], [7]]])
  }

  @Test func withNoDropAFullSubscriberLeavesNoRoom() throws {
    let link = try link(noDrop: true)
    try link.receiver.subscribe("")
    #expect(try link.sender.receiveFrames() == [[1]])
    var taken = 0
    while taken < 100, try link.sender.send(constant: constant(40), more: false, waiting: false) {
      taken += 1
    }
    #expect((1..<100).contains(taken))
    #expect(try receiveAll(link.receiver).count == taken)
    #expect(try link.sender.send(constant: constant(40), more: false, waiting: true))
  }

  @Test func whatIsTakenBeginsAMessageThatIsTakenWhole() throws {
    let link = try link(noDrop: true)
    try link.receiver.subscribe("")
    #expect(try link.sender.receiveFrames() == [[1]])
    var taken = 0
    while taken < 100, try link.sender.send(constant: constant(40), more: true, waiting: false) {
      #expect(try link.sender.send(constant: constant(50), more: true, waiting: false))
      #expect(try link.sender.send(constant: constant(60), more: false, waiting: false))
      taken += 1
    }
    let messages = try receiveAll(link.receiver)
    #expect(messages.count == taken)
    #expect(messages.allSatisfy { $0.map(\.count) == [40, 50, 60] })
  }

  @Test func withoutNoDropAFullSubscriberLosesMessages() throws {
    let link = try link(noDrop: false)
    try link.receiver.subscribe("")
    #expect(try link.sender.receiveFrames() == [[1]])
    for _ in 0..<100 {
      #expect(try link.sender.send(constant: constant(40), more: false, waiting: false))
    }
    #expect(try receiveAll(link.receiver).count < 100)
  }
}
