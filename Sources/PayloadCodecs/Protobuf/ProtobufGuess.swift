/// Writes messages of which no schema tells what they mean.
struct ProtobufGuess: ~Escapable {
  private let bytes: RawSpan
  private(set) var work: ProtobufWork

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, _ work: ProtobufWork) {
    self.bytes = bytes
    self.work = work
  }

  mutating func message(
    _ range: Range<Int>, at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    var places: [ProtobufPlace] = []
    var reader = ProtobufReader(bytes, range)
    while let tag = try reader.tag() {
      try work.count(at: tag.offset)
      _ = try reader.value(of: tag, &work)
      places.append(ProtobufPlace(tag))
    }
    places.sort()
    try output.beginObject(at: offset)
    try fields(places, to: &output)
    output.endObject()
  }

  /// - Parameter places: sorted.
  mutating func fields(
    _ places: [ProtobufPlace], to output: inout JSONOutput
  ) throws(DecodingError) {
    var start = 0
    while start < places.count {
      let place = places[start]
      var end = start + 1
      while end < places.count, places[end].number == place.number { end += 1 }
      try output.key(String(place.number), at: place.offset)
      if end - start == 1 {
        try value(at: place, to: &output)
      } else {
        try output.beginArray(at: place.offset)
        for place in places[start..<end] { try value(at: place, to: &output) }
        output.endArray()
      }
      start = end
    }
  }

  private mutating func value(
    at place: ProtobufPlace, to output: inout JSONOutput
  ) throws(DecodingError) {
    var reader = ProtobufReader(bytes, place.offset..<bytes.byteCount)
    guard let tag = try reader.tag() else { return }
    let value = try reader.value(of: tag, &work)
    let offset = place.offset
    try output.beginObject(at: offset)
    switch value {
    case .varint(let bits):
      try output.key("varint", at: offset)
      try output.integer(bits, at: offset)
    case .fixed32(let bits):
      try output.key("fixed32", at: offset)
      try output.integer(bits, at: offset)
      try output.key("float", at: offset)
      try output.float(Float(bitPattern: bits), at: offset)
    case .fixed64(let bits):
      try output.key("fixed64", at: offset)
      try output.integer(bits, at: offset)
      try output.key("double", at: offset)
      try output.double(Double(bitPattern: bits), at: offset)
    case .group(let range):
      try output.key("group", at: offset)
      try message(range, at: offset, to: &output)
    case .length(let range):
      try length(range, at: offset, to: &output)
    }
    output.endObject()
  }

  private mutating func length(
    _ range: Range<Int>, at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    let content = bytes.extracting(range)
    // What looks like text is text, although a message of few bytes may, too.
    if content.isEmpty || TextCodec().recognize(content) != nil {
      try output.key("text", at: offset)
      try output.string(utf8: content, at: offset)
    } else if try isMessage(range) {
      try output.key("message", at: offset)
      try message(range, at: offset, to: &output)
    } else {
      try output.key("bytes", at: offset)
      if content.byteCount > output.limits.binaryBytes {
        try output.binary(content, at: offset)
      } else {
        try output.base64(content, at: offset)
      }
    }
  }

  /// Whether the bytes are fields to their end. What is in these fields is not looked at.
  private mutating func isMessage(_ range: Range<Int>) throws(DecodingError) -> Bool {
    var reader = ProtobufReader(bytes, range)
    do throws(DecodingError) {
      while let tag = try reader.tag() {
        try work.count(at: tag.offset)
        _ = try reader.value(of: tag, &work)
      }
      return true
    } catch {
      if error.kind == .limit { throw error }
      return false
    }
  }
}
