import Glibc
import Synchronization

/// A segment being written: made and sealed by the keeper, filled by the writer in between.
///
///     | header page | record | record | record | 0 ...        reserved ... |
///                                               ^ position                 ^ capacity
///
/// A record is complete when its length is stored, with release ordering, after everything else of
/// it. Whoever follows, in this process or another, loads the length with acquire ordering and
/// sees either zero or the whole record. The word behind the newest record is always zero.
@safe final class SegmentWriter: @unchecked Sendable {
  let path: String
  let number: UInt64
  let file: FileSystem.File
  private(set) var mapping: Mapping

  /// The end of the committed records, for threads that follow the writer.
  let committedEnd = Atomic<Int>(SegmentLayout.headerSize)

  // The writer's own state, from `start` to `retire`.
  private(set) var header: SegmentHeader?
  private var base: UnsafeMutableRawPointer
  private var position = SegmentLayout.headerSize
  private var recordLimit: Int
  private var salt: UInt32 = 0
  private var firstSequence: UInt64 = 0

  /// Creates the file and reserves its space. The first page stays zero, which marks it as unused.
  init(directory: String, number: UInt64, size: Int) throws(StoreError) {
    _ = RecordLayout.isSound
    path = "\(directory)/\(CapturePath.segmentName(number))"
    self.number = number
    file = try FileSystem.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    do throws(StoreError) {
      try FileSystem.reserve(file, path, size: size)
      mapping = try Mapping(file, path: path, size: size, writable: true)
    } catch {
      FileSystem.close(file)
      try? FileSystem.remove(path)
      throw error
    }
    unsafe base = mapping.buffer.baseAddress!
    recordLimit = size - SegmentLayout.footerReserve
  }

  deinit { FileSystem.close(file) }

  /// Makes room for one message that is larger than segments usually are. Before `start` only.
  func grow(to size: Int) throws(StoreError) {
    precondition(header == nil, "a segment grows before it is started")
    try FileSystem.reserve(file, path, size: size)
    mapping = try Mapping(file, path: path, size: size, writable: true)
    unsafe base = mapping.buffer.baseAddress!
    recordLimit = size - SegmentLayout.footerReserve
  }

  var capacity: Int { mapping.count }

  /// Bytes that records took so far, the header page included.
  var committedSize: Int { position }

  /// Writes the first page and publishes it: from here on the segment belongs to the capture.
  func start(captureID: UInt128, firstSequence: UInt64) {
    precondition(header == nil, "a segment is started once")
    let header = SegmentHeader(
      captureID: captureID, segmentID: UInt128.random(in: 1 ... .max), number: number,
      firstSequence: firstSequence, clock: .now(), allocatedSize: UInt64(capacity))
    self.header = header
    salt = header.salt
    self.firstSequence = firstSequence

    var page = [UInt8](repeating: 0, count: SegmentLayout.headerSize)
    unsafe page.withUnsafeMutableBytes { unsafe header.write(to: $0) }
    let first = UInt32(truncatingIfNeeded: SegmentLayout.magic)
    unsafe page.withUnsafeBytes { page in
      unsafe (base + 4).copyMemory(from: page.baseAddress! + 4, byteCount: page.count - 4)
    }
    storeZero(at: SegmentLayout.headerSize)
    publish(first, at: 0)
  }

  /// The parts of a record that are not its frames.
  struct Description {
    var kind: RecordKind
    var flags: UInt8 = 0
    var endpoint: UInt16 = 0
    var sequence: UInt64
    var monotonicNanoseconds: Int64
  }

