import CZeroMQ
import Glibc

/// A received multipart message: its frames, in libzmq's own buffers until the next receive.
///
/// Made to be used again and again: it allocates only when a message has more frames than any
/// before it. A received frame may pin a buffer that it shares with others, so copy what you need
/// and receive the next message into it, or call `removeAll`.
@safe public struct Message: ~Copyable {
  /// At a stable address: up to 33 bytes of a frame live inside its `zmq_msg_t`.
  private var storage: UnsafeMutablePointer<zmq_msg_t>
  private var buffers: UnsafeMutablePointer<UnsafeRawBufferPointer>
  private var capacity: Int
  public private(set) var frameCount = 0

  public init(reservingFrames capacity: Int = 16) {
    precondition(capacity > 0, "a message has room for a frame")
    self.capacity = capacity
    unsafe storage = .allocate(capacity: capacity)
    unsafe buffers = .allocate(capacity: capacity)
  }

  deinit {
    for index in 0..<frameCount { _ = unsafe zmq_msg_close(storage + index) }
    unsafe storage.deallocate()
    unsafe buffers.deallocate()
  }

  /// The frames in order, valid until the message changes.
  public var frames: Span<UnsafeRawBufferPointer> {
    @_lifetime(borrow self) get {
      let span = unsafe Span(_unsafeStart: buffers, count: frameCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The connection that the message came over, where the transport has one: a number that two
  /// peers never share at the same time. Source: `zmq_msg_get(3)`, ZMQ_SRCFD.
  public var connection: Int? {
    guard frameCount > 0 else { return nil }
    let descriptor = unsafe zmq_msg_get(storage, ZMQ_SRCFD)
    return descriptor < 0 ? nil : Int(descriptor)
  }

  /// Gives every frame back to libzmq. Source: `zmq_msg_close(3)`.
  public mutating func removeAll() {
    for index in 0..<frameCount { _ = unsafe zmq_msg_close(storage + index) }
    frameCount = 0
  }

  /// Receives one more frame; the outcome of `zmq_msg_recv(3)`, and whether frames follow.
  fileprivate mutating func appendFrame(
    from socket: UnsafeMutableRawPointer, flags: CInt
  ) -> (result: CInt, more: Bool) {
    if frameCount == capacity { grow() }
    let frame = unsafe storage + frameCount
    _ = unsafe zmq_msg_init(frame)
    let result = retrying { unsafe zmq_msg_recv(frame, socket, flags) }
    if result < 0 { return (result, false) }
    unsafe (buffers + frameCount).initialize(
      to: UnsafeRawBufferPointer(start: zmq_msg_data(frame), count: Int(result)))
    frameCount += 1
    return unsafe (result, zmq_msg_more(frame) != 0)
  }

  /// Moves to twice the room; `zmq_msg_move` keeps what lives inside a `zmq_msg_t` right.
  private mutating func grow() {
    let grown = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: capacity * 2)
    let grownBuffers = UnsafeMutablePointer<UnsafeRawBufferPointer>
      .allocate(capacity: capacity * 2)
    for index in 0..<frameCount {
      _ = unsafe zmq_msg_init(grown + index)
      _ = unsafe zmq_msg_move(grown + index, storage + index)
      unsafe (grownBuffers + index).initialize(
        to: UnsafeRawBufferPointer(
          start: zmq_msg_data(grown + index), count: zmq_msg_size(grown + index)))
    }
    unsafe storage.deallocate()
    unsafe buffers.deallocate()
    unsafe storage = grown
    unsafe buffers = grownBuffers
    capacity *= 2
  }
}

extension Socket {
  /// Receives one whole multipart message. False when none is there and `waiting` is off, or when
  /// the receive timeout passed.
  ///
  /// libzmq delivers the frames of a message together, so only the first one is ever waited for.
  /// Source: `zmq_msg_recv(3)`.
  public func receive(
    into message: inout Message, waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    message.removeAll()
    var flags = waiting ? 0 : CInt(ZMQ_DONTWAIT)
    while true {
      let (result, more) = unsafe message.appendFrame(from: handle, flags: flags)
      guard result >= 0 else {
        if message.frameCount == 0 && zmq_errno() == EAGAIN { return false }
        throw ZeroMQError("receive")
      }
      if !more { return true }
      flags = 0
    }
  }
}
