/// The order in which an array has the colours of a pixel.
public enum ColourOrder: String, CaseIterable, Sendable {
  case rgb
  /// As OpenCV has them.
  case bgr
}

/// Writes an array of image shape as a picture: `HxW`, `HxWx1` (grey), `HxWx3` or `HxWx4` (with
/// transparency) of `uint8` or `uint16`.
///
/// The picture is not compressed: it is for looking at, and what the capture has stays the original.
///
/// Source: Portable Network Graphics, sections 5, 9 and 10; RFC 1950; RFC 1951, 3.2.4.
public struct PNGFile {
  private let width: Int
  private let height: Int
  private let channels: Int
  private let type: ElementType
  private let order: ColourOrder
  /// Of the array in its frame.
  private let start: Int

  private static let sizeMax = Int(Int32.max)
  /// A chunk of a PNG holds twice as much; programs that show pictures take less.
  private static let byteCountMax = 1 << 30

  /// `nil` where a frame of this tag is no array of such a shape, or of one that is too large.
  public init?(_ tag: CodecTag, of frame: RawSpan, order: ColourOrder) {
    let header = tag == .npy ? NpyHeader(frame) : nil
    start = header?.byteCount ?? 0
    guard let layout = header?.layout ?? ArrayLayout(tag), !layout.isFirstIndexFastest,
      let shape = layout.shape, (2...3).contains(shape.count),
      layout.type.kind == .unsigned, layout.type.size <= 2,
      shape[0] > 0, shape[1] > 0, max(shape[0], shape[1]) <= Self.sizeMax,
      let byteCount = layout.byteCount, byteCount <= Self.byteCountMax
    else { return nil }
    channels = shape.count == 2 ? 1 : shape[2]
    guard [1, 3, 4].contains(channels) else { return nil }
    (height, width, type, self.order) = (shape[0], shape[1], layout.type, order)
  }

  private var rowBytes: Int { width * channels * type.size }

  /// The whole file; `nil` where the payload is not as long as the array.
  public func content(_ frame: RawSpan) -> [UInt8]? {
    let payload = frame.extracting(start..<frame.byteCount)
    guard payload.byteCount == rowBytes * height else { return nil }
    var file = Picture.pngStart
    let colour: UInt8 = [1: 0, 3: 2, 4: 6][channels]!
    append(
      "IHDR",
      bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [
        UInt8(type.size * 8), colour, 0, 0, 0,
      ],
      to: &file)
    append("IDAT", stored(rows(payload)), to: &file)
    append("IEND", [], to: &file)
    return file
  }

  /// A byte for the filter, none, before each row.
  private func rows(_ payload: RawSpan) -> [UInt8] {
    var rows: [UInt8] = []
    rows.reserveCapacity((rowBytes + 1) * height)
    let pixelBytes = channels * type.size
    for offset in stride(from: 0, to: payload.byteCount, by: pixelBytes) {
      if offset % rowBytes == 0 { rows.append(0) }
      for channel in 0..<channels {
        let isSwapped = order == .bgr && channel < 3 && channels > 1
        let place = offset + (isSwapped ? 2 - channel : channel) * type.size
        if type.size == 1 {
          rows.append(payload.byte(at: place))
        } else {
          let (first, second) = type.isBigEndian ? (0, 1) : (1, 0)
          rows.append(payload.byte(at: place + first))
          rows.append(payload.byte(at: place + second))
        }
      }
    }
    return rows
  }

  /// zlib's format, of blocks that are not compressed.
  private func stored(_ bytes: [UInt8]) -> [UInt8] {
    let blockMax = 0xFFFF
    var data: [UInt8] = [0x78, 0x01]
    data.reserveCapacity(bytes.count + bytes.count / blockMax * 5 + 16)
    for start in stride(from: 0, to: bytes.count, by: blockMax) {
      let block = bytes[start..<min(start + blockMax, bytes.count)]
      let size = UInt16(block.count)
      data.append(block.endIndex == bytes.count ? 1 : 0)
      for value in [size, ~size] { data += [UInt8(value & 0xFF), UInt8(value >> 8)] }
      data += block
    }
    var (first, second): (UInt32, UInt32) = (1, 0)
    for byte in bytes {
      first = (first + UInt32(byte)) % 65_521
      second = (second + first) % 65_521
    }
    return data + bigEndian(second << 16 | first)
  }

  private func append(_ name: String, _ content: [UInt8], to file: inout [UInt8]) {
    let checked = Array(name.utf8) + content
    file += bigEndian(UInt32(content.count)) + checked + bigEndian(CRC32.of(checked))
  }

  private func bigEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
  }
}

/// Source: Portable Network Graphics, annex D.
private enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in
      value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1
    }
  }

  static func of(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { table[Int(($0 ^ UInt32($1)) & 0xFF)] ^ ($0 >> 8) }
  }
}
