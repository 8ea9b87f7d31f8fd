/// Recognises text: valid UTF-8 without control characters.
///
/// - Of the control characters, tab, line feed and carriage return are text, and so is escape:
///   coloured logs are full of it. Any other (C0, delete, C1) makes the payload raw.
/// - One NUL at the very end is allowed: C programs send `strlen + 1` bytes, and their users see a
///   string. NUL padding is not: that is a field of a struct.
/// - Other encodings (Latin-1, UTF-16) cannot be told from binary data, and are raw.
/// - Never certain: pickle's protocol 0, base64 and many short numbers are valid text as well.
public struct TextCodec: Codec {
  /// Up to this many bytes, text is a guess: the widest number that machines commonly send has 8
  /// bytes, and a number's bytes may all be printable. Random bytes pass for text, roughly, with
  /// probability (98/256)^count, which is one in two thousand at 8.
  static let guessBytesMax = 8

  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    let characters = payload.withoutTerminator
    guard !characters.isEmpty else { return nil }

    let examined = characters.extracting(first: CodecRegistry.examinedBytesMax)
    do throws(ScanStop) {
      try scan(examined)
    } catch {
      // A character cut by our own limit is fine, one cut by the end of the payload is not.
      guard error == .cut, examined.byteCount < characters.byteCount else { return nil }
    }
    return Detection(.text, payload.byteCount <= Self.guessBytesMax ? .guess : .likely)
  }

  private func scan(_ bytes: RawSpan) throws(ScanStop) {
    var offset = 0
    while true {
      offset = bytes.endOfRun(from: offset, of: .printable)
      guard offset < bytes.byteCount else { return }
      offset += try textLength(at: offset, in: bytes)
    }
  }

  /// The length of the character at `offset`, which is not printable ASCII.
  private func textLength(at offset: Int, in bytes: RawSpan) throws(ScanStop) -> Int {
    let byte = bytes.byte(at: offset)
    switch byte {
    case ASCII.tab, ASCII.lineFeed, ASCII.carriageReturn, ASCII.escape:
      return 1
    case 0x80...:
      let length = try bytes.scalarLength(at: offset)
      let isC1Control = byte == 0xC2 && bytes.byte(at: offset + 1) < 0xA0
      if isC1Control { throw .malformed }
      return length
    default:
      throw .malformed
    }
  }
}
