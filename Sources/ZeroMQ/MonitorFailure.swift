import CZeroMQ
import Glibc

extension Monitor.Event {
  /// What `value` says of a failure, as text; nil for an event that is none.
  ///
  /// Source: `zmq_socket_monitor(3)`, ZMQ_EVENT_HANDSHAKE_FAILED_*, and `zmq.h`.
  public var failureReason: String? {
    switch kind {
    case .handshakeFailedNoDetail:
      return value == 0 ? "the peer went away" : unsafe String(cString: strerror(CInt(value)))
    case .handshakeFailedAuth:
      return "refused with status \(value)"
    case .handshakeFailedProtocol:
      return Self.protocolErrors[value] ?? "protocol error \(String(value, radix: 16))"
    default:
      return nil
    }
  }

  private static let protocolErrors: [Int: String] = [
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_UNSPECIFIED): "the peer does not speak ZeroMQ's protocol",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND): "unexpected command",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE): "invalid sequence",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE): "key exchange failed",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_UNSPECIFIED): "malformed command",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_MESSAGE): "malformed MESSAGE",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_HELLO): "malformed HELLO",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_INITIATE): "malformed INITIATE",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_ERROR): "malformed ERROR",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_READY): "malformed READY",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_MALFORMED_COMMAND_WELCOME): "malformed WELCOME",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_METADATA): "the types of the sockets do not fit",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): "cryptographic error",
    Int(ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): "the peer wants another security mechanism",
  ]
}
