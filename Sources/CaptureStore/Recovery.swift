import Glibc

/// Ends what a recorder left unended, so that the capture is whole again and can be gone on with.
///
/// A segment without a footer is ended at its last valid record: what is torn behind it is kept
/// aside in a file of its own (`NNNNNNNNNNNN.zseg.torn`), never guessed at. Damage between valid
/// records stays where it is. What was found is told by events in a segment of their own. The
/// order of the steps makes it safe to be interrupted: told, kept aside, ended. An index that may
/// know what is lost is removed before. Recovering a capture that is whole changes nothing.
public struct Recovery: Sendable {
  /// A segment that was ended.
  public struct Ending: Hashable, Sendable {
    public var segment: UInt64
    /// Where its valid records end.
    public var offset: Int
    /// The sequence that follows its last message, lost ones included.
    public var nextSequence: UInt64
    /// Bytes behind the end that are no record, kept aside.
    public var tornBytes: Int
    /// Bytes between valid records that are none.
    public var damagedBytes: Int
    /// Of the torn and the damaged ones, and of what is not there at all, those before the last
    /// checkpoint: they had been on stable storage, so this is not the tear of a power loss.
    public var corruptBytes: Int
    /// Messages that can be told to be missing, by their sequences.
    public var messagesMissing: UInt64

    /// Whether nothing of it was lost that can be seen.
    public var isClean: Bool { tornBytes == 0 && damagedBytes == 0 && messagesMissing == 0 }
  }

  public internal(set) var endings: [Ending] = []
  /// Files that were reserved and never used, and are gone.
  public internal(set) var filesRemoved = 0
  /// Segments that cannot be read and were left alone, or that were kept aside.
  public internal(set) var unreadable: [StoreError] = []

  /// How long it took.
  public internal(set) var nanoseconds: Int64 = 0

  /// Whether there was anything to do.
  public var isNeeded: Bool { !endings.isEmpty || filesRemoved > 0 || !unreadable.isEmpty }

  /// The number of the segment that a recording would go on with, and its first sequence.
  var nextNumber: UInt64 = 0
  var nextSequence: UInt64 = 0

  /// Recovers a capture. Throws `captureInUse` while it is being recorded, `system`, and what
  /// says that it was written by a later version.
  public static func recover(_ capture: Capture) throws(StoreError) -> Recovery {
    let lock = try CaptureLock(capture.path, capture.files)
    defer { withExtendedLifetime(lock) {} }
    return try recoverLocked(capture)
  }

  /// The same for whoever holds the lock.
  static func recoverLocked(_ capture: Capture) throws(StoreError) -> Recovery {
    let begun = CaptureClock.monotonicNanoseconds()
    try capture.checkVersions()
    var recovery = Recovery()
    var unended: [UnendedSegment] = []
    var endedBehind: [Segment] = []
    let mayHaveLostPower = try capture.mayHaveLostPower
    for file in try capture.segmentFiles() {
      recovery.nextNumber = max(recovery.nextNumber, file.number + 1)
      do throws(StoreError) {
        guard let segment = try capture.openSegment(file.path) else {
          try recovery.setAsideUnused(file, capture)
          continue
        }
        guard segment.header.captureID == capture.manifest.captureID,
          segment.header.number == file.number
        else {
          throw .damagedSegment(path: file.path, reason: "it belongs elsewhere")
        }
        if let next = segment.footerNextSequence {
          recovery.nextSequence = max(recovery.nextSequence, next)
          if !unended.isEmpty { endedBehind.append(segment) }
        } else {
          let found = try UnendedSegment(examining: segment, capture.files)
          recovery.nextSequence = max(recovery.nextSequence, found.ending.nextSequence)
          if !found.isEnded {
            unended.append(found)
          } else if !unended.isEmpty {
            endedBehind.append(segment)
          }
        }
      } catch .damagedSegment(let path, let reason) {
        recovery.unreadable.append(.damagedSegment(path: path, reason: reason))
      }
    }
    try removeLeftovers(capture)
    // One that is unreadable stays so: it matters while there is something to do.
    let isHarmed = !recovery.unreadable.isEmpty && (!unended.isEmpty || recovery.filesRemoved > 0)
    if mayHaveLostPower || isHarmed || unended.contains(where: { !$0.ending.isClean }) {
      try removeIndex(capture)
    }
    var told: Set<UInt64> = []
    for segment in endedBehind { told.formUnion(try segmentsToldOf(in: segment)) }
    try recovery.tell(unended.filter { !told.contains($0.ending.segment) }, capture)
    // One that was interrupted may have told, and not made sure of it.
    if !unended.isEmpty {
      try capture.files.synchronizeDirectory(CapturePath.segments(capture.path))
    }
    for segment in unended {
      try segment.keepTornBytes(capture.files)
      try segment.end(capture.files)
      recovery.endings.append(segment.ending)
    }
    recovery.nanoseconds = CaptureClock.monotonicNanoseconds() - begun
    return recovery
  }

