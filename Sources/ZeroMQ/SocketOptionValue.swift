/// What an option can hold, and the C type that libzmq reads and writes for it.
public protocol SocketOptionValue: Sendable {
  associatedtype Stored: FixedWidthInteger
  init(stored: Stored)
  var stored: Stored { get }
}

extension Int: SocketOptionValue {
  public init(stored: CInt) { self.init(stored) }
  public var stored: CInt { CInt(clamping: self) }
}

extension Int64: SocketOptionValue {
  public init(stored: Int64) { self = stored }
  public var stored: Int64 { self }
}

extension UInt64: SocketOptionValue {
  public init(stored: UInt64) { self = stored }
  public var stored: UInt64 { self }
}

extension Bool: SocketOptionValue {
  public init(stored: CInt) { self = stored != 0 }
  public var stored: CInt { self ? 1 : 0 }
}

/// libzmq says -1 for no limit; here it is nil.
extension Optional: SocketOptionValue where Wrapped: SocketOptionValue {
  public init(stored: Wrapped.Stored) { self = stored == -1 ? nil : Wrapped(stored: stored) }
  public var stored: Wrapped.Stored { self?.stored ?? -1 }
}
