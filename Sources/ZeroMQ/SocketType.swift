import CZeroMQ

/// The kind of a socket. Source: `zmq_socket(3)`.
public struct SocketType: RawRepresentable, Hashable, Sendable {
  public let rawValue: CInt

  public init(rawValue: CInt) { self.rawValue = rawValue }

  public static let pair = SocketType(rawValue: ZMQ_PAIR)
  public static let pub = SocketType(rawValue: ZMQ_PUB)
  public static let sub = SocketType(rawValue: ZMQ_SUB)
  public static let xpub = SocketType(rawValue: ZMQ_XPUB)
  public static let xsub = SocketType(rawValue: ZMQ_XSUB)
  public static let push = SocketType(rawValue: ZMQ_PUSH)
  public static let pull = SocketType(rawValue: ZMQ_PULL)
  public static let req = SocketType(rawValue: ZMQ_REQ)
  public static let rep = SocketType(rawValue: ZMQ_REP)
  public static let dealer = SocketType(rawValue: ZMQ_DEALER)
  public static let router = SocketType(rawValue: ZMQ_ROUTER)
}