  /// A file whose first page was never written: empty, or torn before it became a segment.
  private mutating func setAsideUnused(
    _ file: Capture.SegmentFile, _ capture: Capture
  ) throws(StoreError) {
    let files = capture.files
    if try files.contentEnd(file.path, from: 0) > 0 {
      try files.rename(file.path, to: file.path + Self.tornSuffix)
      unreadable.append(
        .damagedSegment(path: file.path, reason: "its first page was lost; kept as a .torn file"))
    } else {
      try files.remove(file.path)
    }
    try files.synchronizeDirectory(CapturePath.segments(capture.path))
    filesRemoved += 1
  }

  /// What it says of lost messages would not be noticed any more once their segments are ended.
  private static func removeIndex(_ capture: Capture) throws(StoreError) {
    let index = CapturePath.index(capture.path)
    var isThere = false
    for suffix in ["", "-wal", "-shm", "-journal"] {
      guard try capture.files.metadata(index + suffix) != nil else { continue }
      try capture.files.remove(index + suffix)
      isThere = true
    }
    if isThere { try capture.files.synchronizeDirectory(capture.path) }
  }

  /// The segments that events in this one tell to have been ended: by a recovery that was
  /// interrupted before it ended them.
  private static func segmentsToldOf(in segment: Segment) throws(StoreError) -> [UInt64] {
    var cursor = SegmentCursor(segment, verifying: .body)
    var numbers: [UInt64] = []
    while true {
      switch cursor.next() {
      case .record(let record):
        guard let event = StoredEvent(record, in: segment), event.kind == "recovered",
          let number = event.number("segment")
        else { continue }
        numbers.append(UInt64(clamping: number))
      case .damage:
        if let failure = cursor.failure { throw failure }
      case .end: return numbers
      }
    }
  }

  static let tornSuffix = ".torn"
  private static let newSuffix = ".new"

  /// What an interrupted recovery was about to name.
  private static func removeLeftovers(_ capture: Capture) throws(StoreError) {
    let directory = CapturePath.segments(capture.path)
    // A power loss may have left the manifest alone.
    guard try capture.files.metadata(directory) != nil else { return }
    for name in try capture.files.names(in: directory) where name.hasSuffix(newSuffix) {
      try capture.files.remove("\(directory)/\(name)")
    }
  }

  /// Writes a segment of events, one for each segment that is about to be ended, under a name of
  /// its own until it is whole.
  private mutating func tell(
    _ unended: [UnendedSegment], _ capture: Capture
  ) throws(StoreError) {
    guard !unended.isEmpty else { return }
    let files = capture.files
    let directory = CapturePath.segments(capture.path)
    let path = CapturePath.segment(capture.path, nextNumber)
    let events = unended.map { $0.event }
    let size = events.reduce(SegmentLayout.sizeMin) { $0 + $1.json.count + 128 }
    let segment = try SegmentWriter(
      path: path + Self.newSuffix, number: nextNumber, size: aligned(size, to: 4096), files: files)
    segment.start(captureID: capture.manifest.captureID, firstSequence: nextSequence)
    for event in events {
      let description = SegmentWriter.Description(
        kind: .event, sequence: nextSequence, monotonicNanoseconds: event.monotonicNanoseconds)
      let isAppended = unsafe event.json.withUnsafeBytes { bytes in
        let frames = unsafe [bytes]
        return unsafe segment.append(description, frames: frames.span)
      }
      precondition(isAppended, "the segment was made for these events")
    }
    try segment.seal(nextSequence: nextSequence)
    try files.rename(path + Self.newSuffix, to: path)
    try files.synchronizeDirectory(directory)
    nextNumber += 1
  }
}

/// A segment without a footer at its end, and what a walk over it found.
private struct UnendedSegment {
  let path: String
  let salt: UInt32
  let firstSequence: UInt64
  var ending: Recovery.Ending
  /// Where what is not zero ends.
  let contentEnd: Int
  /// A footer stands at the end already: only the rest of the file is to go.
  let hasFooter: Bool
  /// And there is no rest. By the walk and not by the file's last bytes, as `isSealed` is: a footer
  /// of another size ends a segment, too, and must not be ended again and again.
  let isEnded: Bool

