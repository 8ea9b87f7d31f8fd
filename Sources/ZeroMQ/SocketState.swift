import CZeroMQ

extension Socket {
  /// Whether a message could be sent now. Always true for PUB and XPUB, which drop or refuse.
  ///
  /// Source: `zmq_getsockopt(3)`, ZMQ_EVENTS.
  public var canSend: Bool {
    get throws(ZeroMQError) { try get(.events) & Int(ZMQ_POLLOUT) != 0 }
  }

  /// Whether a message is there. Source: `zmq_getsockopt(3)`, ZMQ_EVENTS.
  public var canReceive: Bool {
    get throws(ZeroMQError) { try get(.events) & Int(ZMQ_POLLIN) != 0 }
  }

  /// A descriptor for other event loops, to be polled for reading and never read.
  ///
  /// It tells changes, not states: when it is readable, and after every send and receive, ask
  /// `canReceive` and `canSend`. `Poller` does all that. Source: `zmq_getsockopt(3)`, ZMQ_FD.
  public var fileDescriptor: CInt {
    get throws(ZeroMQError) { CInt(try get(.fileDescriptor)) }
  }
}

extension SocketOption<Int> {
  fileprivate static let events = Self(ZMQ_EVENTS, "ZMQ_EVENTS")
  fileprivate static let fileDescriptor = Self(ZMQ_FD, "ZMQ_FD")
}
