import CXXHash

// A record of a segment: header, frame table, frames. Format.md is the normative text.
//
//   0        4        8        12       16                24       28    30   31   32
//   | length | header | body   | seq    | monotonic ns    | frames | end | ki | fl |
//   |        | check  | check  | (rel.) |                 | count  | pt  | nd | ag |

/// What a record holds. Readers skip kinds they do not know.
public struct RecordKind: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// A message as it was received.
  public static let data = RecordKind(rawValue: 1)
  /// Something that happened to the recording, as one frame of JSON.
  public static let event = RecordKind(rawValue: 2)
  /// Both clocks read at one moment.
  public static let clock = RecordKind(rawValue: 3)
  /// Everything before it is on stable storage.
  public static let checkpoint = RecordKind(rawValue: 4)
  /// The last record of a sealed segment.
  public static let footer = RecordKind(rawValue: 5)
}

/// The fixed part of a record, with offsets and sequences made absolute.
public struct RecordHeader: Hashable, Sendable {
  /// Where the record starts, in bytes from the start of its segment.
  public var offset: Int
  /// Bytes of the whole record, padding included; a multiple of 8.
  public var length: Int
  public var kind: RecordKind
  public var flags: UInt8
  /// The manifest's id of the endpoint that the message came from.
  public var endpoint: UInt16
  public var frameCount: Int
  /// Ordinal of this message in the capture; for other kinds, of the next message.
  public var sequence: UInt64
  /// When the message was taken from its socket, on the monotonic clock of its segment's boot. Small
  /// messages that are taken together, within some microseconds, may share one time.
  public var monotonicNanoseconds: Int64
  var bodyCheck: UInt32

  /// Where the next record starts.
  public var end: Int { offset + length }
}

/// Sizes, offsets and limits of records, and the relations that must hold between them.
public enum RecordLayout {
  /// Bytes of the fixed header.
  public static let headerSize = 32
  /// Bytes of one entry of the frame table: u32 offset from the record's start, u32 length.
  public static let frameEntrySize = 8
  /// Records and small frames start on multiples of this.
  public static let alignment = 8
  /// Frames of at least `largeFrameSize` start on multiples of this in the segment, so that
  /// FlatBuffers, Cap'n Proto and NumPy can read a mapped frame in place.
  public static let largeFrameAlignment = 64
  public static let largeFrameSize = 1024
  /// The largest length that u32 can hold and that is a multiple of 8.
  public static let lengthMax = Int(UInt32.max) & ~7

  static let lengthOffset = 0
  static let headerCheckOffset = 4
  static let bodyCheckOffset = 8
  static let sequenceOffset = 12
  static let timeOffset = 16
  static let frameCountOffset = 24
  static let endpointOffset = 28
  static let kindOffset = 30
  static let flagsOffset = 31

  /// Proves on first use that the fields lie back to back without a gap.
  static let isSound: Void = {
    precondition(lengthOffset == 0 && headerCheckOffset == lengthOffset + 4)
    precondition(bodyCheckOffset == headerCheckOffset + 4 && sequenceOffset == bodyCheckOffset + 4)
    precondition(timeOffset == sequenceOffset + 4 && timeOffset % 8 == 0)
    precondition(frameCountOffset == timeOffset + 8 && endpointOffset == frameCountOffset + 4)
    precondition(kindOffset == endpointOffset + 2 && flagsOffset == kindOffset + 1)
    precondition(headerSize == flagsOffset + 1 && headerSize % alignment == 0)
    precondition(largeFrameAlignment % alignment == 0 && largeFrameSize >= largeFrameAlignment)
  }()

  /// Where a frame of `count` bytes starts when the bytes before it end at `position`.
  @inline(__always)
  static func frameStart(after position: Int, count: Int) -> Int {
    aligned(position, to: count >= largeFrameSize ? largeFrameAlignment : alignment)
  }

