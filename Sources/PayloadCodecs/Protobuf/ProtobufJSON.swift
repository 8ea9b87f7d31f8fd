/// Writes a message and those in it as JSON.
///
/// A field may be anywhere in a message, and several times: repeated, packed in parts, the last one
/// counting, or parts of a message to be merged. So a message is a list of ranges of the payload,
/// its fields are found first, then sorted by number, and written.
struct ProtobufJSON: ~Escapable {
  typealias Field = ProtobufSchema.Field
  typealias Value = ProtobufReader.Value

  let schema: ProtobufSchema
  let bytes: RawSpan
  var work: ProtobufWork
  /// What is wrong with a message of which the rest is shown: where its bytes end within a field, or a
  /// field is not of the kind that the schema has.
  private(set) var failure: DecodingError?

  @_lifetime(copy bytes)
  init(_ schema: ProtobufSchema, _ bytes: RawSpan, _ limits: DecodingLimits) {
    self.schema = schema
    self.bytes = bytes
    work = ProtobufWork(limits)
  }

  /// The message of type `index` whose fields are in `ranges`, one after the other.
  mutating func message(
    _ index: Int, _ ranges: [Range<Int>], at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    if let wellKnown = schema.messages[index].wellKnown,
      try self.wellKnown(wellKnown, index, ranges, at: offset, to: &output)
    {
      return
    }
    try output.beginObject(at: offset)
    try fields(of: index, ranges, to: &output)
    output.endObject()
  }

  /// The fields of a message, in an object that is open.
  mutating func fields(
    of index: Int, _ ranges: [Range<Int>], to output: inout JSONOutput
  ) throws(DecodingError) {
    let found = try find(index, ranges)
    var start = 0
    while start < found.known.count {
      let number = found.known[start].number
      var end = start + 1
      while end < found.known.count, found.known[end].number == number { end += 1 }
      if let field = schema.messages[index].fields[number] {
        try self.field(field, found.known[start..<end], to: &output)
      }
      start = end
    }
    if !found.unknown.isEmpty {
      var guess = ProtobufGuess(bytes, work)
      try guess.fields(found.unknown, to: &output)
      work = guess.work
    }
  }

  private mutating func field(
    _ field: Field, _ places: ArraySlice<ProtobufPlace>, to output: inout JSONOutput
  ) throws(DecodingError) {
    let offset = places[places.startIndex].offset
    try output.key(field.name, at: offset)
    if field.isRepeated {
      if field.kind == .message, schema.messages[field.type].isMapEntry {
        try map(field.type, places, at: offset, to: &output)
      } else {
        try list(field, places, at: offset, to: &output)
      }
    } else if field.kind.isMessage {
      let ranges = try self.ranges(of: places)
      try message(field.type, ranges, at: offset, to: &output)
    } else {
      let place = places[places.endIndex - 1]
      try scalar(field, try value(at: place), at: place.offset, to: &output)
    }
  }

  mutating func list(
    _ field: Field, _ places: ArraySlice<ProtobufPlace>, at offset: Int,
    to output: inout JSONOutput
  ) throws(DecodingError) {
    try output.beginArray(at: offset)
    for place in places {
      switch try value(at: place) {
      case .length(let range) where field.kind.isMessage:
        try message(field.type, [range], at: place.offset, to: &output)
      case .group(let range):
        try message(field.type, [range], at: place.offset, to: &output)
      case .length(let range) where field.kind.wireType != .length:
        try packed(field, range, to: &output)
      case let value:
        try scalar(field, value, at: place.offset, to: &output)
      }
    }
    output.endArray()
  }

  private func packed(
    _ field: Field, _ range: Range<Int>, to output: inout JSONOutput
  ) throws(DecodingError) {
    var reader = ProtobufReader(bytes, range)
    while !reader.isAtEnd {
      let offset = reader.offset
      let value: Value
      switch field.kind.wireType {
      case .fixed32: value = .fixed32(try reader.fixed(UInt32.self))
      case .fixed64: value = .fixed64(try reader.fixed(UInt64.self))
      default: value = .varint(try reader.varint())
      }
      try scalar(field, value, at: offset, to: &output)
    }
  }
}

// MARK: - Finding fields

/// A field of a message: its number, and where its tag is in the payload, in 8 bytes, since a
/// message may have very many. Sorted by number, those of the same number in order.
struct ProtobufPlace: Comparable {
  private let bits: UInt64

  init(_ tag: ProtobufReader.Tag) { bits = UInt64(tag.number) << 32 | UInt64(tag.offset) }

  var number: UInt32 { UInt32(bits >> 32) }
  var offset: Int { Int(bits & 0xFFFF_FFFF) }

  static func < (left: ProtobufPlace, right: ProtobufPlace) -> Bool { left.bits < right.bits }
}

extension ProtobufJSON {
  /// The fields of a message, sorted; those that the schema lacks, or has otherwise, apart.
  mutating func find(
    _ index: Int, _ ranges: [Range<Int>]
  ) throws(DecodingError) -> (known: [ProtobufPlace], unknown: [ProtobufPlace]) {
    let fields = schema.messages[index].fields
    var known: [ProtobufPlace] = []
    var unknown: [ProtobufPlace] = []
    /// Of each oneof, the member that is set, and where it was: what stands before does not count.
    var members: [Int: ProtobufPlace] = [:]
    for range in ranges {
      var reader = ProtobufReader(bytes, range)
      while let tag = try next(&reader) {
        let place = ProtobufPlace(tag)
        guard let field = fields[tag.number], field.accepts(tag.type) else {
          if fields[tag.number] != nil {
            fail(
              DecodingError(
                .malformed, at: tag.offset, "field \(tag.number) is not of the schema's type"))
          }
          unknown.append(place)
          continue
        }
        known.append(place)
        if let oneof = field.oneof, members[oneof]?.number != tag.number { members[oneof] = place }
      }
    }
    known.sort()
    unknown.sort()
    if !members.isEmpty {
      known.removeAll { place in
        guard let oneof = fields[place.number]?.oneof, let member = members[oneof] else {
          return false
        }
        return member.number != place.number || place.offset < member.offset
      }
    }
    return (known, unknown)
  }

  /// The tag of the next field that is whole; nil at the end, be it that of the message or not.
  private mutating func next(
    _ reader: inout ProtobufReader
  ) throws(DecodingError) -> ProtobufReader.Tag? {
    do throws(DecodingError) {
      guard let tag = try reader.tag() else { return nil }
      try work.count(at: tag.offset)
      _ = try reader.value(of: tag, &work)
      return tag
    } catch {
      if error.kind == .limit { throw error }
      fail(error)
      return nil
    }
  }

  private mutating func fail(_ error: DecodingError) { failure = failure ?? error }

  /// The value of a field that was found, and so is whole.
  mutating func value(at place: ProtobufPlace) throws(DecodingError) -> Value {
    var reader = ProtobufReader(bytes, place.offset..<bytes.byteCount)
    guard let tag = try reader.tag() else {
      throw DecodingError(.truncated, at: place.offset, "a field that was there is not")
    }
    return try reader.value(of: tag, &work)
  }

  /// The parts of a message that is there several times.
  mutating func ranges(of places: ArraySlice<ProtobufPlace>) throws(DecodingError) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for place in places {
      switch try value(at: place) {
      case .length(let range), .group(let range): ranges.append(range)
      default: break
      }
    }
    return ranges
  }
}
