import CZeroMQ

/// An option of a socket, with the type of its value. Source: `zmq_setsockopt(3)`.
public struct SocketOption<Value: SocketOptionValue>: Sendable {
  let number: CInt
  let name: String
}

/// What an option can hold: the C types that libzmq reads and writes.
public protocol SocketOptionValue: Sendable {
  associatedtype Stored: FixedWidthInteger
  init(stored: Stored)
  var stored: Stored { get }
}

extension Int: SocketOptionValue {
  public init(stored: CInt) { self.init(stored) }
  public var stored: CInt { CInt(clamping: self) }
}

extension Bool: SocketOptionValue {
  public init(stored: CInt) { self = stored != 0 }
  public var stored: CInt { self ? 1 : 0 }
}

extension Int64: SocketOptionValue {
  public init(stored: Int64) { self = stored }
  public var stored: Int64 { self }
}

extension SocketOption<Int> {
  /// Messages that may wait to be received, for each peer; 0 is no limit.
  public static let receiveHighWaterMark = Self(number: ZMQ_RCVHWM, name: "ZMQ_RCVHWM")
  /// Messages that may wait to be sent, for each peer; 0 is no limit.
  public static let sendHighWaterMark = Self(number: ZMQ_SNDHWM, name: "ZMQ_SNDHWM")
  /// Milliseconds that unsent messages keep the context from ending; -1 is forever.
  public static let lingerMilliseconds = Self(number: ZMQ_LINGER, name: "ZMQ_LINGER")
  /// Milliseconds that a waiting receive may take; -1 is forever.
  public static let receiveTimeoutMilliseconds = Self(number: ZMQ_RCVTIMEO, name: "ZMQ_RCVTIMEO")
  /// Milliseconds that a waiting send may take; -1 is forever.
  public static let sendTimeoutMilliseconds = Self(number: ZMQ_SNDTIMEO, name: "ZMQ_SNDTIMEO")
}

extension SocketOption<Bool> {
  /// XPUB: a full peer makes `send` wait or say so, instead of losing the message for that peer.
  public static let xpubNoDrop = Self(number: ZMQ_XPUB_NODROP, name: "ZMQ_XPUB_NODROP")
  /// XPUB: every subscription and its end arrives, also one that another peer made before.
  public static let xpubVerboser = Self(number: ZMQ_XPUB_VERBOSER, name: "ZMQ_XPUB_VERBOSER")
}

extension SocketOption<Int64> {
  /// Bytes of the largest frame accepted from a peer; -1 is no limit.
  public static let maxMessageSize = Self(number: ZMQ_MAXMSGSIZE, name: "ZMQ_MAXMSGSIZE")
}
