import Foundation
import Testing

@testable import PayloadCodecs

/// Frames as files that other programs open.
@Suite struct FrameFileTests {
  @Test(arguments: [
    ("json", "json"), ("text", "txt"), ("image/jpeg", "jpg"), ("npy", "npy"), ("raw", "bin"),
    ("protobuf(a.B)", "bin"), ("zstd", "zst"), ("struct(<I)", "bin"), ("ndarray(uint8,7)", "bin"),
    ("ndarray(float64)", "bin"),
  ])
  func theNameSaysWhatItIs(tag: String, expected: String) {
    let file = FrameFile(CodecTag(rawValue: tag), payloadBytes: 6)
    #expect(file.nameExtension == expected && file.header.isEmpty)
  }

  /// What NumPy's `save` writes for the same array, byte by byte.
  @Test(arguments: [
    ("ndarray(uint8,2x3)", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }"),
    ("ndarray(uint8,6)", "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }"),
    ("ndarray(>i2,3)", "{'descr': '>i2', 'fortran_order': False, 'shape': (3,), }"),
    ("ndarray(bool,1x6)", "{'descr': '|b1', 'fortran_order': False, 'shape': (1, 6), }"),
    ("ndarray(float16)", "{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }"),
  ])
  func anArrayHasTheHeaderOfNumPy(tag: String, words: String) throws {
    let file = FrameFile(CodecTag(rawValue: tag), payloadBytes: 6)
    #expect(file.nameExtension == "npy" && file.header.count % 64 == 0)
    #expect(file.header.starts(with: [0x93] + Array("NUMPY".utf8) + [1, 0]))
    #expect(Int(file.header[8]) + Int(file.header[9]) << 8 == file.header.count - 10)
    let text = String(decoding: file.header[10...], as: UTF8.self)
    #expect(text.hasPrefix(words) && text.last == "\n")
    let whole = file.header + [1, 2, 3, 4, 5, 6]
    let header = try #require(npyHeader(whole))
    #expect(header.layout?.byteCount == 6 && header.byteCount == file.header.count)
    #expect(detect(whole) == Detection(.npy, .certain))
  }

  @Test(arguments: [
    "ndarray(uint8,6)", "ndarray(int8,2x3)", "ndarray(float32,2x3)", "ndarray(uint8,1x3x2)",
    "ndarray(uint8,0x3)", "ndarray(uint8)", "json", "ndarray(uint8,1x1x2x3)",
    "ndarray(uint8,4294967296x1)",
  ])
  func whatIsNoImageIsNoPicture(tag: String) {
    let picture = PNGFile(CodecTag(rawValue: tag), of: RawSpan(), order: .rgb)
    #expect(picture == nil)
  }

  /// The chunks and their sums, the blocks and theirs, and the pixels in them, taken apart again.
  @Test(arguments: [
    ("ndarray(uint8,2x3)", ColourOrder.rgb, 1, 8), ("ndarray(uint8,300x400x3)", .rgb, 3, 8),
    ("ndarray(uint8,5x7x3)", .bgr, 3, 8), ("ndarray(uint8,5x7x4)", .bgr, 4, 8),
    ("ndarray(uint16,4x2x3)", .bgr, 3, 16), ("ndarray(>u2,4x2x1)", .rgb, 1, 16),
  ])
  func aPictureHasThePixels(tag: String, order: ColourOrder, channels: Int, bits: Int) throws {
    let tag = CodecTag(rawValue: tag)
    let layout = try #require(ArrayLayout(tag))
    let shape = try #require(layout.shape)
    let pixels = (0..<(layout.byteCount ?? 0)).map {
      UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 7)
    }
    let made = PNGFile(tag, of: RawSpan(), order: order)
    let picture = try #require(made)
    #expect(content(picture, pixels.dropLast()) == nil)
    let file = try #require(content(picture, pixels))

    let said = try #require(self.picture(file))
    #expect(said.width == shape[1] && said.height == shape[0])
    #expect(said.channels == channels && said.bits == bits)
    #expect(detect(file) == Detection(.png, .certain))

    var chunks: [String: [UInt8]] = [:]
    var offset = 8
    while offset < file.count {
      let size = number(file[offset..<offset + 4])
      let checked = file[(offset + 4)..<(offset + 8 + size)]
      #expect(number(file[(offset + 8 + size)..<(offset + 12 + size)]) == Int(crc(checked)))
      chunks[String(decoding: checked.prefix(4), as: UTF8.self)] = Array(checked.dropFirst(4))
      offset += 12 + size
    }
    var rest = try #require(chunks["IDAT"])[2...]
    var rows: [UInt8] = []
    var isLast = false
    while !isLast {
      isLast = rest[rest.startIndex] == 1
      let block = rest.startIndex + 5
      let size = Int(rest[block - 4]) | Int(rest[block - 3]) << 8
      #expect(size ^ 0xFFFF == Int(rest[block - 2]) | Int(rest[block - 1]) << 8)
      rows += rest[block..<block + size]
      rest = rest[(block + size)...]
    }
    #expect(rest.count == 4 && number(rest) == adler(rows))

    let (size, rowBytes) = (bits / 8, shape[1] * channels * bits / 8)
    #expect(rows.count == (rowBytes + 1) * shape[0])
    for row in 0..<shape[0] {
      #expect(rows[row * (rowBytes + 1)] == 0)
      for place in 0..<rowBytes {
        let (pixel, within) = (place / (channels * size), place % (channels * size))
        var (channel, byte) = (within / size, within % size)
        if order == .bgr && channels > 1 && channel < 3 { channel = 2 - channel }
        if !layout.type.isBigEndian { byte = size - 1 - byte }
        let source = row * rowBytes + (pixel * channels + channel) * size + byte
        if rows[row * (rowBytes + 1) + 1 + place] != pixels[source] {
          Issue.record("row \(row), byte \(place)")
          return
        }
      }
    }
  }

  private func npyHeader(_ bytes: [UInt8]) -> NpyHeader? { NpyHeader(bytes.span.bytes) }
  private func picture(_ bytes: [UInt8]) -> Picture? { Picture(png: bytes.span.bytes) }
  private func content(_ picture: PNGFile, _ pixels: [UInt8]) -> [UInt8]? {
    picture.content(pixels.span.bytes)
  }

  private func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

  /// Bit by bit, as the standard says it.
  private func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var value = UInt32.max
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
    return ~value
  }

  private func adler(_ bytes: [UInt8]) -> Int {
    var (first, second) = (1, 0)
    for byte in bytes {
      first += Int(byte)
      second += first
    }
    return (second % 65_521) << 16 | first % 65_521
  }
}
