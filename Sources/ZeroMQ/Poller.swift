import CZeroMQ

/// Waits for sockets and file descriptors together, which it keeps in the order they were added.
///
/// For one thread at a time. A wait allocates nothing for up to 16 items; for more, libzmq does.
/// Source: `zmq_poll(3)`.
@safe public final class Poller {
  /// What to wait for.
  public struct Events: OptionSet, Hashable, Sendable {
    public let rawValue: Int16

    public init(rawValue: Int16) { self.rawValue = rawValue }

    /// A message, or bytes, can be received.
    public static let readable = Events(rawValue: Int16(ZMQ_POLLIN))
    /// There is room to send. Always so for PUB and XPUB: waiting for it would spin.
    public static let writable = Events(rawValue: Int16(ZMQ_POLLOUT))
  }

  private var items: [zmq_pollitem_t] = unsafe []
  /// Keeps the sockets alive as long as their handles are polled.
  private var sockets: [Socket] = []

  public init() {}

  /// Adds a socket, which stays open for as long as the poller exists. Returns its index.
  @discardableResult
  public func add(_ socket: Socket, _ events: Events = .readable) -> Int {
    sockets.append(socket)
    return unsafe append(
      zmq_pollitem_t(socket: socket.handle, fd: 0, events: events.rawValue, revents: 0))
  }

  /// Adds a descriptor, which must stay open for as long as the poller waits. Returns its index.
  @discardableResult
  public func add(fileDescriptor: CInt, _ events: Events = .readable) -> Int {
    unsafe append(
      zmq_pollitem_t(socket: nil, fd: fileDescriptor, events: events.rawValue, revents: 0))
  }

  /// Waits until something is ready, or the time has passed; nil waits without limit. Returns how
  /// many are ready.
  ///
  /// A signal ends the wait with 0, so that its handler's flag can be looked at: this is the only
  /// call that is not made again.
  @discardableResult
  public func wait(milliseconds: Int?) throws(ZeroMQError) -> Int {
    precondition(unsafe !items.isEmpty, "a poller has something to wait for")
    let count = unsafe zmq_poll(&items, CInt(items.count), milliseconds ?? -1)
    if count >= 0 { return Int(count) }
    let error = ZeroMQError("poll")
    for index in unsafe items.indices { unsafe items[index].revents = 0 }
    if error.code == .interrupted { return 0 }
    throw error
  }

  /// Whether the last wait found the item with this index ready, or a descriptor broken.
  public func isReady(_ index: Int) -> Bool { unsafe items[index].revents != 0 }

  private func append(_ item: zmq_pollitem_t) -> Int {
    unsafe items.append(item)
    return unsafe items.count - 1
  }
}
