/// Guesses that bytes are a message of Protocol Buffers: fields to the last byte.
///
/// The format has no marks at all, so what every writer does is asked for besides what the format
/// demands: fields in the order of their numbers, numbers below 2048, lengths and numbers in as few
/// bytes as they need, no groups. Even so, one in some hundred of short random payloads passes.
public struct ProtobufCodec: Codec {
  /// Fields that are looked at. Fewer than fit the examined bytes, and enough to be as sure as one
  /// can be.
  private static let fieldsMax = 4096

  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    guard payload.byteCount >= 4 else { return nil }
    let found = try? isPlausible(payload)
    return found == true ? Detection(.protobuf, .guess) : nil
  }

  private func isPlausible(_ payload: RawSpan) throws(DecodingError) -> Bool {
    var reader = ProtobufReader(payload, 0..<payload.byteCount)
    var work = ProtobufWork(DecodingLimits())
    var number: UInt32 = 1
    for _ in 0..<Self.fieldsMax {
      guard let tag = try reader.tag() else { return true }
      guard tag.number >= number, tag.number < 2048, tag.type != .groupStart else { return false }
      number = tag.number
      let start = reader.offset
      switch try reader.value(of: tag, &work) {
      case .varint(let value):
        guard reader.offset - start == value.varintWidth else { return false }
      case .length(let range):
        guard range.lowerBound - start == UInt64(range.count).varintWidth else { return false }
      default: break
      }
      if reader.offset >= CodecRegistry.examinedBytesMax { return true }
    }
    return true
  }
}

extension UInt64 {
  /// The bytes that this has as a varint.
  fileprivate var varintWidth: Int { Swift.max(1, (bitWidth - leadingZeroBitCount + 6) / 7) }
}
