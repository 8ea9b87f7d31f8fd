/// Shows what a payload says, as one JSON value.
///
/// Payloads come from the network and are hostile until shown otherwise. A decoder reads nothing
/// outside the span that it is given, runs no code that a payload names, and spends no more than
/// ``DecodingLimits`` allow: a payload that wants more is told as such, however it is made.
public protocol Decoder: Sendable {
  /// Writes one JSON value that says what `payload` does.
  ///
  /// Where it throws, what it wrote before is the beginning of a value; whoever shows that closes it by
  /// ``JSONOutput/closeAll()``.
  func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError)
}

/// Why a payload could not be shown, or not all of it.
public struct DecodingError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// It is not what its codec tag says.
    case malformed
    /// It goes on where it ends.
    case truncated
    /// It wants more than a limit allows.
    case limit
    /// It is right, and says something that is not shown, or needs a schema that is not there.
    case unsupported
  }

  public var kind: Kind
  /// Bytes from the start of the payload to where it happened.
  public var offset: Int
  /// In words, without a full stop.
  public var reason: String

  public init(_ kind: Kind, at offset: Int, _ reason: String) {
    self.kind = kind
    self.offset = offset
    self.reason = reason
  }

  public var description: String { "\(reason), at byte \(offset)" }
}

/// What one payload may cost to be shown.
public struct DecodingLimits: Hashable, Sendable {
  /// Values inside values. Deeper data is not made by people, and each level costs stack.
  public var depth = 128
  /// Keys that are values, inside keys that are. Each level doubles the backslashes of what is in it: a
  /// few bytes could ask for a second of work.
  public var keyDepth = 8
  /// Values of any kind, containers and keys too. Bounds the time: some tens of nanoseconds each. A
  /// payload may point at the same value many times, so the size of a payload bounds nothing.
  public var values = 4_000_000
  /// Bytes of JSON that are written. Bounds the memory.
  public var outputBytes = 64 << 20
  /// Bytes of one binary value that are written, as base64; the rest is counted.
  public var binaryBytes = 64 << 10

  public init() {}

  /// For a payload of so many bytes: what is shown of it may be some times as long, since numbers of one
  /// byte have up to three digits. A small one that points at its parts again and again is cut at
  /// some megabytes.
  public init(payloadBytes: Int) {
    outputBytes = min(outputBytes, 4 << 20) + 4 * payloadBytes
  }
}
