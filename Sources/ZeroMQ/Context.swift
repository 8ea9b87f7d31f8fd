import CZeroMQ

/// A libzmq context: its I/O threads and the sockets on them.
///
/// Sockets retain their context, so it ends after the last of them. Ending waits until what was
/// sent is delivered, or until each socket's linger has passed.
@safe public final class Context: Sendable {
  nonisolated(unsafe) let handle: UnsafeMutableRawPointer
  let faultSignal: FaultSignal

  /// - Parameters:
  ///   - ioThreads: one is enough for about a gigabyte a second; none for `inproc` alone.
  ///   - maxSockets: nil leaves libzmq's default of 1023. A monitor needs two.
  ///   - processors: the CPUs that libzmq's own threads may run on; none leaves it to the system.
  ///
  /// Throws `invalid` for numbers out of range and CPUs that this process may not use.
  /// Source: `zmq_ctx_new(3)`, `zmq_ctx_set(3)`.
  public init(
    ioThreads: Int = 1, maxSockets: Int? = nil, processors: Set<Int> = []
  ) throws(ZeroMQError) {
    guard let handle = unsafe zmq_ctx_new() else { throw ZeroMQError("create a context") }
    unsafe self.handle = handle
    faultSignal = FaultSignal(threads: ioThreads)
    try set(ZMQ_IO_THREADS, ioThreads, "use \(ioThreads) I/O threads")
    if let maxSockets {
      try set(ZMQ_MAX_SOCKETS, maxSockets, "allow \(maxSockets) sockets")
    }
    try pin(to: processors)
  }

  /// Source: `zmq_ctx_term(3)`.
  deinit { _ = retrying { unsafe zmq_ctx_term(handle) } }

  /// libzmq aborts the process when the system refuses a CPU, so they are looked up before.
  private func pin(to processors: Set<Int>) throws(ZeroMQError) {
    guard !processors.isEmpty else { return }
    let allowed = Processors.allowed
    for processor in processors.sorted() {
      let operation = "run I/O threads on CPU \(processor)"
      guard allowed.contains(processor) else { throw ZeroMQError(.invalid, operation) }
      try set(ZMQ_THREAD_AFFINITY_CPU_ADD, processor, operation)
    }
  }

  private func set(
    _ option: CInt, _ value: Int, _ operation: @autoclosure () -> String
  ) throws(ZeroMQError) {
    try check(operation()) { unsafe zmq_ctx_set(handle, option, CInt(clamping: value)) }
  }
}
