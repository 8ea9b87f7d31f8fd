/// Reads a payload from its start to its end; every read is checked.
struct ByteCursor: ~Escapable {
  let bytes: RawSpan
  /// Bytes that were read.
  private(set) var offset = 0

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { self.bytes = bytes }

  var isAtEnd: Bool { offset == bytes.byteCount }
  var remaining: Int { bytes.byteCount - offset }

  /// The range of the next `count` bytes, of which the length may be any number that a payload has.
  @inline(__always)
  mutating func take(_ count: some BinaryInteger) throws(DecodingError) -> Range<Int> {
    guard count <= remaining else {
      throw DecodingError(.truncated, at: offset, "\(count) bytes expected, \(remaining) left")
    }
    defer { offset += Int(count) }
    return offset..<offset + Int(count)
  }

  @inline(__always)
  mutating func byte() throws(DecodingError) -> UInt8 {
    bytes.byte(at: try take(1).lowerBound)
  }

  mutating func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type
  ) throws(DecodingError) -> Value {
    Value(littleEndian: bytes.load(type, at: try take(MemoryLayout<Value>.size).lowerBound))
  }

  @inline(__always)
  mutating func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type
  ) throws(DecodingError) -> Value {
    Value(bigEndian: bytes.load(type, at: try take(MemoryLayout<Value>.size).lowerBound))
  }

  /// The bytes up to the next line feed, which is read too and not among them.
  mutating func line() throws(DecodingError) -> Range<Int> {
    let start = offset
    while offset < bytes.byteCount {
      offset += 1
      if bytes.byte(at: offset - 1) == ASCII.lineFeed { return start..<offset - 1 }
    }
    offset = start
    throw DecodingError(.truncated, at: start, "a line that does not end")
  }
}
