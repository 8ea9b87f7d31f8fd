private import CLinux
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
  private let files: FileSystem
  private let openedFile: OpenedFile
  private var file: FileSystem.File { openedFile.descriptor }
  private(set) var mapping: Mapping
  /// Random, as every segment's: chosen before it is needed.
  private let segmentID = UInt128.random(in: 1 ... .max)
  /// The file was another segment before.
  private let isRecycled: Bool

  // For threads that follow the writer. It stores them in this order, they load them backwards:
  // so an end goes with the sequence, or lies behind it.

  /// The end of the committed records.
  let committedEnd = Atomic<Int>(SegmentLayout.headerSize)
  /// The end of the last one that is not a checkpoint: what is worth a sync.
  let contentEnd = Atomic<Int>(SegmentLayout.headerSize)
  /// The sequence that follows them.
  let committedSequence = Atomic<UInt64>(0)
  /// Its messages make room in a ring: to seal it any further is a waste.
  let isUnwanted = Atomic<Bool>(false)
  /// A page of it could not be had: to write there is SIGBUS.
  let lacksPages = Atomic<Bool>(false)

  /// The populating thread's own.
  private(set) var bringsInBulk = false
  /// The syncing thread's own: up to here everything is on stable storage.
  private var synchronizedEnd = 0
  /// The same: the file was cut to what is in it.
  private var isCut = false

  // The writer's own state, from `start` to `retire`.
  private(set) var header: SegmentHeader?
  private var base: UnsafeMutableRawPointer
  private var position = SegmentLayout.headerSize
  private var salt: UInt32 = 0
  private(set) var firstSequence: UInt64 = 0

  /// Creates the file and reserves its space. The first page stays zero, which marks it as unused.
  convenience init(
    directory: String, number: UInt64, size: Int, files: FileSystem = .system
  ) throws(StoreError) {
    let path = "\(directory)/\(CapturePath.segmentName(number))"
    try self.init(path: path, number: number, size: size, files: files)
  }

  /// The same under any name.
  init(path: String, number: UInt64, size: Int, files: FileSystem) throws(StoreError) {
    _ = RecordLayout.isSound
    self.path = path
    self.number = number
    self.files = files
    isRecycled = false
    openedFile = try OpenedFile(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600, files: files)
    let file = openedFile.descriptor
    do throws(StoreError) {
      try files.reserve(file, path, size: size)
      try files.synchronize(file, path)
      mapping = try Mapping(file, path: path, size: size, writable: true, files: files)
      try? mapping.advise(0..<size, .onePageAtATime)
    } catch {
      try? files.remove(path)
      throw error
    }
    unsafe base = mapping.buffer.baseAddress!
  }

  /// Another segment in the file and the mapping of one that nobody needs any more.
  private init(takingOver old: SegmentWriter, path: String, number: UInt64) {
    self.path = path
    self.number = number
    files = old.files
    isRecycled = true
    openedFile = old.openedFile
    mapping = old.mapping
    bringsInBulk = old.bringsInBulk
    unsafe base = old.base
  }

  /// Makes room for one message that is larger than segments usually are. Before `start` only.
  func grow(to size: Int) throws(StoreError) {
    precondition(header == nil, "a segment grows before it is started")
    try files.reserve(file, path, size: size)
    try files.synchronize(file, path)
    mapping = try Mapping(file, path: path, size: size, writable: true, files: files)
    bringsInBulk = false
    bringPages(inBulk: true)
    unsafe base = mapping.buffer.baseAddress!
  }

  /// When it was started, on the monotonic clock.
  var startTime: Int64 { header?.clock.monotonicNanoseconds ?? 0 }

  var capacity: Int { mapping.count }

  /// Bytes of the file. For the thread that seals it, and for those that hear from it.
  var fileSize: Int { isCut ? committedSize : capacity }

  /// Bytes that records took so far, the header page included.
  var committedSize: Int { position }

  /// Writes the first page and publishes it: from here on the segment belongs to the capture.
  func start(captureID: UInt128, firstSequence: UInt64) {
    precondition(header == nil, "a segment is started once")
    let header = makeHeader(captureID: captureID, firstSequence: firstSequence)
    self.header = header
    salt = header.salt
    self.firstSequence = firstSequence
    committedSequence.store(firstSequence, ordering: .relaxed)
    store(header)
    storeZero(at: SegmentLayout.headerSize)
    publish(UInt32(truncatingIfNeeded: SegmentLayout.magic), at: 0)
  }

  private func makeHeader(captureID: UInt128, firstSequence: UInt64) -> SegmentHeader {
    SegmentHeader(
      captureID: captureID, segmentID: segmentID, number: number, firstSequence: firstSequence,
      clock: .now(), allocatedSize: UInt64(capacity), isRecycled: isRecycled)
  }

  /// Stores the first page but for its first 4 bytes, and the next 4 last: until then a page that is
  /// used again says so.
  private func store(_ header: SegmentHeader) {
    var page = [UInt8](repeating: 0, count: SegmentLayout.headerSize)
    unsafe page.withUnsafeMutableBytes { unsafe header.write(to: $0) }
    unsafe page.withUnsafeBytes { page in
      unsafe (base + 8).copyMemory(from: page.baseAddress! + 8, byteCount: page.count - 8)
    }
    publish(UInt32(truncatingIfNeeded: SegmentLayout.magic >> 32), at: 4)
  }

  /// Takes a segment out of use, by one store: its file is about to be another one.
  private func withdraw() {
    unsafe base.assumingMemoryBound(to: Atomic<UInt64>.self)
      .pointee.store(SegmentLayout.withdrawnMagic.littleEndian, ordering: .releasing)
  }

  typealias Description = RecordDescription

  /// Appends one record; false when the segment has no room for it, and then nothing is changed.
  func append(_ record: Description, frames: Span<UnsafeRawBufferPointer>) -> Bool {
    let start = position
    let end = unsafe RecordLayout.recordEnd(startingAt: start, frames: frames)
    let next = record.kind == .data ? record.sequence + 1 : record.sequence
    guard end <= recordLimit(of: record.kind), next - firstSequence <= UInt64(UInt32.max)
    else {
      return false
    }
    let length = end - start
    guard length <= RecordLayout.lengthMax else { return false }

    unsafe copy(frames, toRecordAt: start)
    let bodyStart = start + RecordLayout.headerSize
    let body = unsafe UnsafeRawBufferPointer(start: base + bodyStart, count: end - bodyStart)
    let bodyCheck = unsafe checksum(body, seed: salt)

    unsafe record.writeHeader(
      to: base + start, length: length, frameCount: frames.count, bodyCheck: bodyCheck,
      firstSequence: firstSequence, salt: salt)

    prefetch(length, from: end + Self.prefetchDistance)
    storeZero(at: end)
    publish(UInt32(length).littleEndian, at: start)
    position = end
    committedEnd.store(end, ordering: .releasing)
    if record.kind != .checkpoint { contentEnd.store(end, ordering: .releasing) }
    committedSequence.store(next, ordering: .releasing)
    return true
  }

  /// Messages leave room for the events that tell why there are no more, and those for the footer.
  @inline(__always)
  private func recordLimit(of kind: RecordKind) -> Int {
    switch kind {
    case .footer: capacity
    case .event: capacity - SegmentLayout.footerReserve
    default: capacity - SegmentLayout.endReserve
    }
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
      // Both halves in one store: the check reads them as one word, and what lies in two stores has to
      // be in the cache before it can be read, behind all that was stored before.
      unsafe base.storeWord(UInt64(frameStart - start) | UInt64(frame.count) << 32, at: entry)
      entry += RecordLayout.frameEntrySize
    }
  }

  @inline(__always)
  private func storeZero(at offset: Int) {
    unsafe base.storeBytes(of: 0, toByteOffset: offset, as: UInt64.self)
  }

  /// Asks for as many lines as a record like this one has, which later ones will be stored to. A store to
  /// one that no cache has is the most expensive of a small record: it was a third of `append`. Large
  /// ones are copied, and there the processor asks by itself.
  @inline(__always)
  private func prefetch(_ length: Int, from offset: Int) {
    unsafe prefetch_line(base + offset)
    unsafe prefetch_line(base + offset + 64)
    if length > 128 { unsafe prefetch_line(base + offset + 128) }
    if length > 192 { unsafe prefetch_line(base + offset + 192) }
  }

  private static let prefetchDistance = 512

  @inline(__always)
  private func publish(_ word: UInt32, at offset: Int) {
    unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
      .pointee.store(word, ordering: .releasing)
  }
}

