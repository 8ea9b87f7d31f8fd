import CZeroMQ

/// A version of libzmq.
public struct Version: Hashable, Sendable, CustomStringConvertible {
  public let major: Int
  public let minor: Int
  public let patch: Int

  public var description: String { "\(major).\(minor).\(patch)" }
}

/// The version of the libzmq that is loaded, such as 4.3.4. Source: `zmq_version(3)`.
public let libraryVersion: Version = {
  var (major, minor, patch): (CInt, CInt, CInt) = (0, 0, 0)
  unsafe zmq_version(&major, &minor, &patch)
  return Version(major: Int(major), minor: Int(minor), patch: Int(patch))
}()
