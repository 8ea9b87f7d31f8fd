/// What the header of compressed data says.
struct Compression {
  var tag: CodecTag
  /// Bytes that it becomes, as far as the data itself says so.
  var contentBytes: UInt64?

  /// `nil` where the bytes begin none of the formats.
  init?(_ payload: RawSpan) {
    guard payload.byteCount >= 8 else { return nil }
    switch payload.load(UInt32.self, at: 0).littleEndian {
    case 0xFD2F_B528: self.init(zstandard: payload)
    case 0x184D_2204: self.init(lz4: payload)
    case let mark where mark & 0xFF_FFFF == 0x08_8B1F: self.init(gzip: payload)
    default: return nil
    }
  }

  /// Source: RFC 1952, 2.3.
  private init?(gzip payload: RawSpan) {
    guard payload.byteCount >= 18, payload.byte(at: 3) & 0xE0 == 0 else { return nil }
    tag = .gzip
    // Of the last member, up to 4 GiB; nearly all files have one.
    contentBytes = (try? payload.integer(UInt32.self, at: payload.byteCount - 4)).map(UInt64.init)
  }

  /// Source: RFC 8878, 3.1.1.1.
  private init?(zstandard payload: RawSpan) {
    let descriptor = payload.byte(at: 4)
    guard descriptor & 0x08 == 0 else { return nil }
    tag = .zstandard
    let isSingle = descriptor & 0x20 != 0
    let dictionaryBytes = [0, 1, 2, 4][Int(descriptor & 3)]
    let place = 5 + (isSingle ? 0 : 1) + dictionaryBytes
    switch descriptor >> 6 {
    case 0 where isSingle:
      contentBytes = payload.contains(1, at: place) ? UInt64(payload.byte(at: place)) : nil
    case 0: contentBytes = nil
    case 1: contentBytes = (try? payload.integer(UInt16.self, at: place)).map { UInt64($0) + 256 }
    case 2: contentBytes = (try? payload.integer(UInt32.self, at: place)).map(UInt64.init)
    default: contentBytes = try? payload.integer(UInt64.self, at: place)
    }
  }

  /// Source: LZ4 Frame Format Description, "Frame Descriptor".
  private init?(lz4 payload: RawSpan) {
    let flags = payload.byte(at: 4)
    guard flags & 0xC2 == 0x40, payload.byte(at: 5) & 0x8F == 0, payload.byte(at: 5) >= 0x40 else {
      return nil
    }
    tag = .lz4
    contentBytes = flags & 0x08 != 0 ? try? payload.integer(UInt64.self, at: 6) : nil
  }
}

/// Shows how much is compressed, and what it becomes where that is known:
/// `{"bytes":1234,"content_bytes":5678}`. Nothing is uncompressed.
public struct CompressionDecoder: Decoder {
  public init() {}

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    guard let compression = Compression(payload) else {
      throw DecodingError(.malformed, at: 0, "no header of compressed data")
    }
    try output.beginObject(at: 0)
    try output.key("bytes", at: 0)
    try output.integer(payload.byteCount, at: 0)
    if let content = compression.contentBytes {
      try output.key("content_bytes", at: 0)
      try output.integer(content, at: 0)
    }
    output.endObject()
  }
}

extension CodecTag {
  public static let gzip = CodecTag(rawValue: "gzip")
  /// Zstandard's frames.
  public static let zstandard = CodecTag(rawValue: "zstd")
  /// LZ4's frames; its blocks have no mark.
  public static let lz4 = CodecTag(rawValue: "lz4")
}
