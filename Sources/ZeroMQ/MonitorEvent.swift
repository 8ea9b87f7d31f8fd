import CZeroMQ

extension Monitor {
  /// Something that happened to a connection of the socket.
  public struct Event: Hashable, Sendable {
    public let kind: Kind
    /// What `kind` says it is; unspecified where it says nothing.
    public let value: Int
    /// The socket's own or the peer's address, as libzmq writes it.
    public let endpoint: String

    package init(kind: Kind, value: Int, endpoint: String) {
      self.kind = kind
      self.value = value
      self.endpoint = endpoint
    }

    /// Reads a message of two frames: a 16-bit kind and a 32-bit value, and the endpoint.
    init(_ message: borrowing Message) {
      let frames = unsafe message.frames
      let isEvent = unsafe frames.count == 2 && frames[0].count == 6
      precondition(isEvent, "libzmq tells events in this form")
      unsafe kind = Kind(rawValue: frames[0].loadUnaligned(as: UInt16.self))
      unsafe value = Int(frames[0].loadUnaligned(fromByteOffset: 2, as: Int32.self))
      endpoint = unsafe String(decoding: frames[1], as: UTF8.self)
    }
  }

  /// A kind of event, or several to ask for. Source: `zmq_socket_monitor(3)`.
  public struct Kind: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }
    private init(_ value: CInt) { rawValue = UInt16(value) }

    /// Those below, and what a later libzmq may add.
    public static let all = Kind(ZMQ_EVENT_ALL)

    /// The transport is there, ZeroMQ's handshake is not; the value is a file descriptor.
    public static let connected = Kind(ZMQ_EVENT_CONNECTED)
    /// Connecting takes a while.
    public static let connectDelayed = Kind(ZMQ_EVENT_CONNECT_DELAYED)
    /// Connecting failed and will be tried again; the value is the interval in milliseconds.
    public static let connectRetried = Kind(ZMQ_EVENT_CONNECT_RETRIED)
    /// The socket is bound; the value is a file descriptor.
    public static let listening = Kind(ZMQ_EVENT_LISTENING)
    /// The value is an errno.
    public static let bindFailed = Kind(ZMQ_EVENT_BIND_FAILED)
    /// A peer connected, ZeroMQ's handshake is to come; the value is a file descriptor.
    public static let accepted = Kind(ZMQ_EVENT_ACCEPTED)
    /// The value is an errno.
    public static let acceptFailed = Kind(ZMQ_EVENT_ACCEPT_FAILED)
    /// The socket itself ended the connection or the listening; the value is a file descriptor.
    public static let closed = Kind(ZMQ_EVENT_CLOSED)
    /// The value is an errno.
    public static let closeFailed = Kind(ZMQ_EVENT_CLOSE_FAILED)
    /// The peer is gone, or broke the protocol; the value is a file descriptor.
    public static let disconnected = Kind(ZMQ_EVENT_DISCONNECTED)
    /// The last event of a monitor: the socket closed, or another monitor watches it.
    public static let monitorStopped = Kind(ZMQ_EVENT_MONITOR_STOPPED)
    /// From here on messages flow.
    public static let handshakeSucceeded = Kind(ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
    /// The value is an errno.
    public static let handshakeFailedNoDetail = Kind(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
    /// The value is one of ZMQ_PROTOCOL_ERROR.
    public static let handshakeFailedProtocol = Kind(ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
    /// The value is a status: 300, 400 or 500.
    public static let handshakeFailedAuth = Kind(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
    /// Any failure of a handshake.
    public static let handshakeFailed: Kind = [
      handshakeFailedNoDetail, handshakeFailedProtocol, handshakeFailedAuth,
    ]
  }
}
