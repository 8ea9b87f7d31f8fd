import CZeroMQ

/// A libzmq socket.
///
/// For one thread at a time, so it is not Sendable: used by the thread that made it, or by the one
/// that it was handed to. It closes when its last reference goes; a `Poller` holds one too.
/// `Sending.swift` and `Receiving.swift` have what it is for, `SocketOption.swift` its options.
@safe public final class Socket {
  let handle: UnsafeMutableRawPointer
  let context: Context
  /// The number of the monitor that watches, 0 for none yet: libzmq has room for one.
  var monitorNumber = 0
  /// So many constant frames are sent before the next that carries the context's `faultSignal`.
  var framesUntilSignal = 0

  /// Throws `tooManySockets` when the context is full. Source: `zmq_socket(3)`.
  public init(_ type: SocketType, in context: Context) throws(ZeroMQError) {
    guard let handle = unsafe zmq_socket(context.handle, type.rawValue) else {
      throw ZeroMQError("create a socket")
    }
    unsafe self.handle = handle
    self.context = context
  }

  /// Ends the monitoring first: `Monitor` says why. Source: `zmq_close(3)`.
  deinit {
    if monitorNumber > 0 { _ = unsafe zmq_socket_monitor(handle, nil, 0) }
    _ = unsafe zmq_close(handle)
  }
}

// MARK: Endpoints

extension Socket {
  /// Listens at an endpoint. `tcp://127.0.0.1:*` takes a free port; `lastEndpoint` tells which.
  ///
  /// IPv6 is used where the endpoint has an address of it; wildcards are those of IPv4, and so is
  /// `localhost`. Other names are those of interfaces.
  ///
  /// A path that somebody listens at is in use, as a port is; libzmq alone would take it over.
  ///
  /// Source: `zmq_bind(3)`.
  public func bind(_ endpoint: String) throws(ZeroMQError) {
    if endpoint.hasPrefix("ipc://"),
      unsafe is_unix_path_answered(String(endpoint.dropFirst(6))) != 0
    {
      throw ZeroMQError(.addressInUse, "bind \(endpoint)")
    }
    try withIPv6(for: endpoint) { () throws(ZeroMQError) in
      try check("bind \(endpoint)") { unsafe zmq_bind(handle, Self.bindable(endpoint)) }
    }
  }

  /// libzmq takes a name for that of an interface.
  private static func bindable(_ endpoint: String) -> String {
    let local = "tcp://localhost:"
    guard endpoint.hasPrefix(local) else { return endpoint }
    return "tcp://127.0.0.1:\(endpoint.dropFirst(local.count))"
  }

  /// libzmq takes a copy of the option with each endpoint. Addresses of IPv6 would be tried without end
  /// where it is off, and `localhost` would not find who bound `tcp://*` where it is on.
  ///
  /// Source: `zmq_setsockopt(3)`, ZMQ_IPV6.
  private func withIPv6(
    for endpoint: String, _ body: () throws(ZeroMQError) -> Void
  ) throws(ZeroMQError) {
    // The host or the source is an address of it.
    let isIPv6 =
      endpoint.hasPrefix("tcp://[") || host(ofEndpoint: endpoint)?.contains(":") == true
    guard isIPv6 else { return try body() }
    let before = try get(.ipv6)
    try set(.ipv6, true)
    defer { try? set(.ipv6, before) }
    try body()
  }

  /// Source: `zmq_unbind(3)`.
  public func unbind(_ endpoint: String) throws(ZeroMQError) {
    try check("unbind \(endpoint)") { unsafe zmq_unbind(handle, endpoint) }
  }

  /// Connects now or as soon as the endpoint exists. IPv6 is used where it has an address of it; names
  /// are looked up for IPv4.
  ///
  /// Source: `zmq_connect(3)`.
  public func connect(_ endpoint: String) throws(ZeroMQError) {
    try withIPv6(for: endpoint) { () throws(ZeroMQError) in
      try check("connect \(endpoint)") { unsafe zmq_connect(handle, endpoint) }
    }
  }

  /// Source: `zmq_disconnect(3)`.
  public func disconnect(_ endpoint: String) throws(ZeroMQError) {
    try check("disconnect \(endpoint)") { unsafe zmq_disconnect(handle, endpoint) }
  }

  /// The endpoint that was bound or connected last, with wildcards resolved; empty before.
  ///
  /// Source: `zmq_getsockopt(3)`, ZMQ_LAST_ENDPOINT.
  public var lastEndpoint: String {
    get throws(ZeroMQError) {
      var bytes = [UInt8](repeating: 0, count: 1024)
      var count = bytes.count
      try check("read ZMQ_LAST_ENDPOINT") {
        unsafe zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &bytes, &count)
      }
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}

// MARK: Subscriptions

extension Socket {
  /// Receives what starts with these bytes; no bytes are everything. For SUB.
  ///
  /// Subscriptions are counted: as many have to be ended. Source: `zmq_setsockopt(3)`,
  /// ZMQ_SUBSCRIBE.
  public func subscribe(_ prefix: [UInt8]) throws(ZeroMQError) {
    try check("subscribe") {
      unsafe zmq_setsockopt(handle, ZMQ_SUBSCRIBE, prefix, prefix.count)
    }
  }

  /// Source: `zmq_setsockopt(3)`, ZMQ_SUBSCRIBE.
  public func subscribe(_ prefix: String) throws(ZeroMQError) {
    try subscribe(Array(prefix.utf8))
  }

  /// Source: `zmq_setsockopt(3)`, ZMQ_UNSUBSCRIBE.
  public func unsubscribe(_ prefix: [UInt8]) throws(ZeroMQError) {
    try check("unsubscribe") {
      unsafe zmq_setsockopt(handle, ZMQ_UNSUBSCRIBE, prefix, prefix.count)
    }
  }
}