  /// Where a record that starts at `start` ends, both as offsets in the segment.
  static func recordEnd(startingAt start: Int, frames: Span<UnsafeRawBufferPointer>) -> Int {
    var end = unsafe start + headerSize + frameEntrySize * frames.count
    for index in unsafe frames.indices {
      let count = unsafe frames[index].count
      end = frameStart(after: end, count: count) + count
    }
    return aligned(end, to: alignment)
  }
}

/// The 28 header bytes that the header check covers: the length and bytes 8 to 31.
struct CheckedHeader {
  private let length: UInt32
  private let bodyCheck: UInt32
  private let sequence: UInt32
  private let time: UInt64
  /// Frame count, endpoint, kind and flags.
  private let rest: UInt64

  /// Takes bytes 8 to 31 from a record in memory, and the length as it is or will be.
  @inline(__always)
  init(length: UInt32, record: UnsafeRawPointer) {
    self.length = length
    bodyCheck = unsafe record.loadWord(UInt32.self, at: RecordLayout.bodyCheckOffset)
    sequence = unsafe record.loadWord(UInt32.self, at: RecordLayout.sequenceOffset)
    time = unsafe record.loadWord(UInt64.self, at: RecordLayout.timeOffset)
    rest = unsafe record.loadWord(UInt64.self, at: RecordLayout.frameCountOffset)
  }

  @inline(__always)
  init(
    length: UInt32, bodyCheck: UInt32, sequence: UInt32, frameCount: UInt32,
    _ record: RecordDescription
  ) {
    self.length = length
    self.bodyCheck = bodyCheck
    self.sequence = sequence
    time = UInt64(bitPattern: record.monotonicNanoseconds)
    rest =
      UInt64(frameCount) | UInt64(record.endpoint) << 32
      | UInt64(record.kind.rawValue) << 48 | UInt64(record.flags) << 56
  }

  /// From the numbers, and not from where they were just stored: to load together what was stored
  /// apart waits until it is in the cache.
  @inline(__always)
  func check(salt: UInt32) -> UInt32 {
    let start = UInt64(length) | UInt64(bodyCheck) << 32
    let middle = UInt64(sequence) | time << 32
    return UInt32(truncatingIfNeeded: xxh3_64_of_28(start, middle, time, rest, UInt64(salt)))
  }

  /// Stores bytes 4 to 31.
  @inline(__always)
  func store(to record: UnsafeMutableRawPointer, salt: UInt32) {
    unsafe record.storeWord(check(salt: salt), at: RecordLayout.headerCheckOffset)
    unsafe record.storeWord(bodyCheck, at: RecordLayout.bodyCheckOffset)
    unsafe record.storeWord(sequence, at: RecordLayout.sequenceOffset)
    unsafe record.storeWord(time, at: RecordLayout.timeOffset)
    unsafe record.storeWord(rest, at: RecordLayout.frameCountOffset)
  }
}

/// The parts of a record that are not its frames, for whoever writes one.
struct RecordDescription {
  var kind: RecordKind
  var flags: UInt8 = 0
  var endpoint: UInt16 = 0
  var sequence: UInt64
  var monotonicNanoseconds: Int64

  /// Writes the header in front of a body that is there, all of it but the length.
  @inline(__always)
  func writeHeader(
    to target: UnsafeMutableRawPointer, length: Int, frameCount: Int, bodyCheck: UInt32,
    firstSequence: UInt64, salt: UInt32
  ) {
    let header = CheckedHeader(
      length: UInt32(length), bodyCheck: bodyCheck, sequence: UInt32(sequence - firstSequence),
      frameCount: UInt32(frameCount), self)
    unsafe header.store(to: target, salt: salt)
  }
}

extension UnsafeMutableRawPointer {
  /// Stores a number as the format has it, little-endian.
  @inline(__always)
  func storeWord<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    unsafe storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}

extension UnsafeRawPointer {
  /// Loads a number as the format has it, little-endian.
  @inline(__always)
  func loadWord<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
    T(littleEndian: unsafe loadUnaligned(fromByteOffset: offset, as: T.self))
  }
}
