/// Walks the fields of a message in Protocol Buffers' wire format.
///
/// ```
///   tag = number << 3 | wire type, as a varint; then the value:
///   0 varint | 1 eight bytes | 2 length, as a varint, and bytes | 3 fields up to a tag of type 4
///   5 four bytes
/// ```
/// Source: the Protocol Buffers documentation, "Encoding".
struct ProtobufReader: ~Escapable {
  enum WireType: UInt8 {
    case varint, fixed64, length, groupStart, groupEnd, fixed32
  }

  struct Tag {
    let number: UInt32
    let type: WireType
    /// Where the tag stands.
    let offset: Int
  }

  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    case length(Range<Int>)
    /// Without the tags around it.
    case group(Range<Int>)
  }

  /// Why 100: what the format's own libraries take.
  static let groupDepthMax = 100

  let bytes: RawSpan
  private(set) var offset: Int
  let end: Int

  /// - Parameter range: of the message, within `bytes`.
  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, _ range: Range<Int>) {
    self.bytes = bytes
    offset = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { offset >= end }

  /// The tag of the next field; `nil` at the message's end.
  mutating func tag() throws(DecodingError) -> Tag? {
    guard offset < end else { return nil }
    let start = offset
    let tag = try varint()
    guard tag >> 3 != 0, tag <= UInt64(UInt32.max) else {
      throw DecodingError(.malformed, at: start, "no field has such a number")
    }
    guard let type = WireType(rawValue: UInt8(tag & 7)) else {
      throw DecodingError(.malformed, at: start, "there is no wire type \(tag & 7)")
    }
    return Tag(number: UInt32(tag >> 3), type: type, offset: start)
  }

  /// The value behind `tag`, which was read last.
  ///
  /// - Parameter work: what reading may still cost, in fields; groups are read through.
  mutating func value(
    of tag: Tag, _ work: inout ProtobufWork
  ) throws(DecodingError) -> Value {
    switch tag.type {
    case .varint: return .varint(try varint())
    case .fixed64: return .fixed64(try fixed(UInt64.self))
    case .fixed32: return .fixed32(try fixed(UInt32.self))
    case .length: return .length(try length())
    case .groupStart: return .group(try group(tag, &work))
    case .groupEnd:
      throw DecodingError(.malformed, at: tag.offset, "a group ends that did not begin")
    }
  }

  mutating func varint() throws(DecodingError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    for shift in stride(from: 0 as UInt64, to: 70, by: 7) {
      guard offset < end else { throw truncated(start) }
      let byte = bytes.byte(at: offset)
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw DecodingError(.malformed, at: start, "a number has more than ten bytes")
  }

  mutating func fixed<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ type: Integer.Type
  ) throws(DecodingError) -> Integer {
    guard end - offset >= MemoryLayout<Integer>.size else { throw truncated(offset) }
    defer { offset += MemoryLayout<Integer>.size }
    return try bytes.integer(type, at: offset)
  }

  private mutating func length() throws(DecodingError) -> Range<Int> {
    let start = offset
    let count = try varint()
    guard count <= UInt64(end - offset) else { throw truncated(start) }
    defer { offset += Int(count) }
    return offset..<offset + Int(count)
  }

  private mutating func group(
    _ tag: Tag, _ work: inout ProtobufWork
  ) throws(DecodingError) -> Range<Int> {
    let start = offset
    var open = [tag.number]
    while true {
      guard let next = try self.tag() else { throw truncated(tag.offset) }
      try work.count(at: next.offset)
      switch next.type {
      case .groupStart:
        open.append(next.number)
        guard open.count <= Self.groupDepthMax else {
          throw DecodingError(.limit, at: next.offset, "nested too deep")
        }
      case .groupEnd:
        guard open.removeLast() == next.number else {
          throw DecodingError(.malformed, at: next.offset, "a group ends that did not begin")
        }
        if open.isEmpty { return start..<next.offset }
      default:
        _ = try value(of: next, &work)
      }
    }
  }

  private func truncated(_ offset: Int) -> DecodingError {
    DecodingError(.truncated, at: offset, "a field goes on behind its message's end")
  }
}

/// What may still be spent on a payload, in fields looked at. Nested bytes are looked at once for
/// each level that they are in, so the number of values does not bound this.
struct ProtobufWork {
  private var left: Int

  init(_ limits: DecodingLimits) {
    let (product, isTooLarge) = limits.values.multipliedReportingOverflow(by: 4)
    left = isTooLarge ? .max : product
  }

  mutating func count(at offset: Int) throws(DecodingError) {
    left -= 1
    guard left >= 0 else { throw DecodingError(.limit, at: offset, "too many fields") }
  }
}
