private import CLinux
import Glibc
import Synchronization

/// A segment file mapped for reading, complete or still being written.
///
/// The records in it are reached by `SegmentCursor`; their frames are lent in place.
@safe public final class Segment: @unchecked Sendable {
  public let path: String
  private let files: FileSystem
  public let header: SegmentHeader
  /// Bytes of the mapping; a segment being written has more of them than records.
  public let size: Int
  let mapping: Mapping
  @usableFromInline let base: UnsafeRawPointer
  /// Of a ring: open for as long as it is mapped, since the lock on it goes with it.
  private let lockedFile: OpenedFile?

  /// Maps a segment; nil when it is reserved by a recorder and not in use yet. One of a ring is
  /// locked, so that its file is not used again while it is mapped.
  ///
  /// Throws `damagedSegment`, `newerFormat` or `unknownFeatures` by what the first page says, and
  /// an error that `isVanished` where it made room meanwhile.
  package init?(
    path: String, ofRing: Bool = false, files: FileSystem = .system
  ) throws(StoreError) {
    self.path = path
    self.files = files
    let opened = try OpenedFile(path, O_RDONLY, files: files)
    let file = opened.descriptor
    if ofRing { try Self.lock(file, path, files) }
    lockedFile = ofRing ? opened : nil
    let size = try files.size(file, path)
    if size == 0 { return nil }
    try SegmentHeader.checkRoom(size, path)
    self.size = size
    mapping = try Mapping(file, path: path, size: size, writable: false, files: files)
    unsafe base = UnsafeRawPointer(mapping.buffer.baseAddress!)

    let page = unsafe UnsafeRawBufferPointer(start: base, count: SegmentLayout.headerSize)
    guard let header = unsafe try SegmentHeader(page: page, of: path) else { return nil }
    self.header = header
    // Grown for one large message, and started, since its size was read: its time comes.
    if try files.size(file, path) > size { return nil }
  }

  /// Maps a recycled file that is prepared and not in use; nil when it is none.
  init?(prepared path: String, files: FileSystem) throws(StoreError) {
    self.path = path
    self.files = files
    lockedFile = nil
    let opened = try OpenedFile(path, O_RDONLY, files: files)
    let size = try files.size(opened.descriptor, path)
    guard size >= SegmentLayout.headerSize else { return nil }
    self.size = size
    mapping = try Mapping(
      opened.descriptor, path: path, size: size, writable: false, files: files)
    unsafe base = UnsafeRawPointer(mapping.buffer.baseAddress!)
    let page = unsafe UnsafeRawBufferPointer(start: base, count: SegmentLayout.headerSize)
    guard let header = unsafe try? SegmentHeader(page: page, isPrepared: true), header.isRecycled
    else { return nil }
    self.header = header
  }

  /// Makes sure that a file is still the one of that name, and stays it.
  private static func lock(
    _ file: FileSystem.File, _ path: String, _ files: FileSystem
  ) throws(StoreError) {
    let isLocked = try files.lock(file, path, shared: true)
    guard isLocked, try files.metadata(file, path).inode == files.metadata(path)?.inode else {
      throw .system(operation: "open", path: path, code: ENOENT)
    }
  }

