extension RawSpan {
  /// The integer whose first byte, the lowest, is at `offset`, at any alignment.
  ///
  /// - Throws: ``DecodingError/Kind/truncated`` if not all of it is within the span.
  @inline(__always)
  func integer<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type, at offset: Int
  ) throws(DecodingError) -> Value {
    guard offset >= 0, offset <= byteCount - MemoryLayout<Value>.size else {
      throw DecodingError(.truncated, at: offset, "points outside of the payload")
    }
    return Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type))
  }

  /// Whether `count` bytes from `offset` on are within the span.
  func contains(_ count: Int, at offset: Int) -> Bool {
    offset >= 0 && count >= 0 && offset <= byteCount && count <= byteCount - offset
  }
}