  init(examining segment: Segment, _ files: FileSystem) throws(StoreError) {
    path = segment.path
    salt = segment.header.salt
    firstSequence = segment.header.firstSequence
    let number = segment.header.number
    var cursor = SegmentCursor(segment, verifying: .body)
    var next = firstSequence
    var held: UInt64 = 0
    var end = RecordLayout.firstOffset
    var durable = 0
    var damages: [Range<Int>] = []
    var isEnded = false
    while !isEnded {
      switch cursor.next() {
      case .record(let record):
        // Others tell what the next message has: so much was there, and is told to be missing.
        if record.kind != .data {
          next = max(next, record.sequence)
        } else if record.sequence >= next {
          held += 1
          next = record.sequence + 1
        }
        if let place = Checkpoint(record, in: segment)?.place, place.segment == number {
          durable = max(durable, place.offset)
        }
        end = record.end
      case .damage(let damage):
        if let sequence = damage.sequence { next = max(next, sequence + 1) }
        damages.append(damage.range)
      case .end(isSealed: true):
        end = cursor.offset
        next = max(next, cursor.footerNextSequence ?? next)
        isEnded = true
      case .end(isSealed: false):
        guard let damage = cursor.passOverGap() else {
          isEnded = true
          break
        }
        damages.append(damage.range)
      }
    }
    // What cannot be read now is not known to be damaged.
    if let failure = cursor.failure { throw failure }
    hasFooter = cursor.footerNextSequence != nil
    self.isEnded = hasFooter && end == segment.size
    contentEnd = hasFooter ? end : try files.contentEnd(path, from: end)
    ending = Recovery.Ending(
      segment: number, offset: end, nextSequence: next,
      tornBytes: max(0, contentEnd - end),
      damagedBytes: damages.reduce(0) { $1.upperBound <= end ? $0 + $1.count : $0 },
      corruptBytes: damages.reduce(0) { $1.lowerBound < durable ? $0 + $1.count : $0 }
        + max(0, durable - max(end, contentEnd)),
      messagesMissing: next - firstSequence - held)
  }

  /// What is told of it.
  var event: StoredEvent {
    StoredEvent(
      "recovered",
      [
        "segment": .number(Int64(ending.segment)), "offset": .number(Int64(ending.offset)),
        "next_sequence": .number(Int64(ending.nextSequence)),
        "torn_bytes": .number(Int64(ending.tornBytes)),
        "damaged_bytes": .number(Int64(ending.damagedBytes)),
        "lost": .number(Int64(ending.messagesMissing)),
        "corrupt_bytes": .number(Int64(ending.corruptBytes)),
      ])
  }

  /// Copies what stands behind the end into a file beside the segment.
  func keepTornBytes(_ files: FileSystem) throws(StoreError) {
    guard ending.tornBytes > 0 else { return }
    let source = try files.open(path, O_RDONLY)
    defer { files.close(source) }
    let target = path + Recovery.tornSuffix
    let file = try files.open(target, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    defer { files.close(file) }
    var offset = ending.offset
    while offset < contentEnd {
      var piece = [UInt8](repeating: 0, count: min(1 << 20, contentEnd - offset))
      let count = try files.read(source, path, at: offset, into: &piece)
      guard count > 0 else { break }
      piece.removeLast(piece.count - count)
      try files.write(piece, to: file, target, at: offset - ending.offset)
      offset += count
    }
    try files.synchronize(file, target)
    try files.synchronizeDirectory(FileSystem.parent(of: path))
  }

  /// Writes the footer behind the last valid record, then cuts the file there: in this order, each
  /// on stable storage before the next, so that who reads it meanwhile never goes past the cut.
  func end(_ files: FileSystem) throws(StoreError) {
    let file = try files.open(path, O_RDWR)
    defer { files.close(file) }
    var end = ending.offset
    if !hasFooter {
      let footer = SegmentFooter(nextSequence: ending.nextSequence)
        .record(firstSequence: firstSequence, salt: salt)
      try files.synchronize(file, path)
      try files.write(footer, to: file, path, at: end)
      try files.synchronize(file, path)
      end += footer.count
    }
    try files.truncate(file, path, size: end)
    try files.synchronize(file, path)
  }
}
