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

/// A libzmq socket. For one thread at a time: it is not Sendable.
@safe public final class Socket {
  let handle: UnsafeMutableRawPointer
  private let context: Context

  /// Source: `zmq_socket(3)`.
  public init(_ type: SocketType, in context: Context) throws(ZeroMQError) {
    guard let handle = unsafe zmq_socket(context.handle, type.rawValue) else {
      throw ZeroMQError("create a socket")
    }
    unsafe self.handle = handle
    self.context = context
  }

  /// Source: `zmq_close(3)`.
  deinit { _ = unsafe zmq_close(handle) }

  /// Source: `zmq_bind(3)`.
  public func bind(_ endpoint: String) throws(ZeroMQError) {
    guard unsafe zmq_bind(handle, endpoint) == 0 else { throw ZeroMQError("bind \(endpoint)") }
  }

  /// Connects now or as soon as the endpoint exists. Source: `zmq_connect(3)`.
  public func connect(_ endpoint: String) throws(ZeroMQError) {
    guard unsafe zmq_connect(handle, endpoint) == 0 else {
      throw ZeroMQError("connect \(endpoint)")
    }
  }

  /// The endpoint that was bound or connected last, with wildcards resolved.
  ///
  /// Source: `zmq_getsockopt(3)`, ZMQ_LAST_ENDPOINT.
  public var lastEndpoint: String {
    get throws(ZeroMQError) {
      var bytes = [CChar](repeating: 0, count: 1024)
      var count = bytes.count
      guard unsafe zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &bytes, &count) == 0 else {
        throw ZeroMQError("read ZMQ_LAST_ENDPOINT")
      }
      return String(decoding: bytes[..<max(0, count - 1)].map(UInt8.init), as: UTF8.self)
    }
  }

  /// Receives what starts with these bytes; no bytes are everything. For SUB.
  ///
  /// Source: `zmq_setsockopt(3)`, ZMQ_SUBSCRIBE.
  public func subscribe(_ prefix: [UInt8]) throws(ZeroMQError) {
    guard unsafe zmq_setsockopt(handle, ZMQ_SUBSCRIBE, prefix, prefix.count) == 0 else {
      throw ZeroMQError("subscribe")
    }
  }

  /// Source: `zmq_setsockopt(3)`, ZMQ_UNSUBSCRIBE.
  public func unsubscribe(_ prefix: [UInt8]) throws(ZeroMQError) {
    guard unsafe zmq_setsockopt(handle, ZMQ_UNSUBSCRIBE, prefix, prefix.count) == 0 else {
      throw ZeroMQError("unsubscribe")
    }
  }

  /// Source: `zmq_setsockopt(3)`.
  public func set<Value>(_ option: SocketOption<Value>, _ value: Value) throws(ZeroMQError) {
    var stored = value.stored
    let size = MemoryLayout<Value.Stored>.size
    guard unsafe zmq_setsockopt(handle, option.number, &stored, size) == 0 else {
      throw ZeroMQError("set \(option.name) to \(value)")
    }
  }

  /// Source: `zmq_getsockopt(3)`.
  public func get<Value>(_ option: SocketOption<Value>) throws(ZeroMQError) -> Value {
    var stored: Value.Stored = 0
    var size = MemoryLayout<Value.Stored>.size
    guard unsafe zmq_getsockopt(handle, option.number, &stored, &size) == 0 else {
      throw ZeroMQError("read \(option.name)")
    }
    return Value(stored: stored)
  }

  /// Whether a message could be sent now. Always true for PUB and XPUB, which drop or refuse.
  ///
  /// Source: `zmq_getsockopt(3)`, ZMQ_EVENTS.
  public var canSend: Bool {
    get throws(ZeroMQError) {
      try get(SocketOption<Int>(number: ZMQ_EVENTS, name: "ZMQ_EVENTS")) & Int(ZMQ_POLLOUT) != 0
    }
  }
}
