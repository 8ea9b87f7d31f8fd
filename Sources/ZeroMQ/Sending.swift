import CZeroMQ

extension Socket {
  /// Frames up to this many bytes live inside libzmq's message: cheaper to copy than to point at.
  private static let inlineSizeMax = 33
  /// Of those that are sent in place, while the context's `faultSignal` is not through.
  private static let framesBetweenSignals = 63

  /// Sends one frame, copied. False when there is no room and `waiting` is off, or when the send
  /// timeout passed. Once the first frame of a message was taken, so are the others.
  ///
  /// Source: `zmq_send(3)`.
  public func send(
    _ bytes: UnsafeRawBufferPointer, more: Bool, waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    let flags = Self.flags(more: more, waiting: waiting)
    return try Self.isTaken(
      retrying { unsafe zmq_send(handle, bytes.baseAddress, bytes.count, flags) })
  }

  /// Sends one frame in place, as a constant message: not copied, and, but for some of the first ones,
  /// not allocated and not counted.
  ///
  /// The bytes must stay where they are, readable and unchanged, until the context has ended.
  /// Frames of 33 bytes or fewer are copied. Where the bytes are those of a mapped file that is cut,
  /// libzmq's I/O thread gets SIGBUS: a handler runs there, too, once the first frame was freed there.
  /// Source: `zmq_send_const(3)`, which is `zmq_msg_init_data(3)` without a free function and
  /// `zmq_msg_send(3)`.
  public func send(
    constant bytes: UnsafeRawBufferPointer, more: Bool, waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    if bytes.count <= Self.inlineSizeMax {
      return unsafe try send(bytes, more: more, waiting: waiting)
    }
    let flags = Self.flags(more: more, waiting: waiting)
    if framesUntilSignal == 0 { return unsafe try sendUnblockingFaults(bytes, flags) }
    framesUntilSignal -= 1
    return try Self.isTaken(
      retrying { unsafe zmq_send_const(handle, bytes.baseAddress, bytes.count, flags) })
  }

  /// The same, as a message that unblocks SIGBUS on the I/O thread when that is done with it. Where nobody
  /// takes such a frame, another one tries it later: it costs a call of the system to throw one away.
  ///
  /// Source: `zmq_msg_init_data(3)`, `zmq_msg_send(3)`.
  @inline(never)
  private func sendUnblockingFaults(
    _ bytes: UnsafeRawBufferPointer, _ flags: CInt
  ) throws(ZeroMQError) -> Bool {
    framesUntilSignal = context.faultSignal.isUnblocked ? .max : Self.framesBetweenSignals
    var message = zmq_msg_t()
    try check("make a message") {
      unsafe zmq_msg_init_data(
        &message, UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count,
        unblockFaults, context.faultSignal.hint)
    }
    let result = retrying { unsafe zmq_msg_send(&message, handle, flags) }
    defer { if result < 0 { _ = unsafe zmq_msg_close(&message) } }
    return try Self.isTaken(result)
  }

  /// Sends a whole message, copied, waiting for room up to the send timeout: throws `again` when
  /// that passed. For small uses. Source: `zmq_send(3)`.
  public func send(_ frames: [[UInt8]]) throws(ZeroMQError) {
    precondition(!frames.isEmpty, "a message has a frame")
    for (index, frame) in frames.enumerated() {
      let isTaken = unsafe try frame.span.withUnsafeBytes { bytes throws(ZeroMQError) in
        unsafe try send(bytes, more: index + 1 < frames.count, waiting: true)
      }
      guard isTaken else { throw ZeroMQError(.again, "send") }
    }
  }

  private static func flags(more: Bool, waiting: Bool) -> CInt {
    (more ? CInt(ZMQ_SNDMORE) : 0) | (waiting ? 0 : CInt(ZMQ_DONTWAIT))
  }

  /// Whether libzmq took a frame, from the result of the call that offered it.
  private static func isTaken(_ result: CInt) throws(ZeroMQError) -> Bool {
    if result >= 0 { return true }
    let error = ZeroMQError("send")
    if error.code == .again { return false }
    throw error
  }
}