extension SegmentWriter {
  /// Faults pages in for writing; throws where a store to them would be SIGBUS. For any thread.
  ///
  /// In bulk, for reading first: where the system does not map 2 MiB at once, that brings many pages
  /// at once all the same, and a fault for writing brings each by itself.
  ///
  /// A kernel before 5.14 cannot: then the writer takes the faults itself. EFAULT tells what would
  /// have been SIGBUS. Source: `madvise(2)`.
  func populate(_ range: Range<Int>, inBulk: Bool = false) throws(StoreError) {
    do throws(StoreError) {
      if inBulk { try mapping.advise(range, .populateForReading) }
      try mapping.advise(range, .populateForWriting)
    } catch .system(let operation, let path, EFAULT) {
      lacksPages.store(true, ordering: .relaxed)
      throw .system(operation: operation, path: path, code: EFAULT)
    } catch {
      return
    }
  }

  /// Whether pages are brought in bulk from now on: in 68 ms for 256 MiB instead of 930, and in 8
  /// where they were used before. The system then takes 2 MiB for one page, and a sync after each
  /// second of slow traffic would write all of it. For the thread that populates.
  func bringPages(inBulk: Bool) {
    guard inBulk != bringsInBulk else { return }
    bringsInBulk = inBulk
    try? mapping.advise(0..<capacity, inBulk ? .manyPagesAtOnce : .onePageAtATime)
  }

