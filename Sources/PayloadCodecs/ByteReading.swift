// The only place of this module that reads memory. Every read is checked against the span's
// bounds; `unsafe` is the price of the standard library's name for it, since any bits are a valid
// integer.

extension RawSpan {
  func byte(at offset: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// Eight bytes, the first of them lowest.
  func word(at offset: Int) -> UInt64 {
    UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// The bits at `offset`, in the machine's byte order.
  @inline(__always)
  func load<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type, at offset: Int
  ) -> Value {
    unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type)
  }

  /// These bytes without the NUL at their end, if there is one.
  var withoutTerminator: RawSpan {
    @_lifetime(copy self) get {
      guard !isEmpty, byte(at: byteCount - 1) == 0 else { return self }
      return extracting(droppingLast: 1)
    }
  }
}
