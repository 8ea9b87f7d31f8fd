import Threads
import ZeroMQ

/// Sends messages of two frames from a thread of its own, as fast as they are taken.
final class BenchmarkPublisher {
  let endpoint: String
  private let thread: WorkerThread

  /// Waits for a subscriber in the background, then sends it so many messages with a payload of so
  /// many bytes.
  init(_ count: Int, payload: Int) throws(ZeroMQError) {
    let socket = try Socket(.xpub, in: Context())
    let queue = max(100, min(10_000, (64 << 20) / (payload + 16)))
    try socket.set(.sendHighWaterMark, queue)
    try socket.set(.xpubNoDrop, true)
    // A stopped receiver ends it.
    try socket.set(.sendTimeoutMilliseconds, 2_000)
    try socket.set(.receiveTimeoutMilliseconds, 10_000)
    try socket.set(.lingerMilliseconds, 2_000)
    try socket.bind("tcp://127.0.0.1:*")
    endpoint = try socket.lastEndpoint
    let sender = Sender(socket, payload: payload)
    thread = WorkerThread(name: "zcap publisher") { sender.send(count) }
  }

  /// Waits until everything is sent, or nobody takes it any more. Called once.
  func finish() { thread.join() }
}

/// A socket, and bytes that it sends in place: they outlive it and its context.
@safe private final class Sender: @unchecked Sendable {
  private var socket: Socket?
  private let payload: UnsafeMutableRawBufferPointer

  init(_ socket: Socket, payload count: Int) {
    self.socket = socket
    unsafe payload = .allocate(byteCount: max(1, count), alignment: 64)
    _ = unsafe payload.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit {
    socket = nil
    unsafe payload.deallocate()
  }

  /// Sends so many messages to whoever subscribes first; fewer when nobody takes them any more.
  func send(_ count: Int) {
    guard let socket, (try? socket.receiveFrames()) ?? nil != nil else { return }
    let topics = (0..<4).map { Array("topic/000000000\($0)".utf8) }
    for number in 0..<count {
      let isTopicTaken = unsafe topics[number % 4].withUnsafeBytes {
        unsafe (try? socket.send($0, more: true, waiting: true)) ?? false
      }
      guard isTopicTaken,
        unsafe (try? socket.send(
          constant: UnsafeRawBufferPointer(payload), more: false, waiting: true)) ?? false
      else { return }
    }
  }
}
