import Foundation
import TestSupport
import ZeroMQ

/// How long a test waits for what has to come before it fails.
let patienceMilliseconds = 10_000

/// Where sockets of a test meet, each time somewhere new.
enum Transport: CaseIterable {
  case inproc
  case ipc
  case tcp

  func endpoint(in directory: TemporaryDirectory) -> String {
    switch self {
    case .inproc: "inproc://\(UUID().uuidString)"
    case .ipc: directory.endpoint(UUID().uuidString)
    case .tcp: "tcp://127.0.0.1:*"
    }
  }
}

/// A socket that sends and one that receives, connected; neither waits for ever.
struct Link {
  let sender: Socket
  let receiver: Socket
  private let directory: TemporaryDirectory

  /// - Parameter prepare: sets the options of both before they bind and connect.
  init(
    _ sending: SocketType = .push, _ receiving: SocketType = .pull,
    over transport: Transport = .inproc, in context: Context? = nil,
    prepare: (_ sender: Socket, _ receiver: Socket) throws -> Void = { _, _ in }
  ) throws {
    let context = try context ?? Context()
    directory = try TemporaryDirectory()
    sender = try makeSocket(sending, in: context)
    receiver = try makeSocket(receiving, in: context)
    try prepare(sender, receiver)
    // A bound SUB would tell its subscriptions no sooner than it is used for something else.
    let (binding, connecting) = receiving == .sub ? (sender, receiver) : (receiver, sender)
    try binding.bind(transport.endpoint(in: directory))
    try connecting.connect(binding.lastEndpoint)
  }
}

func makeSocket(_ type: SocketType, in context: Context) throws -> Socket {
  let socket = try Socket(type, in: context)
  try socket.set(.receiveTimeoutMilliseconds, patienceMilliseconds)
  try socket.set(.sendTimeoutMilliseconds, patienceMilliseconds)
  try socket.set(.lingerMilliseconds, 0)
  return socket
}

/// The frames of a message as copies.
func copies(of message: borrowing Message) -> [[UInt8]] {
  let frames = message.frames
  return frames.indices.map { Array(frames[$0]) }
}

/// Memory that outlives every context, for constant messages: byte n is n modulo 251.
nonisolated(unsafe) let constantBytes: UnsafeRawBufferPointer = {
  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
  for index in bytes.indices { bytes[index] = UInt8(index % 251) }
  return UnsafeRawBufferPointer(bytes)
}()

/// The first bytes of `constantBytes`.
func constant(_ count: Int) -> UnsafeRawBufferPointer {
  UnsafeRawBufferPointer(rebasing: constantBytes[..<count])
}
