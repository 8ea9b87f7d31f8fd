import CZeroMQ

/// A libzmq context: its I/O threads and the sockets on them.
///
/// Sockets retain their context, so it ends after the last of them. Ending waits until what was
/// sent is delivered, or until each socket's linger has passed.
@safe public final class Context: Sendable {
  nonisolated(unsafe) let handle: UnsafeMutableRawPointer

  /// - Parameter ioThreads: one is enough for about a gigabyte a second.
  ///
  /// Source: `zmq_ctx_new(3)`, `zmq_ctx_set(3)`.
  public init(ioThreads: Int = 1) throws(ZeroMQError) {
    guard let handle = unsafe zmq_ctx_new() else { throw ZeroMQError("create a context") }
    unsafe self.handle = handle
    guard unsafe zmq_ctx_set(handle, ZMQ_IO_THREADS, CInt(clamping: ioThreads)) == 0 else {
      throw ZeroMQError("use \(ioThreads) I/O threads")
    }
  }

  /// Source: `zmq_ctx_term(3)`.
  deinit { _ = retrying { unsafe zmq_ctx_term(handle) } }
}