  /// Puts what is committed on stable storage. Returns up to where; nil when nothing is new.
  ///
  /// For one thread, which is not the writer's.
  func synchronize() throws(StoreError) -> RecordPlace? {
    let sequence = committedSequence.load(ordering: .acquiring)
    let end = contentEnd.load(ordering: .acquiring)
    guard end > synchronizedEnd else { return nil }
    try mapping.synchronize(synchronizedEnd..<end)
    synchronizedEnd = end
    return RecordPlace(segment: number, offset: end, sequence: sequence)
  }

  /// Ends the segment: its bytes on stable storage, then footer, size cut to the end, and synced.
  /// So a footer that is found after a power loss says that everything before it is there.
  ///
  /// The writer is done with it. Followers never read behind a footer, so cutting is safe.
  ///
  /// False: it is unwanted, and stays as it is.
  @discardableResult
  func seal(nextSequence: UInt64) throws(StoreError) -> Bool {
    precondition(header != nil, "only a started segment is sealed")
    guard try synchronizeInSteps() else { return false }
    try files.synchronize(file, path)
    // Where space ran out against its promise, that is an error now, and SIGBUS below.
    try populate(position..<position + SegmentFooter.recordSize)
    let footer = SegmentFooter(nextSequence: nextSequence)
    let isAppended = unsafe footer.withFrames { frames in
      let description = Description(
        kind: .footer, sequence: nextSequence,
        monotonicNanoseconds: CaptureClock.monotonicNanoseconds())
      return unsafe append(description, frames: frames)
    }
    precondition(isAppended, "the room of the footer is reserved")
    try files.truncate(file, path, size: committedSize)
    isCut = true
    try files.synchronize(file, path)
    return true
  }

  /// So much is synced at once of a segment that may become unwanted meanwhile.
  private static let syncStep = 16 << 20

  /// The most of it, so that an unwanted one is left soon. False: it is unwanted.
  private func synchronizeInSteps() throws(StoreError) -> Bool {
    while position - synchronizedEnd > Self.syncStep {
      if isUnwanted.load(ordering: .relaxed) { return false }
      let end = synchronizedEnd + Self.syncStep
      try mapping.synchronize(synchronizedEnd..<end)
      synchronizedEnd = end
    }
    return !isUnwanted.load(ordering: .relaxed)
  }

  /// Removes a segment that was reserved and never started.
  func discard() throws(StoreError) {
    precondition(header == nil, "a started segment belongs to the capture")
    try files.remove(path)
  }
}

// MARK: - Recycling

extension SegmentWriter {
  /// Makes the next segment of the file of this one, which has been retired and is not needed any
  /// more. Its pages are in memory already (`isInMemory`): that is what makes it worth it.
  ///
  /// nil where its file must stay as it is, since somebody reads it (who does holds a shared lock)
  /// or has given it another name; and where it does not work out, and then it may be gone.
  ///
  /// The first page is prepared, and on stable storage, before the file gets its new name: so it is
  /// never taken for a segment that it is not. It says that it is prepared, and with which salt
  /// records will come: what else is in the file means nothing.
  func recycled(
    in directory: String, number: UInt64, size: Int
  ) -> SegmentWriter? {
    // Looked at before the lock, too: one of another capture is never locked, not for a moment,
    // or who opens that one would find it in use.
    guard capacity == size, let header, hasOneName, (try? files.lock(file, path)) == true else {
      return nil
    }
    defer { try? files.unlock(file, path) }
    guard hasOneName else { return nil }
    let newPath = "\(directory)/\(CapturePath.segmentName(number))"
    let next = SegmentWriter(takingOver: self, path: newPath, number: number)
    withdraw()
    next.store(next.makeHeader(captureID: header.captureID, firstSequence: 0))
    do throws(StoreError) {
      try mapping.synchronize(0..<SegmentLayout.headerSize)
      try files.rename(path, to: newPath)
      try files.reserve(file, newPath, size: size)
      return next
    } catch {
      for path in [path, newPath] { try? files.remove(path) }
      return nil
    }
  }

  /// Whether what is in its file is in memory, by a sample of the pages. A store to one that is not
  /// reads it from the disk first: that takes longer than a page of a new file, and it may fail.
  var isInMemory: Bool {
    let size = SegmentLayout.headerSize
    let pages = (committedSize + size - 1) / size
    let sample = min(pages, Self.sampleMax)
    var gone = 0
    for index in 0..<sample {
      let start = index * pages / sample * size
      let page = unsafe UnsafeMutableRawBufferPointer(
        rebasing: mapping.buffer[start..<start + size])
      // Where it cannot be told, it is as it always was.
      if unsafe (try? files.isInMemory(page, path)) == false { gone += 1 }
    }
    return gone * Self.sampleMax <= sample * Self.goneMax
  }

  /// So many pages are looked at, of which so many may be gone.
  private static let sampleMax = 64
  private static let goneMax = 4

  private var hasOneName: Bool { (try? files.metadata(file, path).links) == 1 }
}
