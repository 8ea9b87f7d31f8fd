import CaptureStore
import Foundation
import TestSupport

/// A capture in memory whose segments are made from an input.
///
///     input = flags u8, rule u8, split u16, rest
///     flags  1 mend the checks of records
///            2 the rest is whole files, first pages included, and the check of those is mended
///            4 a footer follows the records of the first segment
///            8 zeros follow those of the last one, as in one that was not sealed
///           16 the rest behind `split` is a second segment
///
/// Without mended checks nearly every input ends at the first check. A record can keep a wrong one:
/// of its flags, which readers ignore, 1 leaves the body check and 2 the header check as they are.
struct FuzzedCapture {
  static let path = "/c"
  static let manifest = {
    var manifest = Manifest.test(endpoints: 2)
    manifest.uuid = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
    return manifest
  }()
  static let files = MemoryFiles()
  static let shared: Capture = {
    let system = FileSystem(files)
    for directory in [path, CapturePath.segments(path)] { _ = files.mkdir(directory, 0o700) }
    try! manifest.save(capture: path, files: system)
    return try! Capture(path: path, files: system)
  }()
  private static let kept: Set<String> = [CapturePath.manifest(path)]

  /// The last of the flags: what else there is to choose.
  let choice: UInt8
  let size: Int

  /// Puts the segments of an input in place of those before; nil for one that is too short.
  init?(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 4 else { return nil }
    _ = Self.shared
    let flags = input[0]
    choice = input[1]
    let rest = UnsafeRawBufferPointer(rebasing: input[4...])
    let split = flags & 16 == 0 ? rest.count : min(rest.count, Int(input[2]) << 8 | Int(input[3]))
    Self.files.removeAll(but: Self.kept)
    var size = 0
    var sequence: UInt64 = 0
    for (number, part) in [rest[..<split], rest[split...]].enumerated() {
      if number == 1 && flags & 16 == 0 { break }
      var segment = FuzzedSegment(
        UnsafeRawBufferPointer(rebasing: part), number: UInt64(number), firstSequence: sequence,
        isWhole: flags & 2 != 0)
      if flags & 1 != 0 { sequence = segment.mendRecords() }
      if flags & 4 != 0 && number == 0 { segment.appendFooter(next: sequence) }
      if flags & 8 != 0 { segment.appendZeros() }
      segment.mendPage()
      size += segment.bytes.count
      segment.bytes.withUnsafeBytes {
        Self.files.put(CapturePath.segment(Self.path, UInt64(number)), $0)
      }
    }
    self.size = size
  }
}

/// The bytes of a segment, made from a part of an input.
struct FuzzedSegment {
  private(set) var bytes: [UInt8]
  private var salt: UInt32 = 0
  private let firstSequence: UInt64

  private static let pageSize = 4096
  /// What tests and the fuzzer have in common with segments on disk.
  static let salt: UInt32 = 0x5EED_5EED

  init(
    _ part: UnsafeRawBufferPointer, number: UInt64, firstSequence: UInt64, isWhole: Bool
  ) {
    self.firstSequence = firstSequence
    bytes = []
    bytes.reserveCapacity(Self.pageSize + part.count + 128)
    // Whole files have the fields of the page, 120 bytes, from the input.
    let fields = isWhole ? min(120, part.count) : 0
    bytes.append(contentsOf: part[..<fields])
    bytes.append(contentsOf: repeatElement(0, count: Self.pageSize - fields))
    if !isWhole {
      store(UInt64(0x1A0A_0D50_4143_5A89), at: 0)
      store(UInt32(1), at: 8)
      store(FuzzedCapture.captureID, at: 32)
      store(Self.salt, at: 48)
      store(number, at: 64)
      store(firstSequence, at: 72)
      store(UInt64(1_700_000_000_000_000_000), at: 80)
      store(UInt64(1_000_000_000), at: 88)
    } else if part.count > 120 && part[8] & 0x80 == 0 {
      // Behind the fields of somebody else nothing more would be read.
      store(FuzzedCapture.captureID, at: 32)
      store(number, at: 64)
    }
    bytes.append(contentsOf: part[fields...])
    salt = load(UInt32.self, at: 48)
  }

  /// Makes the checks of records right; returns the sequence behind the last message.
  mutating func mendRecords() -> UInt64 {
    var next: UInt32 = 0
    var offset = Self.pageSize
    while bytes.count - offset >= 32 {
      let length = Int(load(UInt32.self, at: offset))
      guard length >= 32, length % 8 == 0, length <= bytes.count - offset else {
        // Also a record that goes on behind the file may have a good header check.
        if length >= 32 && bytes[offset + 31] & 2 == 0 {
          store(headerCheck(at: offset), at: offset + 4)
        }
        offset += 8
        continue
      }
      let flags = bytes[offset + 31]
      if flags & 4 == 0 {
        // In order, where the record does not want to be out of it.
        store(next, at: offset + 12)
      }
      if bytes[offset + 30] == 1 { next = max(next, load(UInt32.self, at: offset + 12) &+ 1) }
      if flags & 1 == 0 {
        store(check(offset + 32..<offset + length), at: offset + 8)
      }
      if flags & 2 == 0 { store(headerCheck(at: offset), at: offset + 4) }
      offset += length
    }
    return firstSequence &+ UInt64(next)
  }

  mutating func appendFooter(next: UInt64) {
    while bytes.count % 8 != 0 { bytes.append(0) }
    let offset = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: 48))
    store(UInt32(48), at: offset)
    store(UInt32(truncatingIfNeeded: next &- firstSequence), at: offset + 12)
    store(UInt32(1), at: offset + 24)
    bytes[offset + 30] = 5
    store(UInt32(40), at: offset + 32)
    store(UInt32(8), at: offset + 36)
    store(next, at: offset + 40)
    store(check(offset + 32..<offset + 48), at: offset + 8)
    store(headerCheck(at: offset), at: offset + 4)
  }

  mutating func appendZeros() { bytes.append(contentsOf: repeatElement(0, count: 96)) }

  mutating func mendPage() {
    store(UInt32(0), at: 12)
    let check = bytes[..<Self.pageSize].withUnsafeBytes { checksum($0, seed: 0) }
    store(check, at: 12)
  }

  private func check(_ range: Range<Int>) -> UInt32 {
    bytes[range].withUnsafeBytes { checksum($0, seed: salt) }
  }

  private func headerCheck(at offset: Int) -> UInt32 {
    withUnsafeTemporaryAllocation(byteCount: 28, alignment: 8) { words in
      bytes.withUnsafeBytes { bytes in
        words.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 4]))
        UnsafeMutableRawBufferPointer(rebasing: words[4...])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset + 8..<offset + 32]))
      }
      return checksum(UnsafeRawBufferPointer(words), seed: salt)
    }
  }

  private func load<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
    bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
  }

  private mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
  }
}

extension FuzzedCapture {
  /// As it stands in every segment.
  fileprivate static let captureID: UInt128 = withUnsafeBytes(of: manifest.uuid.uuid) {
    $0.loadUnaligned(as: UInt128.self)
  }
}
