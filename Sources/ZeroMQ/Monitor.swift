import CZeroMQ
import Synchronization

/// What happens to the connections of a socket. Source: `zmq_socket_monitor(3)`.
public final class Monitor {
  /// A kind of event.
  public struct Kind: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }
    private init(_ value: CInt) { rawValue = UInt16(value) }

    public static let connected = Kind(ZMQ_EVENT_CONNECTED)
    /// Connecting failed and will be tried again; the value is the interval in milliseconds.
    public static let connectRetried = Kind(ZMQ_EVENT_CONNECT_RETRIED)
    public static let listening = Kind(ZMQ_EVENT_LISTENING)
    public static let accepted = Kind(ZMQ_EVENT_ACCEPTED)
    public static let disconnected = Kind(ZMQ_EVENT_DISCONNECTED)
    /// From here on messages flow.
    public static let handshakeSucceeded = Kind(ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
    public static let handshakeFailed: Kind = [
      Kind(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL), Kind(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL),
      Kind(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH),
    ]
  }

  public struct Event: Hashable, Sendable {
    public var kind: Kind
    /// A file descriptor, an errno or a retry interval, by kind.
    public var value: Int
    public var endpoint: String
  }

  /// Where the events arrive: for a poller.
  public let socket: Socket

  private static let count = Atomic<Int>(0)

  /// Starts to watch a socket. It may end before the monitor does, and the other way around.
  public init(_ watched: Socket, _ kinds: Kind, in context: Context) throws(ZeroMQError) {
    let number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
    let endpoint = "inproc://zcap-monitor-\(number)"
    guard unsafe zmq_socket_monitor(watched.handle, endpoint, CInt(kinds.rawValue)) == 0 else {
      throw ZeroMQError("monitor a socket")
    }
    socket = try Socket(.pair, in: context)
    try socket.set(.lingerMilliseconds, 0)
    try socket.connect(endpoint)
  }

  /// The next event that is there already; nil when there is none.
  public func next() throws(ZeroMQError) -> Event? {
    var message = Message(reservingFrames: 2)
    guard try socket.receive(into: &message, waiting: false) else { return nil }
    let frames = unsafe message.frames
    guard unsafe frames.count == 2, unsafe frames[0].count == 6 else { return nil }
    return unsafe Event(
      kind: Kind(rawValue: frames[0].loadUnaligned(as: UInt16.self)),
      value: Int(frames[0].loadUnaligned(fromByteOffset: 2, as: UInt32.self)),
      endpoint: String(decoding: frames[1], as: UTF8.self))
  }
}