  /// The whole file.
  @inlinable
  public var bytes: RawSpan {
    @_lifetime(borrow self) get {
      let span = unsafe RawSpan(_unsafeStart: base, byteCount: size)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// One frame of a record of this segment, in place.
  ///
  /// The bounds are checked against the record, whatever the table says: nil when they do not fit.
  @_lifetime(borrow self)
  public func frame(_ index: Int, of record: RecordHeader) -> RawSpan? {
    guard let range = frameRange(index, of: record) else { return nil }
    return bytes.extracting(range)
  }

  /// The whole record, header and padding included: what a copy of it must contain.
  @_lifetime(borrow self)
  public func bytes(of record: RecordHeader) -> RawSpan {
    bytes.extracting(record.offset..<record.end)
  }

  /// Where a frame lies, as offsets in the segment; nil when the table says something impossible.
  public func frameRange(_ index: Int, of record: RecordHeader) -> Range<Int>? {
    precondition(index >= 0 && index < record.frameCount, "a frame that the record has")
    precondition(record.end <= size, "a record of this segment")
    let entry = record.offset + RecordLayout.headerSize + RecordLayout.frameEntrySize * index
    guard entry + RecordLayout.frameEntrySize <= record.end else { return nil }
    let offset = Int(load(UInt32.self, at: entry))
    let count = Int(load(UInt32.self, at: entry + 4))
    guard offset <= record.length, count <= record.length - offset else { return nil }
    let start = record.offset + offset
    return start..<start + count
  }

  /// What a frame table says, in one pass.
  package struct FrameSummary {
    /// Where the first frame lies, as `frameRange` says.
    package fileprivate(set) var first: Range<Int>?
    /// A bit for each of the first 32 frames that has no bytes, or lies where none can.
    package fileprivate(set) var empties: UInt32 = 0
    /// Of all frames.
    package fileprivate(set) var bytes = 0
  }

  @inline(__always)
  package func frames(of record: RecordHeader) -> FrameSummary {
    let tableSize = RecordLayout.frameEntrySize &* record.frameCount
    precondition(
      record.end <= size && tableSize <= record.length &- RecordLayout.headerSize,
      "a record of this segment")
    var summary = FrameSummary()
    var bit: UInt32 = 1
    for index in 0..<record.frameCount {
      let entry = load(
        UInt64.self,
        at: record.offset &+ RecordLayout.headerSize &+ RecordLayout.frameEntrySize &* index)
      // Two numbers of 32 bits each: their sums do not overflow.
      let (offset, count) = (Int(entry & 0xFFFF_FFFF), Int(entry >> 32))
      let isThere = offset &+ count <= record.length
      if isThere && index == 0 {
        let start = record.offset &+ offset
        summary.first = start..<start &+ count
      }
      if isThere { summary.bytes &+= count }
      if !isThere || count == 0 { summary.empties |= bit }
      bit &<<= 1
    }
    return summary
  }

  /// Appends where the frames of a record lie in memory. Returns their bytes; nil, and appends
  /// nothing, where the table says something impossible.
  package func appendFrames(
    of record: RecordHeader, to frames: inout [UnsafeRawBufferPointer]
  ) -> Int? {
    let tableSize = RecordLayout.frameEntrySize &* record.frameCount
    precondition(
      record.end <= size && tableSize <= record.length &- RecordLayout.headerSize,
      "a record of this segment")
    let start = unsafe base + record.offset
    let (frameCount, length) = (record.frameCount, record.length)
    var bytes: Int? = 0
    unsafe frames.append(addingCapacity: frameCount) { span in
      var sum = 0
      for index in 0..<frameCount {
        let entry = unsafe start.loadWord(
          UInt64.self, at: RecordLayout.headerSize &+ RecordLayout.frameEntrySize &* index)
        // Two numbers of 32 bits each: their sums do not overflow.
        let (offset, count) = (Int(entry & 0xFFFF_FFFF), Int(entry >> 32))
        guard offset &+ count <= length else {
          unsafe span.removeAll()
          bytes = nil
          return
        }
        sum &+= count
        unsafe span.append(UnsafeRawBufferPointer(start: start + offset, count: count))
      }
      bytes = sum
    }
    return bytes
  }

  /// Reads pages in: now, so that later accesses do not wait.
  public func populate(_ range: Range<Int>) throws(StoreError) {
    try mapping.advise(range.clamped(to: 0..<size), .populateForReading)
  }

  /// Has pages read from the disk in the background, where they are not in memory. Returns the offset
  /// up to which it asked, which is where the next call starts.
  ///
  /// In small requests: the system cuts each to what it reads ahead of a file, often 128 KiB, or to
  /// what the disk takes at once, whichever is more, and drops the rest. Source: `madvise(2)`.
  package func readAhead(from start: Int, to end: Int) -> Int {
    var asked = start & ~(Self.readAheadRequest - 1)
    while asked < min(end, size) {
      try? mapping.advise(asked..<min(asked + Self.readAheadRequest, size), .willNeed)
      asked += Self.readAheadRequest
    }
    return max(asked, start)
  }

  private static let readAheadRequest = 128 << 10

  /// Gives pages back that were read. Who needs them again faults them in.
  package func giveBack(_ range: Range<Int>) {
    try? mapping.advise(range.clamped(to: 0..<size), .unused)
  }

  // What the cursor reads, all of it inside the mapping by its own checks.

  func load<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T {
    assert(offset >= 0 && offset + MemoryLayout<T>.size <= size)
    return unsafe base.loadWord(type, at: offset)
  }

  /// The length word of a record, with acquire ordering: what it covers is complete.
  func loadLength(at offset: Int) -> UInt32 {
    assert(offset >= 0 && offset + 4 <= size && offset % 8 == 0)
    let word = unsafe UnsafeMutableRawPointer(mutating: base + offset)
    return unsafe UInt32(
      littleEndian: word.assumingMemoryBound(to: Atomic<UInt32>.self)
        .pointee.load(ordering: .acquiring))
  }

  /// The record at an offset, if a valid header stands there; `length` is what `loadLength` said.
  @inline(__always)
  func record(at offset: Int, length: UInt32) -> RecordHeader? {
    let count = Int(length)
    guard count >= RecordLayout.headerSize, count % RecordLayout.alignment == 0,
      count <= size - offset
    else { return nil }
    let record = unsafe base + offset
    guard
      unsafe record.loadWord(UInt32.self, at: RecordLayout.headerCheckOffset)
        == CheckedHeader(length: length, record: record).check(salt: header.salt)
    else { return nil }
    let frameCount = Int(unsafe record.loadWord(UInt32.self, at: RecordLayout.frameCountOffset))
    guard frameCount <= (count - RecordLayout.headerSize) / RecordLayout.frameEntrySize else {
      return nil
    }
    let time = unsafe record.loadWord(Int64.self, at: RecordLayout.timeOffset)
    guard FormatLimits.monotonicNanoseconds.contains(time) else { return nil }
    let relative = unsafe record.loadWord(UInt32.self, at: RecordLayout.sequenceOffset)
    let kind = RecordKind(
      rawValue: unsafe record.loadWord(UInt8.self, at: RecordLayout.kindOffset))
    // A footer behind so many messages could not say what comes next.
    guard kind != .data || relative < UInt32.max else { return nil }
    return RecordHeader(
      offset: offset,
      length: count,
      kind: kind,
      flags: unsafe record.loadWord(UInt8.self, at: RecordLayout.flagsOffset),
      endpoint: unsafe record.loadWord(UInt16.self, at: RecordLayout.endpointOffset),
      frameCount: frameCount,
      sequence: header.firstSequence &+ UInt64(relative),
      monotonicNanoseconds: time,
      bodyCheck: unsafe record.loadWord(UInt32.self, at: RecordLayout.bodyCheckOffset))
  }

  /// Has the processor fetch what may be a header, its frame table and a topic: two cache lines. Any
  /// offset may be asked for.
  @inline(__always)
  func prefetchRecord(at offset: Int) {
    unsafe prefetch_line(base + offset)
    unsafe prefetch_line(base + offset + 64)
  }

  @inline(__always)
  func isBodyGood(_ record: RecordHeader) -> Bool {
    bodyCheck(record.offset + RecordLayout.headerSize..<record.end) == record.bodyCheck
  }

  /// What a search found.
  struct Search {
    /// The first place where a header's check is good.
    var header: Int?
    /// Where what is not zero ends, to the next multiple of 8; the start when all is zero.
    var contentEnd: Int
    /// The file could not be read: then all of it may be content.
    var failure: StoreError?
  }

  /// Looks for a header from `start` on, a multiple of 8.
  ///
  /// Reads the file and not the mapping: a recorder that seals the segment meanwhile cuts it, and
  /// what is mapped behind the cut must not be touched.
  func search(from start: Int) -> Search {
    var result = Search(contentEnd: start)
    do throws(StoreError) {
      let file = try openedFile()
      try search(file.descriptor, from: start, &result)
    } catch {
      result.failure = error
      result.contentEnd = size & ~7
    }
    // What has no header of this segment may be what the file held before.
    if header.isRecycled && result.header == nil { result.contentEnd = start }
    return result
  }

  /// The footer at the end of the file as it is now; nil where none is.
  func lastFooter() throws(StoreError) -> SegmentFooter? {
    let file = try openedFile()
    return try files.footer(file.descriptor, path, of: header)
  }

  /// Whether the file is shorter than it was when it was mapped, and not because it was sealed. One that
  /// has lost its name is whole: its pages are there for as long as it is mapped.
  var isCut: Bool {
    get throws(StoreError) {
      guard let now = try files.metadata(path)?.size, now < size else { return false }
      return try lastFooter() == nil
    }
  }

  /// One of a ring may have lost its name meanwhile.
  private func openedFile() throws(StoreError) -> OpenedFile {
    if let lockedFile { return lockedFile }
    return try OpenedFile(path, O_RDONLY, files: files)
  }

  private func search(
    _ file: FileSystem.File, from start: Int, _ result: inout Search
  ) throws(StoreError) {
    // Small at first: most damage is short, and a hostile file has many places of it.
    var chunk = [UInt8](repeating: 0, count: 4096)
    var offset = start
    while offset < size {
      // What is zero is no header, so none begins in front of that.
      guard let data = files.dataStart(file, from: offset) else { return }
      offset = max(offset, data & ~(RecordLayout.alignment - 1))
      let count = try files.read(file, path, at: offset, into: &chunk)
      let last = count - RecordLayout.headerSize
      guard count > 0 else { break }
      unsafe chunk.withUnsafeBytes { bytes in
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<count])
        if unsafe isZero(bytes) { return }
        for place in stride(from: 0, to: count, by: RecordLayout.alignment) {
          let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[place...])
          // The last word of a file that was cut can be a shorter one.
          let isEmpty =
            unsafe rest.count >= 8
            ? rest.loadUnaligned(as: UInt64.self) == 0 : isZero(rest)
          if isEmpty { continue }
          result.contentEnd = max(result.contentEnd, offset + place + min(8, rest.count))
          guard place <= last else { continue }
          if unsafe isHeader(rest.baseAddress!, roomLeft: size - offset - place) {
            result.header = offset + place
            return
          }
        }
      }
      if result.header != nil || last < 0 { return }
      offset += aligned(last + 1, to: RecordLayout.alignment)
      if chunk.count < 1 << 20 { chunk = [UInt8](repeating: 0, count: chunk.count * 2) }
    }
  }

  private func isHeader(_ record: UnsafeRawPointer, roomLeft: Int) -> Bool {
    let length = UInt32(littleEndian: unsafe record.load(as: UInt32.self))
    guard length >= RecordLayout.headerSize, length % UInt32(RecordLayout.alignment) == 0,
      Int(length) <= roomLeft
    else { return false }
    let check = unsafe record.load(fromByteOffset: RecordLayout.headerCheckOffset, as: UInt32.self)
    return unsafe CheckedHeader(length: length, record: record).check(salt: header.salt)
      == UInt32(littleEndian: check)
  }

  func bodyCheck(_ range: Range<Int>) -> UInt32 {
    let body = unsafe UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    return unsafe checksum(body, seed: header.salt)
  }
}
