/// Shows packed structs: objects where the values have names, else arrays of the values that
/// `struct.unpack` gives. Several structs one behind the other are an array of them.
///
/// | Python | JSON |
/// |---|---|
/// | `s`, `p` | text up to the NULs at its end; bytes where that is no UTF-8 |
/// | `c` | bytes |
/// | everything else | see ``JSONOutput`` |
public struct StructDecoder: Decoder {
  private let format: StructFormat

  init(_ format: StructFormat) { self.format = format }

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    let size = format.byteCount
    guard size > 0, !payload.isEmpty, payload.byteCount.isMultiple(of: size) else {
      throw DecodingError(
        payload.byteCount < size ? .truncated : .malformed, at: min(size, payload.byteCount),
        "\(payload.byteCount) bytes, and the struct has \(size)")
    }
    guard payload.byteCount > size else { return try write(payload, at: 0, to: &output) }
    try output.beginArray(at: 0)
    for start in stride(from: 0, to: payload.byteCount, by: size) {
      try write(payload.extracting(start..<start + size), at: start, to: &output)
    }
    output.endArray()
  }

  private func write(
    _ bytes: RawSpan, at start: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    if format.isNamed {
      try output.beginObject(at: start)
    } else {
      try output.beginArray(at: start)
    }
    for item in format.items {
      let isArray = item.names.count == 1 && item.count > 1
      if isArray {
        try output.key(item.names[0], at: start + item.offset)
        try output.beginArray(at: start + item.offset)
      }
      for index in 0..<item.count {
        let offset = item.offset + index * item.field.byteCount
        if !isArray, format.isNamed { try output.key(item.names[index], at: start + offset) }
        try write(item.field, bytes, at: offset, of: start, to: &output)
      }
      if isArray { output.endArray() }
    }
    if format.isNamed { output.endObject() } else { output.endArray() }
  }

  private func write(
    _ field: StructFormat.Field, _ bytes: RawSpan, at offset: Int, of start: Int,
    to output: inout JSONOutput
  ) throws(DecodingError) {
    switch field {
    case .number(let kind, let size):
      try bytes.element(kind, size: size, isBigEndian: format.isBigEndian, at: offset)
        .write(to: &output, at: start + offset)
    case .character:
      try output.binary(bytes.extracting(offset..<offset + 1), at: start + offset)
    case .text(let count):
      try text(bytes.extracting(offset..<offset + count), at: start + offset, to: &output)
    case .pascal(let count):
      // Python takes no length beyond the field.
      let length = count == 0 ? 0 : min(Int(bytes.byte(at: offset)), count - 1)
      let first = min(offset + 1, offset + count)
      try text(bytes.extracting(first..<first + length), at: start + offset, to: &output)
    }
  }

  private func text(
    _ bytes: RawSpan, at offset: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    var end = bytes.byteCount
    while end > 0, bytes.byte(at: end - 1) == 0 { end -= 1 }
    let text = bytes.extracting(0..<end)
    try text.isUTF8 ? output.string(utf8: text, at: offset) : output.binary(bytes, at: offset)
  }
}

extension StructFormat.Field {
  fileprivate var byteCount: Int {
    switch self {
    case .number(_, let size): size
    case .character: 1
    case .text(let count), .pascal(let count): count
    }
  }
}
