import CZeroMQ
import Glibc

extension Socket {
  /// Frames up to this many bytes live inside libzmq's message: cheaper to copy than to point at.
  private static let inlineSizeMax = 33

  /// Sends one frame, copied. False when there is no room and `waiting` is off, or when the send
  /// timeout passed. Once the first frame of a message was taken, so are the others.
  ///
  /// Source: `zmq_send(3)`.
  public func send(
    _ bytes: UnsafeRawBufferPointer, more: Bool, waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    let flags = Self.flags(more: more, waiting: waiting)
    let result = retrying { unsafe zmq_send(handle, bytes.baseAddress, bytes.count, flags) }
    return try Self.isSent(result)
  }

  /// Sends one frame in place, as a constant message: not copied, not allocated, not counted.
  ///
  /// The bytes must stay where they are, readable and unchanged, until the context has ended.
  /// Source: `zmq_msg_init_data(3)` without a free function, `zmq_msg_send(3)`.
  public func send(
    constant bytes: UnsafeRawBufferPointer, more: Bool, waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    if bytes.count <= Self.inlineSizeMax {
      return unsafe try send(bytes, more: more, waiting: waiting)
    }
    var message = zmq_msg_t()
    let memory = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)
    _ = unsafe zmq_msg_init_data(&message, memory, bytes.count, nil, nil)
    let flags = Self.flags(more: more, waiting: waiting)
    let result = retrying { unsafe zmq_msg_send(&message, handle, flags) }
    if result < 0 {
      let isSent = Result { () throws(ZeroMQError) in try Self.isSent(result) }
      _ = unsafe zmq_msg_close(&message)
      return try isSent.get()
    }
    return true
  }

  private static func flags(more: Bool, waiting: Bool) -> CInt {
    (more ? CInt(ZMQ_SNDMORE) : 0) | (waiting ? 0 : CInt(ZMQ_DONTWAIT))
  }

  private static func isSent(_ result: CInt) throws(ZeroMQError) -> Bool {
    if result >= 0 { return true }
    if zmq_errno() == EAGAIN { return false }
    throw ZeroMQError("send")
  }

  /// Sends a whole message, copied, waiting for room. For small uses.
  public func send(_ frames: [[UInt8]]) throws(ZeroMQError) {
    for (index, frame) in frames.enumerated() {
      let isSent = unsafe try frame.span.withUnsafeBytes { bytes throws(ZeroMQError) in
        unsafe try send(bytes, more: index + 1 < frames.count, waiting: true)
      }
      guard isSent else { throw ZeroMQError("send") }
    }
  }

  /// Receives a whole message as copies, waiting up to the receive timeout. For small uses.
  public func receiveFrames() throws(ZeroMQError) -> [[UInt8]]? {
    var message = Message()
    guard try receive(into: &message, waiting: true) else { return nil }
    let frames = unsafe message.frames
    var copies: [[UInt8]] = []
    for index in unsafe frames.indices { unsafe copies.append(Array(frames[index])) }
    return copies
  }
}
