/// Recognises the frame without bytes, which ZeroMQ uses as a delimiter and as a bare signal.
public struct EmptyCodec: Codec {
  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    payload.isEmpty ? Detection(.empty, .certain) : nil
  }
}
