import PayloadCodecs
import Testing

/// Formats that begin with a mark.
@Suite struct SignatureTests {
  private static let png: [UInt8] =
    [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]
    + [0, 0, 2, 0x80, 0, 0, 1, 0xE0, 8, 2, 0, 0, 0, 1, 2, 3, 4]
  private static let end: [UInt8] = [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82]
  private static let jpeg: [UInt8] =
    [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xC0, 0, 17, 8, 1, 0xE0, 2, 0x80, 3, 0, 0]

  @Test func picturesTellTheirSize() throws {
    #expect(detect(Self.png + Self.end) == Detection(.png, .certain))
    #expect(detect(Self.png + [1, 2, 3]) == Detection(.png, .likely))
    #expect(
      try decode(Self.png, by: PictureDecoder())
        == #"{"width":640,"height":480,"channels":3,"bits":8}"#)
    #expect(detect(Self.jpeg) == Detection(.jpeg, .likely))
    #expect(
      try decode(Self.jpeg, by: PictureDecoder())
        == #"{"width":640,"height":480,"channels":3,"bits":8}"#)
    for file in [Self.png, Self.jpeg] {
      for count in file.indices { _ = failure(Array(file[..<count]), by: PictureDecoder()) }
    }
    #expect(detect([0xFF, 0xD8, 0xFF] + [UInt8](repeating: 0xFF, count: 40)).tag == .raw)
  }

  @Test(
    arguments: [
      // gzip.compress(b"a"), zstd of a single segment of 5, lz4 with a content size of 5.
      (
        [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 0xFF, 0x4B, 4, 0, 0x43, 0xBE, 0xB7, 0xE8, 1, 0, 0, 0],
        CodecTag.gzip, #"{"bytes":21,"content_bytes":1}"#
      ),
      (
        [0x28, 0xB5, 0x2F, 0xFD, 0x20, 5, 0x29, 0, 0, 1, 2, 3, 4, 5], .zstandard,
        #"{"bytes":14,"content_bytes":5}"#
      ),
      (
        [0x04, 0x22, 0x4D, 0x18, 0x68, 0x40, 5, 0, 0, 0, 0, 0, 0, 0, 0x11], .lz4,
        #"{"bytes":15,"content_bytes":5}"#
      ),
      ([0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58, 0x29, 0, 0], .zstandard, #"{"bytes":9}"#),
    ] as [([UInt8], CodecTag, String)])
  func compressedDataTellsWhatItBecomes(bytes: [UInt8], tag: CodecTag, json: String) throws {
    #expect(detect(bytes) == Detection(tag, .likely))
    #expect(try decode(bytes, by: CompressionDecoder()) == json)
    for count in bytes.indices { _ = failure(Array(bytes[..<count]), by: CompressionDecoder()) }
  }

  @Test func reservedBitsAreNoneOfThem() {
    #expect(detect([0x28, 0xB5, 0x2F, 0xFD, 0x08, 1, 2, 3, 4]).tag == .raw)
    #expect(detect([0x04, 0x22, 0x4D, 0x18, 0x02, 0x40, 1, 2, 3]).tag == .raw)
    #expect(detect([0x1F, 0x8B, 8, 0xE0] + [UInt8](repeating: 1, count: 20)).tag == .raw)
  }
}
