import TestSupport
import ZeroMQ

/// A subscriber, or a puller, of a test.
final class Subscriber {
  struct Arrival {
    var frames: [[UInt8]]
    /// On the clock of `monotonicSeconds`.
    var time: Double
  }

  let endpoint: String
  private let socket: Socket
  private let monitor: Monitor
  private let poller = Poller()
  private var isPeerGone = false

  private init(
    _ type: SocketType, _ prefixes: [[UInt8]], _ highWaterMark: Int,
    _ use: (Socket) throws -> Void
  ) throws {
    socket = try Socket(type, in: Context())
    try socket.set(.receiveHighWaterMark, highWaterMark)
    try socket.set(.lingerMilliseconds, 0)
    monitor = try Monitor(socket, .disconnected)
    if type == .sub { for prefix in prefixes { try socket.subscribe(prefix) } }
    try use(socket)
    endpoint = try socket.lastEndpoint
    poller.add(socket)
    poller.add(monitor.socket)
  }

  /// Connects, also to what does not exist yet. With a high-water mark libzmq may lose what an
  /// ipc peer sent just before it left (its bytes are thrown away while reading is paused), so only
  /// tests of slowness have one.
  convenience init(
    _ type: SocketType = .sub, connecting endpoint: String, prefixes: [[UInt8]] = [[]],
    highWaterMark: Int = 0
  ) throws {
    try self.init(type, prefixes, highWaterMark) { try $0.connect(endpoint) }
  }

  convenience init(
    _ type: SocketType = .sub, binding endpoint: String, prefixes: [[UInt8]] = [[]]
  ) throws {
    try self.init(type, prefixes, 0) { try $0.bind(endpoint) }
  }

  /// A message that is there already.
  func receiveNow() throws -> Arrival? {
    var message = Message()
    guard try socket.receive(into: &message, waiting: false) else { return nil }
    let time = monotonicSeconds()
    let frames = message.frames
    var copies: [[UInt8]] = []
    for index in frames.indices { copies.append(Array(frames[index])) }
    return Arrival(frames: copies, time: time)
  }

  /// Waits for a message or for news of the connection.
  func wait(milliseconds: Int = 50) throws { try poller.wait(milliseconds: milliseconds) }

  /// Receives so many messages.
  func receive(_ count: Int, seconds: Double = 30) throws -> [Arrival] {
    let deadline = monotonicSeconds() + seconds
    var arrivals: [Arrival] = []
    while arrivals.count < count {
      if let arrival = try receiveNow() {
        arrivals.append(arrival)
      } else if monotonicSeconds() > deadline {
        throw TestFailure("\(endpoint): \(arrivals.count) of \(count) messages came")
      } else {
        try wait()
      }
    }
    return arrivals
  }

  /// Whether the peer has closed the connection: what it sent is here, and nothing will follow.
  func hasPeerLeft() throws -> Bool {
    while let event = try monitor.next() { isPeerGone = isPeerGone || event.kind == .disconnected }
    return isPeerGone
  }

  /// Receives until the peer has gone; `pause` runs after each message.
  func receiveAll(
    seconds: Double = 30, pause: (Int) -> Void = { _ in }
  ) throws -> [Arrival] {
    let deadline = monotonicSeconds() + seconds
    var arrivals: [Arrival] = []
    while true {
      // Asked first: what came before the peer went is received by then.
      let hasPeerLeft = try hasPeerLeft()
      while let arrival = try receiveNow() {
        arrivals.append(arrival)
        pause(arrivals.count)
      }
      if hasPeerLeft { return arrivals }
      if monotonicSeconds() > deadline {
        throw TestFailure("\(endpoint): after \(arrivals.count) messages the peer is still there")
      }
      try wait()
    }
  }
}

/// Receives from several at once until the peers of all have gone.
func receiveAll(
  from subscribers: [Subscriber], seconds: Double = 30
) throws -> [[Subscriber.Arrival]] {
  let deadline = monotonicSeconds() + seconds
  var arrivals: [[Subscriber.Arrival]] = Array(repeating: [], count: subscribers.count)
  var left = Set(subscribers.indices)
  while !left.isEmpty {
    for index in left {
      let hasPeerLeft = try subscribers[index].hasPeerLeft()
      while let arrival = try subscribers[index].receiveNow() { arrivals[index].append(arrival) }
      if hasPeerLeft { left.remove(index) }
    }
    guard monotonicSeconds() < deadline else {
      throw TestFailure("peers are still there after \(arrivals.map(\.count)) messages")
    }
    if let first = left.first { try subscribers[first].wait(milliseconds: 1) }
  }
  return arrivals
}

extension [Subscriber.Arrival] {
  /// The frame at a position of each message, as text.
  func texts(frame position: Int) -> [String] {
    map { String(decoding: $0.frames[position], as: UTF8.self) }
  }

  /// What is wrong with messages that should be numbered from 0 in a frame; nil when all is well.
  /// Says it in a line, where two arrays side by side would be a thousand.
  func numberingFault(frame position: Int, count expected: Int) -> String? {
    let numbers = texts(frame: position)
    if let place = numbers.indices.first(where: { numbers[$0] != String($0) }) {
      return "message \(place) has number \(numbers[place]), of \(count)"
    }
    return count == expected ? nil : "\(count) messages instead of \(expected)"
  }
}
