import Foundation
import Testing

@testable import ZeroMQ

@Suite(.timeLimit(.minutes(1))) struct ContextTests {
  @Test func socketsKeepTheirContext() throws {
    weak var context: Context?
    var sockets: [Socket] = []
    do {
      let made = try Context()
      context = made
      for type: SocketType in [.pub, .sub, .xpub, .xsub, .push, .pull, .dealer, .router, .pair] {
        for _ in 0..<20 { sockets.append(try makeSocket(type, in: made)) }
      }
    }
    for socket in sockets { try socket.bind("inproc://\(UUID().uuidString)") }
    #expect(context != nil)
    sockets = []
    #expect(context == nil)
  }

  @Test func aFullContextRefusesSockets() throws {
    let context = try Context(maxSockets: 3)
    var sockets = try (0..<3).map { _ in try Socket(.pub, in: context) }
    let refused = #expect(throws: ZeroMQError.self) { _ = try Socket(.pub, in: context) }
    #expect(refused?.code == .tooManySockets)
    #expect(refused?.description == "create a socket: Too many open files")
    sockets.removeAll()
  }

  @Test func whatWasSentIsDeliveredWithinTheLinger() throws {
    let receiver = try makeSocket(.pull, in: Context())
    try receiver.bind("tcp://127.0.0.1:*")
    do {
      let sender = try makeSocket(.push, in: Context())
      try sender.set(.lingerMilliseconds, nil)
      try sender.connect(receiver.lastEndpoint)
      for number in 0..<100 { try sender.send([[UInt8(number)]]) }
    }
    for number in 0..<100 { #expect(try receiver.receiveFrames() == [[UInt8(number)]]) }
  }

  @Test(arguments: [0, 300])
  func endingWaitsNoLongerThanTheLinger(milliseconds: Int) throws {
    let clock = ContinuousClock()
    let begun = clock.now
    do {
      let sender = try makeSocket(.push, in: Context())
      try sender.set(.lingerMilliseconds, milliseconds)
      // Nobody ever listens there, so what is sent cannot be delivered.
      try sender.connect("ipc:///tmp/zcap-nobody-\(UUID().uuidString)")
      try sender.send([[1]])
    }
    // libzmq's clock counts whole milliseconds.
    #expect(clock.now - begun >= .milliseconds(milliseconds - milliseconds / 10))
    #expect(clock.now - begun < .milliseconds(patienceMilliseconds))
  }

  @Test func numbersOutOfRangeAreRefused() throws {
    let threads = #expect(throws: ZeroMQError.self) { _ = try Context(ioThreads: -1) }
    #expect(threads?.description == "use -1 I/O threads: Invalid argument")
    let sockets = #expect(throws: ZeroMQError.self) { _ = try Context(maxSockets: 0) }
    #expect(sockets?.description == "allow 0 sockets: Invalid argument")
  }

  @Test(arguments: [-1, 1023, 99_999])
  func unknownProcessorsAreRefused(processor: Int) throws {
    let refused = #expect(throws: ZeroMQError.self) { _ = try Context(processors: [processor]) }
    #expect(refused?.code == .invalid)
    #expect(refused?.description == "run I/O threads on CPU \(processor): Invalid argument")
  }

  @Test func threadsRunOnTheirProcessors() throws {
    let processor = try #require(Processors.allowed.max())
    let context = try Context(processors: [processor])
    // libzmq starts its threads with the first socket.
    let socket = try Socket(.pub, in: context)
    defer { withExtendedLifetime(socket) {} }
    let deadline = ContinuousClock.now + .milliseconds(patienceMilliseconds)
    while !hasThread(namePrefix: "ZMQbg/IO", processors: "\(processor)") {
      try #require(ContinuousClock.now < deadline)
    }
  }

  private func hasThread(namePrefix: String, processors: String) -> Bool {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return threads.contains { thread in
      // Threads of other tests may end while they are looked at.
      let status = try? String(contentsOfFile: "/proc/self/task/\(thread)/status", encoding: .utf8)
      let lines = status?.split(separator: "\n") ?? []
      return lines.contains { $0.hasPrefix("Name:\t\(namePrefix)") }
        && lines.contains("Cpus_allowed_list:\t\(processors)")
    }
  }

  @Test func listsOfProcessorsAreParsed() {
    #expect(Processors.parse("\t0-3,8,10-11\n") == [0, 1, 2, 3, 8, 10, 11])
    #expect(Processors.parse("0") == [0])
    #expect(Processors.parse("") == [])
    #expect(Processors.parse("x,3-1") == [])
  }

  @Test func theLibraryHasAVersion() {
    #expect(libraryVersion.major == 4)
    #expect(
      "\(libraryVersion)"
        == "\(libraryVersion.major).\(libraryVersion.minor).\(libraryVersion.patch)")
  }
}
