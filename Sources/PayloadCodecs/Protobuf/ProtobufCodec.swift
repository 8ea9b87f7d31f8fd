/// Guesses that bytes are a message of Protocol Buffers: fields to the last byte.
///
/// The format has no marks at all, so what nearly every writer does is asked for besides what the
/// format demands: fields in the order of their numbers, the first of them one of three where they are few,
/// the next no more than ``stepMax`` further; lengths and numbers in as few bytes as they need; no
/// groups; and text or another message in a field, where fields are few. Text begins with no such
/// field. Of random payloads of more than 8 bytes, one in ten thousand passes.
public struct ProtobufCodec: Codec {
  /// Fields that are looked at. Fewer than fit the examined bytes, and enough to be as sure as one
  /// can be.
  private static let fieldsMax = 4096
  private static let firstMax = 3
  /// So many fields that fit are no coincidence, whatever is in them. Those whose number is the next
  /// one count twice, those whose number was there not at all.
  private static let fieldsEnough = 4
  /// The same where the first field is none of the first three.
  private static let fieldsMany = 7
  private static let depthMax = 4
  private static let stepMax = 16

  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    guard payload.byteCount >= 4 else { return nil }
    let found = try? isPlausible(payload, depth: 0)
    return found == true ? Detection(.protobuf, .guess) : nil
  }

  private func isPlausible(_ payload: RawSpan, depth: Int) throws(DecodingError) -> Bool {
    var reader = ProtobufReader(payload, 0..<payload.byteCount)
    var work = ProtobufWork(DecodingLimits())
    var number: UInt32 = 0
    var hasMeaning = false
    var isEarly = true
    var count = 0
    for _ in 0..<Self.fieldsMax {
      guard reader.offset < CodecRegistry.examinedBytesMax, let tag = try reader.tag() else {
        break
      }
      if number == 0 { isEarly = tag.number <= Self.firstMax }
      let stepMax = Self.stepMax
      guard tag.number >= number, tag.number - number <= stepMax, tag.type != .groupStart else {
        return false
      }
      if tag.number > number { count += tag.number - number == 1 ? 2 : 1 }
      number = tag.number
      let start = reader.offset
      switch try reader.value(of: tag, &work) {
      case .varint(let value):
        guard reader.offset - start == value.varintWidth else { return false }
      case .length(let range):
        guard range.lowerBound - start == UInt64(range.count).varintWidth else { return false }
        hasMeaning = hasMeaning || isMeaningful(payload.extracting(range), depth: depth)
      default: break
      }
    }
    return isEarly ? hasMeaning || count >= Self.fieldsEnough : count >= Self.fieldsMany
  }

  /// Text, or another message: bytes of any kind are in few fields.
  private func isMeaningful(_ content: RawSpan, depth: Int) -> Bool {
    guard content.byteCount >= 4, depth < Self.depthMax else { return false }
    if content.isUTF8(upTo: CodecRegistry.examinedBytesMax) { return true }
    return (try? isPlausible(content, depth: depth + 1)) == true
  }
}

extension UInt64 {
  /// The bytes that this has as a varint.
  fileprivate var varintWidth: Int { Swift.max(1, (bitWidth - leadingZeroBitCount + 6) / 7) }
}
