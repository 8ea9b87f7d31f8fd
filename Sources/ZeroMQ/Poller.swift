import CZeroMQ
import Glibc

/// Waits for sockets and file descriptors together. Allocates nothing per wait.
///
/// Source: `zmq_poll(3)`.
@safe public final class Poller {
  private var items: [zmq_pollitem_t] = unsafe []
  /// Keeps the sockets alive as long as their handles are polled.
  private var sockets: [Socket] = []

  public init() {}

  /// Waits for a message to receive.
  public func add(_ socket: Socket) {
    sockets.append(socket)
    unsafe items.append(
      zmq_pollitem_t(socket: socket.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
  }

  /// Waits for a descriptor to become readable.
  public func add(fileDescriptor: CInt) {
    unsafe items.append(
      zmq_pollitem_t(socket: nil, fd: fileDescriptor, events: Int16(ZMQ_POLLIN), revents: 0))
  }

  /// Waits until something is ready or the time has passed; -1 waits without limit.
  ///
  /// A signal ends the wait early, so that its handler's flag can be looked at.
  @discardableResult
  public func wait(milliseconds: Int) throws(ZeroMQError) -> Bool {
    let count = unsafe zmq_poll(&items, CInt(items.count), milliseconds)
    if count < 0 && zmq_errno() != EINTR { throw ZeroMQError("poll") }
    return count > 0
  }
}
