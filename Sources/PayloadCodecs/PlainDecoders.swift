/// Shows text as a string; what is no UTF-8 as bytes.
public struct TextDecoder: Decoder {
  public init() {}

  /// One NUL at the end, as C's strings have it, is left out.
  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    try output.string(utf8: payload.withoutTerminator, at: 0)
  }
}

/// Shows any bytes: see the table of ``JSONOutput``.
public struct BytesDecoder: Decoder {
  public init() {}

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    try output.binary(payload, at: 0)
  }
}

/// Shows a frame of no bytes as `null`.
public struct EmptyDecoder: Decoder {
  public init() {}

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    guard payload.isEmpty else {
      throw DecodingError(.malformed, at: 0, "\(payload.byteCount) bytes, and none should be there")
    }
    try output.null(at: 0)
  }
}
