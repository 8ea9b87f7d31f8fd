/// The head of a MessagePack value, with what is in it but for the values of a container.
enum MessagePackToken {
  case null
  case bool(Bool)
  case unsigned(UInt64)
  case signed(Int64)
  case float(Float)
  case double(Double)
  case string(Range<Int>)
  case binary(Range<Int>)
  /// So many values follow.
  case array(Int)
  /// So many pairs of a key and a value follow.
  case map(Int)
  case ext(type: Int8, Range<Int>)
}

extension ByteCursor {
  /// Source: the MessagePack specification, "Formats" (github.com/msgpack/msgpack/blob/master/spec.md).
  ///
  /// - Throws: ``DecodingError/Kind/malformed`` for the byte that is never used, and for a container
  ///   of more values than bytes are left.
  mutating func messagePackToken() throws(DecodingError) -> MessagePackToken {
    let head = try byte()
    switch head {
    case 0x00...0x7F: return .unsigned(UInt64(head))
    case 0x80...0x8F: return .map(try count(head & 0x0F, bytesEach: 2))
    case 0x90...0x9F: return .array(try count(head & 0x0F, bytesEach: 1))
    case 0xA0...0xBF: return .string(try take(head & 0x1F))
    case 0xC0: return .null
    case 0xC1: throw DecodingError(.malformed, at: offset - 1, "0xc1 is no MessagePack value")
    case 0xC2: return .bool(false)
    case 0xC3: return .bool(true)
    case 0xC4: return .binary(try take(try byte()))
    case 0xC5: return .binary(try take(try bigEndian(UInt16.self)))
    case 0xC6: return .binary(try take(try bigEndian(UInt32.self)))
    case 0xC7: return try ext(try byte())
    case 0xC8: return try ext(try bigEndian(UInt16.self))
    case 0xC9: return try ext(try bigEndian(UInt32.self))
    case 0xCA: return .float(Float(bitPattern: try bigEndian(UInt32.self)))
    case 0xCB: return .double(Double(bitPattern: try bigEndian(UInt64.self)))
    case 0xCC: return .unsigned(UInt64(try byte()))
    case 0xCD: return .unsigned(UInt64(try bigEndian(UInt16.self)))
    case 0xCE: return .unsigned(UInt64(try bigEndian(UInt32.self)))
    case 0xCF: return .unsigned(try bigEndian(UInt64.self))
    case 0xD0: return .signed(Int64(try bigEndian(Int8.self)))
    case 0xD1: return .signed(Int64(try bigEndian(Int16.self)))
    case 0xD2: return .signed(Int64(try bigEndian(Int32.self)))
    case 0xD3: return .signed(try bigEndian(Int64.self))
    case 0xD4...0xD8: return try ext(UInt8(1) << (head - 0xD4))
    case 0xD9: return .string(try take(try byte()))
    case 0xDA: return .string(try take(try bigEndian(UInt16.self)))
    case 0xDB: return .string(try take(try bigEndian(UInt32.self)))
    case 0xDC: return .array(try count(try bigEndian(UInt16.self), bytesEach: 1))
    case 0xDD: return .array(try count(try bigEndian(UInt32.self), bytesEach: 1))
    case 0xDE: return .map(try count(try bigEndian(UInt16.self), bytesEach: 2))
    case 0xDF: return .map(try count(try bigEndian(UInt32.self), bytesEach: 2))
    case 0xE0...0xFF: return .signed(Int64(Int8(bitPattern: head)))
    default: preconditionFailure("all bytes are listed")
    }
  }

  private mutating func ext(_ count: some BinaryInteger) throws(DecodingError) -> MessagePackToken {
    let type = try bigEndian(Int8.self)
    return .ext(type: type, try take(count))
  }

  private func count(
    _ count: some BinaryInteger, bytesEach: Int
  ) throws(DecodingError) -> Int {
    guard count <= remaining / bytesEach else {
      throw DecodingError(.truncated, at: offset, "\(count) values expected in \(remaining) bytes")
    }
    return Int(count)
  }
}
