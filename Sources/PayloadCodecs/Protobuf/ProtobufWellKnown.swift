// The messages that have a JSON of their own: see ``ProtobufWellKnownType``.

extension ProtobufJSON {
  /// Writes such a message; false, and nothing is written, where it is not as it should be.
  mutating func wellKnown(
    _ type: ProtobufWellKnownType, _ index: Int, _ ranges: [Range<Int>], at offset: Int,
    to output: inout JSONOutput
  ) throws(DecodingError) -> Bool {
    let fields = schema.messages[index].fields
    switch type {
    case .timestamp, .duration:
      let found = try find(index, ranges).known
      let seconds = Int64(bitPattern: try number(1, found))
      let nanoseconds = Int32(truncatingIfNeeded: try number(2, found))
      let text =
        type == .timestamp
        ? ProtobufTime.timestamp(seconds, nanoseconds)
        : ProtobufTime.duration(seconds, nanoseconds)
      guard let text else { return false }
      try output.string(text, at: offset)
    case .fieldMask:
      try fieldMask(try find(index, ranges).known, at: offset, to: &output)
    case .wrapper:
      guard let field = fields[1], !field.kind.isMessage, !field.isRepeated else { return false }
      if let place = try find(index, ranges).known.last(where: { $0.number == 1 }) {
        try scalar(field, try value(at: place), at: place.offset, to: &output)
      } else {
        try defaultValue(of: field, at: offset, to: &output)
      }
    case .structure:
      guard let field = fields[1], field.kind == .message, field.isRepeated,
        schema.messages[field.type].isMapEntry
      else { return false }
      let found = try find(index, ranges).known.filter { $0.number == 1 }
      try map(field.type, found[...], at: offset, to: &output)
    case .listValue:
      guard let field = fields[1], field.kind == .message, field.isRepeated else { return false }
      let found = try find(index, ranges).known.filter { $0.number == 1 }
      try list(field, found[...], at: offset, to: &output)
    case .value:
      let found = try find(index, ranges).known
      guard let last = found.last, let field = fields[last.number] else {
        try output.null(at: offset)
        return true
      }
      if field.kind.isMessage {
        // Both write a container, which bounds how deep values are in each other.
        let type = schema.messages[field.type].wellKnown
        guard type == .structure || type == .listValue else { return false }
        try message(field.type, try self.ranges(of: found[...]), at: last.offset, to: &output)
      } else {
        try scalar(field, try value(at: last), at: last.offset, to: &output)
      }
    case .any:
      return try any(try find(index, ranges).known, at: offset, to: &output)
    }
    return true
  }

  private mutating func number(
    _ number: UInt32, _ found: [ProtobufPlace]
  ) throws(DecodingError) -> UInt64 {
    guard let place = found.last(where: { $0.number == number }),
      case .varint(let bits) = try value(at: place)
    else { return 0 }
    return bits
  }

  /// The paths, in camel case, with commas between them.
  private mutating func fieldMask(
    _ found: [ProtobufPlace], at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    var mask: [UInt8] = []
    for place in found where place.number == 1 {
      guard case .length(let range) = try value(at: place) else { continue }
      if !mask.isEmpty { mask.append(ASCII.comma) }
      var isAfterUnderscore = false
      for index in range {
        let byte = bytes.byte(at: index)
        let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        if byte == UInt8(ascii: "_") {
          isAfterUnderscore = true
        } else {
          mask.append(isAfterUnderscore && isLetter ? byte - 0x20 : byte)
          isAfterUnderscore = false
        }
      }
    }
    try output.string(utf8: unsafe mask.span.bytes, at: offset)
  }

  /// A message with its type's name.
  private mutating func any(
    _ found: [ProtobufPlace], at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) -> Bool {
    guard let typePlace = found.last(where: { $0.number == 1 }),
      case .length(let typeRange) = try value(at: typePlace),
      let url = bytes.extracting(typeRange).text
    else { return false }
    var content = 0..<0
    if let place = found.last(where: { $0.number == 2 }),
      case .length(let range) = try value(at: place)
    {
      content = range
    }
    try output.beginObject(at: offset)
    try output.key("@type", at: offset)
    try output.string(url, at: offset)
    let name = url.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init)
    if let name, let index = schema.message(name) {
      if schema.messages[index].wellKnown == nil {
        try fields(of: index, [content], to: &output)
      } else {
        try output.key("value", at: offset)
        try message(index, [content], at: content.lowerBound, to: &output)
      }
    } else {
      try output.key("value", at: offset)
      try output.binary(bytes.extracting(content), at: offset)
    }
    output.endObject()
    return true
  }
}

/// Times as the mapping writes them.
enum ProtobufTime {
  /// RFC 3339 in UTC; `nil` outside of the years 1 to 9999.
  static func timestamp(_ seconds: Int64, _ nanoseconds: Int32) -> String? {
    guard (-62_135_596_800...253_402_300_799).contains(seconds),
      (0..<1_000_000_000).contains(nanoseconds)
    else { return nil }
    // Days from the era's first of March, the year's last day then being the leap day: H. Hinnant,
    // "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    let secondOfDay = (seconds % 86_400 + 86_400) % 86_400
    let days = (seconds - secondOfDay) / 86_400 + 719_468
    let era = days / 146_097
    let day = days - era * 146_097
    let yearOfEra = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
    let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let dayOfMonth = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
    let time = [secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60]
    return "\(date)T\(time.map { padded($0, 2) }.joined(separator: ":"))\(fraction(nanoseconds))Z"
  }

  /// Seconds with an `s`; `nil` beyond 10,000 years, or if the parts have different signs.
  static func duration(_ seconds: Int64, _ nanoseconds: Int32) -> String? {
    guard (-315_576_000_000...315_576_000_000).contains(seconds),
      (-999_999_999...999_999_999).contains(nanoseconds),
      seconds == 0 || nanoseconds == 0 || (seconds < 0) == (nanoseconds < 0)
    else { return nil }
    let sign = seconds < 0 || nanoseconds < 0 ? "-" : ""
    return "\(sign)\(seconds.magnitude)\(fraction(abs(nanoseconds)))s"
  }

  /// No digits, or as many groups of three as are needed.
  private static func fraction(_ nanoseconds: Int32) -> String {
    if nanoseconds == 0 { return "" }
    let digits = padded(Int64(nanoseconds), 9)
    if nanoseconds % 1_000_000 == 0 { return "." + digits.prefix(3) }
    if nanoseconds % 1000 == 0 { return "." + digits.prefix(6) }
    return "." + digits
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
