/// Guesses that bytes are a Cap'n Proto message: a table of segments that accounts for every byte,
/// and a root that is a struct within them.
public struct CapnpCodec: Codec {
  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    guard payload.byteCount >= 16, let reader = try? CapnpReader(payload),
      reader.end == payload.byteCount, reader.hasCleanPadding,
      case .structure(let root)? = try? reader.target(of: reader.root),
      root.dataBits > 0 || root.pointerCount > 0
    else { return nil }
    return Detection(.capnp, .guess)
  }
}

extension CapnpReader {
  /// Whether what is behind an even number of segments' sizes is zero, as writers leave it.
  fileprivate var hasCleanPadding: Bool {
    segments.count % 2 == 1 || (try? bytes.integer(UInt32.self, at: 4 + 4 * segments.count)) == 0
  }
}
