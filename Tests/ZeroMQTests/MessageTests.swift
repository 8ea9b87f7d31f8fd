import Glibc
import Testing
import ZeroMQ

@Suite struct MessageTests {
  @Test(arguments: Transport.allCases)
  func everyFrameArrivesInOrder(over transport: Transport) throws {
    let link = try Link(over: transport)
    var message = Message()
    for count in 1...200 {
      // Lengths on both sides of what fits into a message itself, and empty ones.
      let frames = (0..<count).map { [UInt8](repeating: UInt8($0), count: ($0 * 7 + count) % 71) }
      try link.sender.send(frames)
      #expect(try link.receiver.receive(into: &message, waiting: true))
      #expect(message.frameCount == count)
      #expect(copies(of: message) == frames)
    }
  }

  @Test(arguments: Transport.allCases)
  func emptyAndLargeFramesArriveTogether(over transport: Transport) throws {
    let link = try Link(over: transport)
    let frames = [[], [UInt8](constant(1 << 20)), [], [1]]
    try link.sender.send(frames)
    #expect(try link.receiver.receiveFrames() == frames)
  }

  @Test func aMessageOfOneEmptyFrameIsAMessage() throws {
    let link = try Link()
    try link.sender.send([[]])
    #expect(try link.receiver.receiveFrames() == [[]])
  }

  @Test func roomGrowsWithTheFramesOfAMessage() throws {
    let link = try Link()
    let frames = (0..<100).map { index in [UInt8](repeating: UInt8(index), count: index) }
    try link.sender.send(frames)
    var message = Message(reservingFrames: 1)
    #expect(try link.receiver.receive(into: &message, waiting: true))
    #expect(copies(of: message) == frames)
  }

  @Test func receivingAgainReplacesTheFrames() throws {
    let link = try Link()
    try link.sender.send([[1, 2, 3], Array(constant(5000)), [4]])
    try link.sender.send([[9]])
    var message = Message()
    #expect(try link.receiver.receive(into: &message, waiting: true))
    #expect(message.frameCount == 3)
    #expect(try link.receiver.receive(into: &message, waiting: true))
    #expect(copies(of: message) == [[9]])
  }

  @Test func anEmptyMessageHasNoFrames() throws {
    let link = try Link()
    try link.sender.send([[1], [2]])
    var message = Message()
    #expect(message.frameCount == 0)
    #expect(copies(of: message).isEmpty)
    #expect(message.connection == nil)
    #expect(try link.receiver.receive(into: &message, waiting: true))
    message.removeAll()
    #expect(copies(of: message).isEmpty)
    message.removeAll()
    #expect(try link.receiver.receive(into: &message, waiting: false) == false)
    #expect(copies(of: message).isEmpty)
  }

  @Test func connectionsTellPeersApartOverTCP() throws {
    let link = try Link(over: .tcp)
    let other = try makeSocket(.push, in: Context())
    try other.connect(link.receiver.lastEndpoint)
    try link.sender.send([[1]])
    try other.send([[2]])
    var connections: [[UInt8]: Int?] = [:]
    var message = Message()
    for _ in 0..<2 {
      #expect(try link.receiver.receive(into: &message, waiting: true))
      connections[copies(of: message)[0]] = message.connection
    }
    let first = try #require(connections[[1]] ?? nil)
    let second = try #require(connections[[2]] ?? nil)
    #expect(first != second)
  }

  @Test func framesBeyondTwoGibibytesHaveTheirSize() throws {
    let count = (1 << 31) + 7
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    // Never touched, so it takes no memory; never unmapped, as a constant message demands.
    let address = mmap(nil, count, PROT_READ, flags, -1, 0)
    try #require(address != MAP_FAILED)
    let link = try Link()
    let bytes = UnsafeRawBufferPointer(start: address, count: count)
    #expect(try link.sender.send(constant: bytes, more: false, waiting: true))
    var message = Message()
    #expect(try link.receiver.receive(into: &message, waiting: true))
    #expect(message.frames[0].count == count)
  }
}
