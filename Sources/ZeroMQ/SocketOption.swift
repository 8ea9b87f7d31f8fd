import CZeroMQ

/// An option of a socket, with the type of its value: those that a recorder or replayer needs.
///
/// Source: `zmq_setsockopt(3)`.
public struct SocketOption<Value: SocketOptionValue>: Sendable {
  let number: CInt
  /// libzmq's name, for errors.
  let name: String

  init(_ number: CInt, _ name: String) {
    self.number = number
    self.name = name
  }
}

extension Socket {
  /// Sets an option, for endpoints that are bound or connected from here on. Subscriptions and
  /// the options of XPUB, linger and timeouts take effect at once. Source: `zmq_setsockopt(3)`.
  public func set<Value>(_ option: SocketOption<Value>, _ value: Value) throws(ZeroMQError) {
    var stored = value.stored
    try check("set \(option.name) to \(stored)") {
      unsafe zmq_setsockopt(handle, option.number, &stored, MemoryLayout<Value.Stored>.size)
    }
  }

  /// Throws `invalid` for the options of XPUB, which libzmq does not tell.
  ///
  /// Source: `zmq_getsockopt(3)`.
  public func get<Value>(_ option: SocketOption<Value>) throws(ZeroMQError) -> Value {
    var stored: Value.Stored = 0
    var size = MemoryLayout<Value.Stored>.size
    try check("read \(option.name)") {
      unsafe zmq_getsockopt(handle, option.number, &stored, &size)
    }
    return Value(stored: stored)
  }
}

// MARK: The options

extension SocketOption<Int> {
  /// Messages that may wait to be received, for each peer; 0 is no limit.
  public static let receiveHighWaterMark = Self(ZMQ_RCVHWM, "ZMQ_RCVHWM")
  /// Messages that may wait to be sent, for each peer; 0 is no limit.
  public static let sendHighWaterMark = Self(ZMQ_SNDHWM, "ZMQ_SNDHWM")
  /// Milliseconds that a new connection's handshake may take; 0 is no limit.
  public static let handshakeIntervalMilliseconds = Self(ZMQ_HANDSHAKE_IVL, "ZMQ_HANDSHAKE_IVL")
  /// Milliseconds between pings, which find peers that are gone without a word; 0 is none.
  public static let heartbeatIntervalMilliseconds = Self(ZMQ_HEARTBEAT_IVL, "ZMQ_HEARTBEAT_IVL")
  /// The longest interval between attempts to connect, which doubles up to it; 0 never doubles.
  public static let reconnectIntervalMillisecondsMax = Self(
    ZMQ_RECONNECT_IVL_MAX, "ZMQ_RECONNECT_IVL_MAX")
}

extension SocketOption<Int?> {
  /// Milliseconds that unsent messages keep the context from ending; nil is forever.
  public static let lingerMilliseconds = Self(ZMQ_LINGER, "ZMQ_LINGER")
  /// Milliseconds that a waiting receive may take; nil is forever.
  public static let receiveTimeoutMilliseconds = Self(ZMQ_RCVTIMEO, "ZMQ_RCVTIMEO")
  /// Milliseconds that a waiting send may take; nil is forever.
  public static let sendTimeoutMilliseconds = Self(ZMQ_SNDTIMEO, "ZMQ_SNDTIMEO")
  /// Milliseconds between attempts to connect; nil is no second attempt.
  public static let reconnectIntervalMilliseconds = Self(ZMQ_RECONNECT_IVL, "ZMQ_RECONNECT_IVL")
  /// Milliseconds without an answer to a ping after which a peer is gone; nil is the interval.
  public static let heartbeatTimeoutMilliseconds = Self(
    ZMQ_HEARTBEAT_TIMEOUT, "ZMQ_HEARTBEAT_TIMEOUT")
}

extension SocketOption<Int64?> {
  /// Bytes of the largest frame accepted from a peer, which is disconnected for more; nil is any.
  public static let maxMessageSize = Self(ZMQ_MAXMSGSIZE, "ZMQ_MAXMSGSIZE")
}

extension SocketOption<UInt64> {
  /// The context's I/O threads that connections go to, a bit each; 0 is all.
  public static let affinity = Self(ZMQ_AFFINITY, "ZMQ_AFFINITY")
}

extension SocketOption<Bool> {
  /// Messages are queued only for connections that are complete.
  public static let immediate = Self(ZMQ_IMMEDIATE, "ZMQ_IMMEDIATE")
  public static let ipv6 = Self(ZMQ_IPV6, "ZMQ_IPV6")
  /// XPUB: a full peer makes `send` wait or say so, instead of losing the message for that peer.
  public static let xpubNoDrop = Self(ZMQ_XPUB_NODROP, "ZMQ_XPUB_NODROP")
  /// XPUB: every subscription arrives, also one that another peer made before.
  public static let xpubVerbose = Self(ZMQ_XPUB_VERBOSE, "ZMQ_XPUB_VERBOSE")
  /// XPUB: every subscription and its end arrives, also one that another peer made before.
  public static let xpubVerboser = Self(ZMQ_XPUB_VERBOSER, "ZMQ_XPUB_VERBOSER")
}
