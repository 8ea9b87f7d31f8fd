import TestSupport
import Testing
import ZeroMQ

@Suite struct ZeroMQErrorTests {
  @Test(arguments: [
    ("foo://here", ZeroMQError.Code.protocolNotSupported, "Protocol not supported"),
    ("here", .invalid, "Invalid argument"),
    ("tcp://127.0.0.1", .invalid, "Invalid argument"),
    ("tcp://127.0.0.1:port", .invalid, "Invalid argument"),
    (
      "tcp://no-such-interface:5555", .noDevice,
      "no such address or interface here; a name can only be connected to"
    ),
    ("tcp://192.0.2.1:5555", .addressNotAvailable, "Cannot assign requested address"),
    ("ipc://" + String(repeating: "x", count: 200), .nameTooLong, "File name too long"),
  ])
  func bindingTellsWhatIsWrong(
    endpoint: String, code: ZeroMQError.Code, text: String
  ) throws {
    let socket = try makeSocket(.pull, in: Context())
    let error = #expect(throws: ZeroMQError.self) { try socket.bind(endpoint) }
    #expect(error?.code == code)
    #expect(error?.operation == "bind \(endpoint)")
    #expect(error?.description == "bind \(endpoint): \(text)")
  }

  @Test func connectingTellsWhatIsWrong() throws {
    let socket = try makeSocket(.pull, in: Context())
    let error = #expect(throws: ZeroMQError.self) { try socket.connect("foo://here") }
    #expect(error?.description == "connect foo://here: Protocol not supported")
    let gone = #expect(throws: ZeroMQError.self) { try socket.disconnect("tcp://127.0.0.1:1") }
    #expect(gone?.code == .noSuchEndpoint)
  }

  @Test func anAddressInUseIsNamed() throws {
    let context = try Context()
    let first = try makeSocket(.pull, in: context)
    try first.bind("tcp://127.0.0.1:*")
    let endpoint = try first.lastEndpoint
    let second = try makeSocket(.pull, in: context)
    let error = #expect(throws: ZeroMQError.self) { try second.bind(endpoint) }
    #expect(error?.code == .addressInUse)
    #expect(error?.description == "bind \(endpoint): Address already in use")
  }

  /// libzmq itself takes such a path away from whoever listens there.
  @Test func aPathInUseIsNamedAndOneLeftBehindIsNone() throws {
    let directory = try TemporaryDirectory()
    let endpoint = directory.endpoint("e")
    let context = try Context()
    let first = try makeSocket(.pull, in: context)
    try first.bind(endpoint)
    let second = try makeSocket(.pull, in: context)
    let error = #expect(throws: ZeroMQError.self) { try second.bind(endpoint) }
    #expect(error?.code == .addressInUse)
    #expect(error?.description == "bind \(endpoint): Address already in use")
    // What somebody who was killed leaves behind is a path that nobody listens at.
    let left = directory.file("left")
    let script = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    let arguments = ["-c", script, left].map { Array($0.utf8) }
    let child = try ChildProcess(Programs.python(), arguments, directory: directory.path)
    #expect(try child.wait().exitCode == 0)
    try second.bind("ipc://\(left)")
  }

  @Test func speakingOutOfTurnIsAnError() throws {
    let link = try Link(.req, .rep)
    let error = #expect(throws: ZeroMQError.self) { try link.receiver.send([[1]]) }
    #expect(error?.code == .wrongState)
  }
}
