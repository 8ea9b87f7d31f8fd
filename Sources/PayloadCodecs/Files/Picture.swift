/// What the header of a picture says.
struct Picture: Hashable {
  static let pngStart: [UInt8] = [0x89] + Array("PNG\r\n".utf8) + [0x1A, 0x0A]
  /// The chunk IEND: no bytes, its name, its checksum.
  static let pngEnd: [UInt8] = [0, 0, 0, 0] + Array("IEND".utf8) + [0xAE, 0x42, 0x60, 0x82]
  static let jpegStart: [UInt8] = [0xFF, 0xD8, 0xFF]
  static let jpegEnd: [UInt8] = [0xFF, 0xD9]
  /// Segments before the header of a JPEG picture: no writer has nearly as many.
  private static let jpegSegmentsMax = 1000
  private static let jpegFillMax = 16

  var width: Int
  var height: Int
  var channels: Int
  /// Of one channel.
  var bits: Int

  /// Source: Portable Network Graphics, sections 5 and 11.2.2 (IHDR).
  init?(png payload: RawSpan) {
    guard payload.byteCount >= 33, payload.starts(with: Self.pngStart),
      payload.bigEndian(UInt32.self, at: 8) == 13,
      payload.extracting(12..<16).starts(with: Array("IHDR".utf8))
    else { return nil }
    width = Int(payload.bigEndian(UInt32.self, at: 16))
    height = Int(payload.bigEndian(UInt32.self, at: 20))
    bits = Int(payload.byte(at: 24))
    switch payload.byte(at: 25) {
    case 0, 3: channels = 1
    case 2: channels = 3
    case 4: channels = 2
    case 6: channels = 4
    default: return nil
    }
  }

  /// Source: ITU-T T.81, annex B (start of frame).
  init?(jpeg payload: RawSpan) {
    guard payload.starts(with: Self.jpegStart) else { return nil }
    var offset = 2
    for _ in 0..<Self.jpegSegmentsMax {
      // Any number of these may stand before a marker; writers put one there.
      var fill = 0
      while fill < Self.jpegFillMax, offset < payload.byteCount, payload.byte(at: offset) == 0xFF {
        offset += 1
        fill += 1
      }
      guard payload.contains(9, at: offset) else { return nil }
      let marker = payload.byte(at: offset)
      let size = Int(payload.bigEndian(UInt16.self, at: offset + 1))
      switch marker {
      case 0xC0...0xCF where marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
        bits = Int(payload.byte(at: offset + 3))
        height = Int(payload.bigEndian(UInt16.self, at: offset + 4))
        width = Int(payload.bigEndian(UInt16.self, at: offset + 6))
        channels = Int(payload.byte(at: offset + 8))
        return
      case 0xDA, 0xD8, 0xD9: return nil
      default:
        offset += 1 + size
        guard size >= 2, payload.contains(1, at: offset), payload.byte(at: offset) == 0xFF else {
          return nil
        }
      }
    }
    return nil
  }
}

/// Shows what the header of a picture says: `{"width":640,"height":480,"channels":3,"bits":8}`.
public struct PictureDecoder: Decoder {
  public init() {}

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    guard let picture = Picture(png: payload) ?? Picture(jpeg: payload) else {
      throw DecodingError(.malformed, at: 0, "no header of a picture")
    }
    try output.beginObject(at: 0)
    for (name, value) in [
      ("width", picture.width), ("height", picture.height), ("channels", picture.channels),
      ("bits", picture.bits),
    ] {
      try output.key(name, at: 0)
      try output.integer(value, at: 0)
    }
    output.endObject()
  }
}

extension RawSpan {
  /// Whose bytes are within the span.
  fileprivate func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type, at offset: Int
  ) -> Value {
    Value(bigEndian: load(type, at: offset))
  }
}
