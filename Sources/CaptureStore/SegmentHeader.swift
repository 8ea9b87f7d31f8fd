// The first page of a segment. Format.md is the normative text.

/// What a segment says of itself: which capture it belongs to, where it starts, and its clocks.
public struct SegmentHeader: Hashable, Sendable {
  public var captureID: UInt128
  /// Random; its low 32 bits are the salt of every check in the segment.
  public var segmentID: UInt128
  public var number: UInt64
  /// The sequence that the segment's first message has.
  public var firstSequence: UInt64
  public var clock: ClockPair
  /// Bytes of the file when it was made; a sealed segment is shorter.
  public var allocatedSize: UInt64
  /// The file was another segment before: what is behind the records may be of that one.
  public var isRecycled = false

  /// Rejects the records of a file's former life, once files are recycled.
  var salt: UInt32 { UInt32(truncatingIfNeeded: segmentID) }
}

/// Sizes and offsets of the header page.
enum SegmentLayout {
  /// The header page; the first record starts here.
  static let headerSize = 4096
  static let version: UInt32 = 1
  /// The compatible feature of a segment whose file was another one before.
  static let recycledFeature: UInt64 = 1
  /// `\x89ZCAP\r\n\x1a`: not text, and damaged visibly by whoever treats it as text.
  static let magic: UInt64 = 0x1A0A_0D50_4143_5A89

  /// Instead of it while a file becomes that of another segment: its first 4 bytes are not stored,
  /// as in one that is not in use, and the others are no one else's.
  static let withdrawnMagic: UInt64 = 0x5A89_0A1A_0000_0000

  static let versionOffset = 8
  static let checkOffset = 12
  static let incompatibleFeaturesOffset = 16
  static let compatibleFeaturesOffset = 24
  static let captureIDOffset = 32
  static let segmentIDOffset = 48
  static let numberOffset = 64
  static let firstSequenceOffset = 72
  static let unixTimeOffset = 80
  static let monotonicTimeOffset = 88
  static let bootIDOffset = 96
  static let allocatedSizeOffset = 112

  /// A footer and the zero that follows the last record always fit behind the events.
  static let footerReserve = 128
  /// And some events always fit behind the messages.
  static let endReserve = 1024
  /// Relative sequences are 32 bits wide; the smallest record of one frame takes 40 bytes.
  static let sizeMax = 128 << 30
  static let sizeMin = 64 << 10
}

/// What numbers of the format can be at most, so that sums of them never overflow.
enum FormatLimits {
  /// Segment numbers and sequences.
  static let countMax: UInt64 = 1 << 60
  /// Where a recording may go on: what is left then nobody can use up.
  static let countMaxToGoOn: UInt64 = countMax / 2
  /// The year 2116.
  static let unixNanoseconds: ClosedRange<Int64> = 0...1 << 62
  /// 36 years of one boot; the sign is the clock's own affair.
  static let monotonicNanoseconds: ClosedRange<Int64> = -(1 << 60)...1 << 60
}

extension SegmentHeader {
  /// Why a first page is not that of a segment this version can read.
  enum Refusal: Error {
    /// The page is still zero: reserved by the recorder, not in use yet.
    case unused
    case notASegment
    case damaged
    case newerVersion(UInt32)
    case unknownFeatures(UInt64)
  }

  /// Writes the page. In a mapped file its first 4 bytes are stored last: they publish it.
  func write(to page: UnsafeMutableRawBufferPointer) {
    precondition(page.count == SegmentLayout.headerSize, "a header is one page")
    func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
      unsafe page.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
    unsafe page.initializeMemory(as: UInt8.self, repeating: 0)
    store(SegmentLayout.magic, at: 0)
    store(SegmentLayout.version, at: SegmentLayout.versionOffset)
    if isRecycled {
      store(SegmentLayout.recycledFeature, at: SegmentLayout.compatibleFeaturesOffset)
    }
    store(captureID, at: SegmentLayout.captureIDOffset)
    store(segmentID, at: SegmentLayout.segmentIDOffset)
    store(number, at: SegmentLayout.numberOffset)
    store(firstSequence, at: SegmentLayout.firstSequenceOffset)
    store(clock.unixNanoseconds, at: SegmentLayout.unixTimeOffset)
    store(clock.monotonicNanoseconds, at: SegmentLayout.monotonicTimeOffset)
    store(clock.bootID, at: SegmentLayout.bootIDOffset)
    store(allocatedSize, at: SegmentLayout.allocatedSizeOffset)
    let check = unsafe checksum(UnsafeRawBufferPointer(page), seed: 0)
    store(check, at: SegmentLayout.checkOffset)
  }

