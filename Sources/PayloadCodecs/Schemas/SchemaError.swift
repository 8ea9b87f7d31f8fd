/// Why bytes are no schema that can be used.
public struct SchemaError: Error, Hashable, Sendable, CustomStringConvertible {
  /// In words, without a full stop: what is wrong, and what to do about it where that is known.
  public var reason: String

  public init(_ reason: String) { self.reason = reason }

  init(_ error: DecodingError, in format: String) {
    reason = "the \(format) is damaged: \(error)"
  }

  public var description: String { reason }
}