  /// Appends one record; false when the segment has no room for it, and then nothing is changed.
  func append(_ record: Description, frames: Span<UnsafeRawBufferPointer>) -> Bool {
    let start = position
    let end = unsafe RecordLayout.recordEnd(startingAt: start, frames: frames)
    guard end <= recordLimit, record.sequence - firstSequence <= UInt64(UInt32.max) else {
      return false
    }
    let length = end - start
    guard length <= RecordLayout.lengthMax else { return false }

    unsafe copy(frames, toRecordAt: start)
    let bodyStart = start + RecordLayout.headerSize
    let body = unsafe UnsafeRawBufferPointer(start: base + bodyStart, count: end - bodyStart)
    let bodyCheck = unsafe checksum(body, seed: salt)

    let target = unsafe base + start
    unsafe store(bodyCheck, target, RecordLayout.bodyCheckOffset)
    unsafe store(
      UInt32(record.sequence - firstSequence), target, RecordLayout.sequenceOffset)
    unsafe store(record.monotonicNanoseconds, target, RecordLayout.timeOffset)
    unsafe store(UInt32(frames.count), target, RecordLayout.frameCountOffset)
    unsafe store(record.endpoint, target, RecordLayout.endpointOffset)
    unsafe store(record.kind.rawValue, target, RecordLayout.kindOffset)
    unsafe store(record.flags, target, RecordLayout.flagsOffset)
    let headerCheck = unsafe CheckedHeaderWords(length: UInt32(length), record: target)
      .check(salt: salt)
    unsafe store(headerCheck, target, RecordLayout.headerCheckOffset)

    storeZero(at: end)
    publish(UInt32(length).littleEndian, at: start)
    position = end
    committedEnd.store(end, ordering: .releasing)
    return true
  }

  /// The frame table and the frames; every byte between them is zero.
  private func copy(_ frames: Span<UnsafeRawBufferPointer>, toRecordAt start: Int) {
    var entry = start + RecordLayout.headerSize
    var end = unsafe entry + RecordLayout.frameEntrySize * frames.count
    for index in unsafe frames.indices {
      let frame = unsafe frames[index]
      let frameStart = RecordLayout.frameStart(after: end, count: frame.count)
      // Zero the words of the gap before the frame and the last word of it, then copy over that.
      var gap = aligned(end, to: 8)
      while gap < frameStart {
        storeZero(at: gap)
        gap += 8
      }
      end = frameStart + frame.count
      if let source = frame.baseAddress, frame.count > 0 {
        storeZero(at: (end - 1) & ~7)
        unsafe (base + frameStart).copyMemory(from: source, byteCount: frame.count)
      }
      unsafe store(UInt32(frameStart - start), base + entry, 0)
      unsafe store(UInt32(frame.count), base + entry, 4)
      entry += RecordLayout.frameEntrySize
    }
  }

  @inline(__always)
  private func store<T: FixedWidthInteger>(
    _ value: T, _ target: UnsafeMutableRawPointer, _ offset: Int
  ) {
    unsafe target.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }

  @inline(__always)
  private func storeZero(at offset: Int) {
    unsafe base.storeBytes(of: 0, toByteOffset: offset, as: UInt64.self)
  }

  @inline(__always)
  private func publish(_ word: UInt32, at offset: Int) {
    unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
      .pointee.store(word, ordering: .releasing)
  }
}

/// The last record of a sealed segment: one frame, the sequence that follows its last message.
enum SegmentFooter {
  static let recordSize = RecordLayout.headerSize + RecordLayout.frameEntrySize + 8
}

extension SegmentWriter {
  /// Ends the segment: footer, size cut to the end, bytes and size on stable storage.
  ///
  /// The writer is done with it. Followers never read behind a footer, so cutting is safe.
  func seal(nextSequence: UInt64) throws(StoreError) {
    precondition(header != nil, "only a started segment is sealed")
    recordLimit = capacity
    let footer = nextSequence.littleEndian
    let isAppended = unsafe withUnsafeBytes(of: footer) { bytes in
      let frame = unsafe [UnsafeRawBufferPointer(bytes)]
      let description = Description(
        kind: .footer, sequence: nextSequence,
        monotonicNanoseconds: CaptureClock.monotonicNanoseconds())
      return unsafe append(description, frames: frame.span)
    }
    precondition(isAppended, "the room of the footer is reserved")
    try FileSystem.truncate(file, path, size: committedSize)
    try FileSystem.synchronize(file, path)
  }

  /// Removes a segment that was reserved and never started.
  func discard() throws(StoreError) {
    precondition(header == nil, "a started segment belongs to the capture")
    try FileSystem.remove(path)
  }
}
