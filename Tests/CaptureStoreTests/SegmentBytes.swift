@testable import CaptureStore

/// A segment written byte by byte from the tables of Format.md, not by the code under test.
///
/// Of that code it uses the checksum alone, which `ChecksumTests` hold against another one.
struct SegmentBytes {
  private(set) var bytes: [UInt8]
  private let salt: UInt32

  /// What the header page says; every field can be made wrong.
  struct Page {
    var version: UInt32 = 1
    var incompatibleFeatures: UInt64 = 0
    var compatibleFeatures: UInt64 = 0
    var capture: [UInt8] = Array(0x10..<0x20)
    var segment: [UInt8] = Array(0xA0..<0xB0)
    var number: UInt64 = 0
    var firstSequence: UInt64 = 0
    var unixTime: Int64 = 1_700_000_000_000_000_000
    var monotonicTime: Int64 = 5_000_000_000
    var boot: UInt128 = 0x0102_0304_0506_0708_090A_0B0C_0D0E_0F10
    var allocatedSize: UInt64 = 65_536
  }

  init(_ page: Page) {
    bytes = [0x89, 0x5A, 0x43, 0x41, 0x50, 0x0D, 0x0A, 0x1A]
    bytes += Self.littleEndian(page.version) + [0, 0, 0, 0]
    bytes += Self.littleEndian(page.incompatibleFeatures)
    bytes += Self.littleEndian(page.compatibleFeatures)
    bytes += page.capture + page.segment
    bytes += Self.littleEndian(page.number) + Self.littleEndian(page.firstSequence)
    bytes += Self.littleEndian(page.unixTime) + Self.littleEndian(page.monotonicTime)
    bytes += Self.littleEndian(page.boot) + Self.littleEndian(page.allocatedSize)
    bytes += [UInt8](repeating: 0, count: 4096 - bytes.count)
    bytes.replaceSubrange(12..<16, with: Self.littleEndian(Self.check(bytes, 0)))
    salt = page.segment[..<4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Appends a record; returns where it starts.
  @discardableResult
  mutating func append(
    kind: UInt8 = 1, sequence: UInt32 = 0, time: Int64 = 0, endpoint: UInt16 = 0,
    flags: UInt8 = 0, _ frames: [[UInt8]]
  ) -> Int {
    let start = bytes.count
    var table: [UInt8] = []
    var body: [UInt8] = []
    let bodyStart = start + 32 + 8 * frames.count
    for frame in frames {
      pad(&body, from: bodyStart, to: frame.count >= 1024 ? 64 : 8)
      let offset = bodyStart + body.count - start
      table += Self.littleEndian(UInt32(offset)) + Self.littleEndian(UInt32(frame.count))
      body += frame
    }
    pad(&body, from: bodyStart, to: 8)
    append(
      kind: kind, sequence: sequence, time: time, endpoint: endpoint, flags: flags,
      frameCount: UInt32(frames.count), body: table + body)
    return start
  }

  /// Appends a record with any frame count and any bytes for frame table and frames.
  mutating func append(
    kind: UInt8 = 1, sequence: UInt32 = 0, time: Int64 = 0, endpoint: UInt16 = 0,
    flags: UInt8 = 0, frameCount: UInt32, body: [UInt8]
  ) {
    let length = Self.littleEndian(UInt32(32 + body.count))
    var rest = Self.littleEndian(Self.check(body, salt))
    rest += Self.littleEndian(sequence) + Self.littleEndian(time)
    rest += Self.littleEndian(frameCount) + Self.littleEndian(endpoint) + [kind, flags]
    bytes += length + Self.littleEndian(Self.check(length + rest, salt)) + rest + body
  }

  mutating func appendFooter(sequence: UInt32, firstSequence: UInt64 = 0, time: Int64 = 0) {
    let next = Self.littleEndian(firstSequence + UInt64(sequence))
    append(kind: 5, sequence: sequence, time: time, [next])
  }

  private func pad(_ body: inout [UInt8], from start: Int, to alignment: Int) {
    while (start + body.count) % alignment != 0 { body.append(0) }
  }

  static func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  static func number<T: FixedWidthInteger>(_ type: T.Type, _ bytes: [UInt8], at offset: Int) -> T {
    (0..<T.bitWidth / 8).reversed().reduce(0) {
      $0 << 8 | T(truncatingIfNeeded: bytes[offset + $1])
    }
  }

  private static func check(_ bytes: [UInt8], _ seed: UInt32) -> UInt32 {
    bytes.withUnsafeBytes { checksum($0, seed: seed) }
  }
}
