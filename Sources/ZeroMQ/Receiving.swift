import CZeroMQ

extension Socket {
  /// Receives one whole multipart message. False when none is there and `waiting` is off, or when
  /// the receive timeout passed; the message is empty then, and when an error is thrown.
  ///
  /// libzmq delivers the frames of a message together, so only the first one is ever waited for.
  /// A signal does not end the waiting: where one should, wait with a `Poller`.
  /// Source: `zmq_msg_recv(3)`.
  public func receive(
    into message: inout Message, waiting: Bool
  ) throws(ZeroMQError) -> Bool {
    message.makeReady()
    var flags = waiting ? 0 : CInt(ZMQ_DONTWAIT)
    while let hasMore = message.receiveFrame(from: self, flags: flags) {
      if !hasMore {
        message.giveBackRest()
        return true
      }
      flags = 0
    }
    let error = ZeroMQError("receive")
    let isNothingThere = error.code == .again && message.frameCount == 0
    message.removeAll()
    if isNothingThere { return false }
    throw error
  }

  /// Receives a whole message as copies, waiting up to the receive timeout: nil when that passed.
  /// For small uses. Source: `zmq_msg_recv(3)`.
  public func receiveFrames() throws(ZeroMQError) -> [[UInt8]]? {
    var message = Message()
    guard try receive(into: &message, waiting: true) else { return nil }
    let frames = unsafe message.frames
    var copies: [[UInt8]] = []
    for index in unsafe frames.indices { unsafe copies.append(Array(frames[index])) }
    return copies
  }
}
