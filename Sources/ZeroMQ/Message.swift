import CZeroMQ

/// A received multipart message: its frames, in libzmq's own buffers until the next receive.
///
///     messages  | zmq_msg_t | zmq_msg_t | zmq_msg_t |  free  |   own, or pin, the bytes
///     buffers   | bytes     | bytes     | bytes     |  free  |   what `frames` lends
///
/// Made to be used again and again: it allocates only when a message has more frames than any
/// before it. A received frame may pin an 8 KiB buffer that it shares with others, so copy what
/// you need and receive the next message into it, or call `removeAll`.
@safe public struct Message: ~Copyable {
  /// At a stable address: up to 33 bytes of a frame live inside its `zmq_msg_t`.
  private var messages: UnsafeMutablePointer<zmq_msg_t>
  private var buffers: UnsafeMutablePointer<UnsafeRawBufferPointer>
  private var capacity: Int
  public private(set) var frameCount = 0
  /// As many were there of this message or the one before.
  private var framesHeld = 0

  public init(reservingFrames capacity: Int = 16) {
    precondition(capacity > 0, "a message has room for a frame")
    self.capacity = capacity
    unsafe messages = Self.emptyMessages(capacity)
    unsafe buffers = .allocate(capacity: capacity)
  }

  deinit {
    for index in 0..<capacity { _ = unsafe zmq_msg_close(messages + index) }
    unsafe messages.deallocate()
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
    let descriptor = unsafe zmq_msg_get(messages, ZMQ_SRCFD)
    return descriptor < 0 ? nil : Int(descriptor)
  }

  /// Gives every frame back to libzmq.
  public mutating func removeAll() {
    makeReady()
    giveBackRest()
  }

  /// Makes it empty, to receive another message: libzmq takes back a frame when it puts another one
  /// in its place.
  mutating func makeReady() {
    framesHeld = max(framesHeld, frameCount)
    frameCount = 0
  }

  /// Gives back what is left of the message before. Source: `zmq_msg_close(3)`.
  mutating func giveBackRest() {
    for index in frameCount..<max(framesHeld, frameCount) {
      _ = unsafe zmq_msg_close(messages + index)
      _ = unsafe zmq_msg_init(messages + index)
    }
    framesHeld = frameCount
  }

  /// Receives one more frame. Returns nil for an error, else whether more frames follow.
  ///
  /// Source: `zmq_msg_recv(3)`, `zmq_msg_more(3)`.
  mutating func receiveFrame(from socket: Socket, flags: CInt) -> Bool? {
    if frameCount == capacity { grow() }
    let frame = unsafe messages + frameCount
    let count = retrying { unsafe zmq_msg_recv(frame, socket.handle, flags) }
    guard count >= 0 else { return nil }
    // Up to 2 GiB it is the size of the frame.
    let bytes =
      count < .max
      ? unsafe UnsafeRawBufferPointer(start: zmq_msg_data(frame), count: Int(count))
      : unsafe Self.bytes(of: frame)
    unsafe (buffers + frameCount).initialize(to: bytes)
    frameCount += 1
    return unsafe zmq_msg_more(frame) != 0
  }

  /// Source: `zmq_msg_data(3)`, `zmq_msg_size(3)`.
  private static func bytes(of frame: UnsafeMutablePointer<zmq_msg_t>) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: zmq_msg_data(frame), count: zmq_msg_size(frame))
  }

  private static func emptyMessages(_ count: Int) -> UnsafeMutablePointer<zmq_msg_t> {
    let messages = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: count)
    for index in 0..<count { _ = unsafe zmq_msg_init(messages + index) }
    return unsafe messages
  }

  /// Moves to twice the room: frames that live inside their `zmq_msg_t` get a new address.
  ///
  /// Source: `zmq_msg_move(3)`.
  private mutating func grow() {
    let grown = unsafe Self.emptyMessages(capacity * 2)
    let grownBuffers = UnsafeMutablePointer<UnsafeRawBufferPointer>
      .allocate(capacity: capacity * 2)
    for index in 0..<frameCount {
      _ = unsafe zmq_msg_move(grown + index, messages + index)
      unsafe (grownBuffers + index).initialize(to: Self.bytes(of: grown + index))
    }
    unsafe messages.deallocate()
    unsafe buffers.deallocate()
    unsafe messages = grown
    unsafe buffers = grownBuffers
    capacity *= 2
  }
}
