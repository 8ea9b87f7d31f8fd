/// Recognises files of formats that begin with a mark of their own: pictures, NumPy's arrays,
/// compressed data.
///
/// | format | asked for besides the mark | confidence |
/// |---|---|---|
/// | `npy` | a header that fits the length | certain |
/// | `image/png` | the first chunk, and the last one at the end | certain |
/// | `image/jpeg` | the mark of the end at the end, or the header of a picture | likely |
/// | `gzip`, `zstd`, `lz4` (frames) | bits that are reserved are zero | likely |
public struct SignatureCodec: Codec {
  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    guard payload.byteCount >= 8 else { return nil }
    switch payload.byte(at: 0) {
    case 0x93: return npy(payload)
    case 0x89: return png(payload)
    case 0xFF: return jpeg(payload)
    case 0x1F, 0x28, 0x04:
      return Compression(payload).map { Detection($0.tag, .likely) }
    default: return nil
    }
  }

  private func npy(_ payload: RawSpan) -> Detection? {
    guard let header = NpyHeader(payload) else { return nil }
    let isWhole = header.layout?.byteCount == payload.byteCount - header.byteCount
    return Detection(.npy, isWhole ? .certain : .likely)
  }

  private func png(_ payload: RawSpan) -> Detection? {
    guard Picture(png: payload) != nil else { return nil }
    let isWhole = payload.ends(with: Picture.pngEnd)
    return Detection(.png, isWhole ? .certain : .likely)
  }

  private func jpeg(_ payload: RawSpan) -> Detection? {
    guard payload.starts(with: Picture.jpegStart),
      payload.ends(with: Picture.jpegEnd) || Picture(jpeg: payload) != nil
    else { return nil }
    return Detection(.jpeg, .likely)
  }
}

extension CodecTag {
  /// The bytes that every payload of this tag begins with; `nil` where there are none.
  public var mark: [UInt8]? {
    switch self {
    case .npy: NpyHeader.magic
    case .png: Picture.pngStart
    case .jpeg: Picture.jpegStart
    case .gzip: [0x1F, 0x8B, 0x08]
    case .zstandard: [0x28, 0xB5, 0x2F, 0xFD]
    case .lz4: [0x04, 0x22, 0x4D, 0x18]
    default: nil
    }
  }

  /// One array in NumPy's file format.
  public static let npy = CodecTag(rawValue: "npy")
  public static let png = CodecTag(rawValue: "image/png")
  public static let jpeg = CodecTag(rawValue: "image/jpeg")
}
