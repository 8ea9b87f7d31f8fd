import CaptureStore
import Foundation

/// A segment written from the tables of Format.md, for campaigns that know each of its bytes.
struct CampaignScript {
  struct Record {
    var kind: RecordKind
    var endpoint: UInt16 = 0
    var time: Int64
    var frames: [[UInt8]]
  }

  private(set) var bytes: [UInt8] = []
  private let first: UInt64
  private static let salt: UInt32 = 0xA5A4_A3A2

  init(number: UInt64, first: UInt64, captureID: UUID) {
    self.first = first
    add(UInt64(0x1A0A_0D50_4143_5A89))
    add(UInt32(1))
    add(UInt32(0))
    add(UInt64(0))
    add(UInt64(0))
    withUnsafeBytes(of: captureID.uuid) { bytes += $0 }
    add(Self.salt)
    bytes += [UInt8](repeating: 0x77, count: 12)
    add(number)
    add(first)
    add(Int64(1_700_000_000_000_000_000))
    add(Int64(5_000_000_000))
    add(UInt64(0x0102_0304_0506_0708))
    add(UInt64(0x090A_0B0C_0D0E_0F10))
    add(UInt64(65_536))
    bytes += [UInt8](repeating: 0, count: 4096 - bytes.count)
    put(check(0..<4096, seed: 0), at: 12)
  }

  /// The next of a row of records of many shapes that fits; nil when there is no room for more.
  static func record(_ number: Int, sequence: UInt64, room: Int) -> Record? {
    // No byte of a frame is zero, so that what a cut leaves of it is known.
    func frame(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(1 + ($0 &+ number) % 255) } }
    let time = Int64(number) * 1_000
    let record: Record =
      switch number % 9 {
      case 0: Record(kind: .data, time: time, frames: [frame(11), frame(300)])
      case 1: Record(kind: .data, endpoint: 3, time: time, frames: [frame(1500)])
      case 2: Record(kind: .event, time: time, frames: [Array(#"{"event":"test"}"#.utf8)])
      case 3: Record(kind: .data, time: time, frames: [])
      case 4: Record(kind: .data, endpoint: 1, time: time, frames: [[], frame(3), [], frame(64)])
      case 5:
        Record(
          kind: .checkpoint, time: time,
          frames: [littleEndian(sequence) + littleEndian(UInt64(0)) + littleEndian(UInt64(4096))])
      case 6: Record(kind: .data, time: time, frames: (0..<12).map { frame($0) })
      case 7: Record(kind: .data, time: time, frames: [frame(5), frame(1024), frame(8)])
      default: Record(kind: RecordKind(rawValue: 200), time: time, frames: [frame(40)])
      }
    let needed = record.frames.reduce(32) { $0 + 8 + $1.count + 64 }
    if needed <= room { return record }
    guard room >= 48 else { return nil }
    // The rest is filled to the byte.
    return Record(kind: .data, time: time, frames: [frame(min(room - 40, 900) & ~7)])
  }

  /// Appends a record; where it lies.
  mutating func append(_ record: Record, sequence: UInt64) -> Range<Int> {
    let start = bytes.count
    bytes += [UInt8](repeating: 0, count: 32 + 8 * record.frames.count)
    for (index, frame) in record.frames.enumerated() {
      pad(toMultipleOf: frame.count >= 1024 ? 64 : 8)
      put(UInt32(bytes.count - start), at: start + 32 + 8 * index)
      put(UInt32(frame.count), at: start + 36 + 8 * index)
      bytes += frame
    }
    pad(toMultipleOf: 8)
    put(UInt32(bytes.count - start), at: start)
    put(check(start + 32..<bytes.count, seed: Self.salt), at: start + 8)
    put(UInt32(sequence - first), at: start + 12)
    put(record.time, at: start + 16)
    put(UInt32(record.frames.count), at: start + 24)
    put(record.endpoint, at: start + 28)
    bytes[start + 30] = record.kind.rawValue
    let header = Array(bytes[start..<start + 4] + bytes[start + 8..<start + 32])
    put(header.withUnsafeBytes { checksum($0, seed: Self.salt) }, at: start + 4)
    return start..<bytes.count
  }

  mutating func appendFooter(next: UInt64) {
    _ = append(
      Record(kind: .footer, time: 1, frames: [Self.littleEndian(next)]), sequence: next)
  }

  mutating func pad(to size: Int) {
    bytes += [UInt8](repeating: 0, count: size - bytes.count)
  }

  private mutating func pad(toMultipleOf alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }

  private func check(_ range: Range<Int>, seed: UInt32) -> UInt32 {
    bytes[range].withUnsafeBytes { checksum($0, seed: seed) }
  }

  private static func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private mutating func add<T: FixedWidthInteger>(_ value: T) { bytes += Self.littleEndian(value) }

  private mutating func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    bytes.replaceSubrange(offset..<offset + T.bitWidth / 8, with: Self.littleEndian(value))
  }
}