  /// Reads and checks a first page. `isPrepared`: its first 4 bytes may not be stored yet.
  init(page: UnsafeRawBufferPointer, isPrepared: Bool = false) throws(Refusal) {
    precondition(page.count == SegmentLayout.headerSize, "a header is one page")
    func load<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
      T(littleEndian: unsafe page.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    var magic = load(UInt64.self, at: 0)
    var copy = unsafe [UInt8](page)
    if UInt32(truncatingIfNeeded: magic) == 0 {
      guard isPrepared else { throw .unused }
      magic |= SegmentLayout.magic & 0xFFFF_FFFF
      for index in 0..<4 { copy[index] = UInt8(truncatingIfNeeded: magic >> (8 * UInt64(index))) }
    }
    guard magic == SegmentLayout.magic else { throw .notASegment }

    for index in 0..<4 { copy[SegmentLayout.checkOffset + index] = 0 }
    let check = unsafe copy.withUnsafeBytes { unsafe checksum($0, seed: 0) }
    guard check == load(UInt32.self, at: SegmentLayout.checkOffset) else { throw .damaged }

    let version = load(UInt32.self, at: SegmentLayout.versionOffset)
    guard version <= SegmentLayout.version else { throw .newerVersion(version) }
    let features = load(UInt64.self, at: SegmentLayout.incompatibleFeaturesOffset)
    guard features == 0 else { throw .unknownFeatures(features) }

    let number = load(UInt64.self, at: SegmentLayout.numberOffset)
    let firstSequence = load(UInt64.self, at: SegmentLayout.firstSequenceOffset)
    let unixTime = load(Int64.self, at: SegmentLayout.unixTimeOffset)
    let monotonicTime = load(Int64.self, at: SegmentLayout.monotonicTimeOffset)
    guard number <= FormatLimits.countMax, firstSequence <= FormatLimits.countMax,
      FormatLimits.unixNanoseconds.contains(unixTime),
      FormatLimits.monotonicNanoseconds.contains(monotonicTime)
    else { throw .damaged }

    self.init(
      captureID: load(UInt128.self, at: SegmentLayout.captureIDOffset),
      segmentID: load(UInt128.self, at: SegmentLayout.segmentIDOffset),
      number: number,
      firstSequence: firstSequence,
      clock: ClockPair(
        unixNanoseconds: unixTime,
        monotonicNanoseconds: monotonicTime,
        bootID: load(UInt128.self, at: SegmentLayout.bootIDOffset)),
      allocatedSize: load(UInt64.self, at: SegmentLayout.allocatedSizeOffset),
      isRecycled: load(UInt64.self, at: SegmentLayout.compatibleFeaturesOffset)
        & SegmentLayout.recycledFeature != 0)
  }
}

extension SegmentHeader {
  /// The same for a file; nil when the segment is reserved and not in use yet.
  init?(page: UnsafeRawBufferPointer, of path: String) throws(StoreError) {
    do throws(Refusal) {
      self = unsafe try SegmentHeader(page: page)
    } catch .unused {
      return nil
    } catch .newerVersion(let version) {
      throw .newerFormat(path: path, version: Int(version))
    } catch .unknownFeatures(let bits) {
      throw .unknownFeatures(path: path, bits: bits)
    } catch .damaged {
      throw .damagedSegment(path: path, reason: "the check of its first page does not match")
    } catch {
      throw .damagedSegment(path: path, reason: "it does not start like a segment")
    }
  }

  /// Throws where a file is too short for a first page.
  static func checkRoom(_ size: Int, _ path: String) throws(StoreError) {
    guard size >= SegmentLayout.headerSize else {
      throw .damagedSegment(path: path, reason: "\(size) bytes are less than its first page")
    }
  }
}
