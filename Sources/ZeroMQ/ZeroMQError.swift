import CZeroMQ
import Glibc

/// An error of libzmq, with libzmq's own text.
///
/// Source: `zmq_errno(3)`, `zmq_strerror(3)`.
public struct ZeroMQError: Error, Hashable, Sendable {
  /// What went wrong, as libzmq numbers it.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public let rawValue: CInt

    public init(rawValue: CInt) { self.rawValue = rawValue }

    /// Nothing to receive, or no room to send, right now.
    public static let again = Code(rawValue: EAGAIN)
    public static let interrupted = Code(rawValue: EINTR)
    public static let invalid = Code(rawValue: EINVAL)
    public static let addressInUse = Code(rawValue: EADDRINUSE)
    public static let addressNotAvailable = Code(rawValue: EADDRNOTAVAIL)
    public static let noDevice = Code(rawValue: ENODEV)
    public static let noSuchEndpoint = Code(rawValue: ENOENT)
    public static let protocolNotSupported = Code(rawValue: EPROTONOSUPPORT)
    public static let incompatibleProtocol = Code(rawValue: ENOCOMPATPROTO)
    public static let notSupported = Code(rawValue: ENOTSUP)
    /// The context was terminated (ETERM).
    public static let terminated = Code(rawValue: ETERM)
  }

  public let code: Code
  /// What was being done: `bind tcp://127.0.0.1:5555`.
  public let operation: String

  init(_ operation: String) {
    self.operation = operation
    code = Code(rawValue: zmq_errno())
  }
}

extension ZeroMQError: CustomStringConvertible {
  public var description: String {
    guard let text = unsafe zmq_strerror(code.rawValue) else {
      return "\(operation): error \(code.rawValue)"
    }
    return unsafe "\(operation): \(String(cString: text))"
  }
}

/// Runs a call of libzmq until no signal interrupts it: EINTR is retried here and nowhere else.
@inline(__always)
func retrying(_ call: () -> CInt) -> CInt {
  while true {
    let result = call()
    if result != -1 || zmq_errno() != EINTR { return result }
  }
}

/// libzmq's version, such as 4.3.4. Source: `zmq_version(3)`.
public let libraryVersion: String = {
  var (major, minor, patch): (CInt, CInt, CInt) = (0, 0, 0)
  unsafe zmq_version(&major, &minor, &patch)
  return "\(major).\(minor).\(patch)"
}()
