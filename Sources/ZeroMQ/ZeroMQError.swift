import CZeroMQ
import Glibc

/// An error of libzmq, mostly with its own text: `bind tcp://127.0.0.1:5555: Address already in use`.
///
/// Source: `zmq_errno(3)`, `zmq_strerror(3)`.
public struct ZeroMQError: Error, Hashable, Sendable {
  /// What went wrong, as libzmq numbers it.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public let rawValue: CInt

    public init(rawValue: CInt) { self.rawValue = rawValue }
  }

  public let code: Code
  /// What was being done: `bind tcp://127.0.0.1:5555`.
  public let operation: String

  init(_ code: Code, _ operation: String) {
    self.code = code
    self.operation = operation
  }

  /// The error of the call that just failed. Reads its number before anything can change it.
  init(_ operation: @autoclosure () -> String) {
    code = Code(rawValue: zmq_errno())
    self.operation = operation()
  }
}

extension ZeroMQError.Code {
  /// Nothing to receive, or no room to send, right now.
  public static let again = Self(rawValue: EAGAIN)
  /// A signal came. Only `Poller` looks at it; every other call is made again.
  public static let interrupted = Self(rawValue: EINTR)
  /// The text of an endpoint or the value of an option is wrong, or not for this type of socket.
  public static let invalid = Self(rawValue: EINVAL)
  public static let addressInUse = Self(rawValue: EADDRINUSE)
  public static let addressNotAvailable = Self(rawValue: EADDRNOTAVAIL)
  public static let accessDenied = Self(rawValue: EACCES)
  /// Binding to the name of a network interface or host that this machine does not have.
  public static let noDevice = Self(rawValue: ENODEV)
  /// Unbinding or disconnecting what was not bound or connected.
  public static let noSuchEndpoint = Self(rawValue: ENOENT)
  /// The path of an `ipc` endpoint exceeds what the system allows: 107 bytes on Linux.
  public static let nameTooLong = Self(rawValue: ENAMETOOLONG)
  /// The endpoint's scheme is unknown: `foo://`.
  public static let protocolNotSupported = Self(rawValue: EPROTONOSUPPORT)
  /// The endpoint's scheme does not fit this type of socket.
  public static let incompatibleProtocol = Self(rawValue: ENOCOMPATPROTO)
  /// The type of socket cannot do this: a SUB cannot send.
  public static let notSupported = Self(rawValue: ENOTSUP)
  /// A REQ or REP socket may not do this now: it is the other side's turn.
  public static let wrongState = Self(rawValue: EFSM)
  /// The context, or the process, has as many sockets as it may.
  public static let tooManySockets = Self(rawValue: EMFILE)
  /// The context was terminated.
  public static let terminated = Self(rawValue: ETERM)
}

extension ZeroMQError: CustomStringConvertible {
  public var description: String {
    // "No such device" of somebody who binds a name.
    if code == .noDevice {
      return "\(operation): no such address or interface here; a name can only be connected to"
    }
    guard let text = unsafe zmq_strerror(code.rawValue) else {
      return "\(operation): error \(code.rawValue)"
    }
    return unsafe "\(operation): \(String(cString: text))"
  }
}
