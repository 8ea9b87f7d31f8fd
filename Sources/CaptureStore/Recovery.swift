import Glibc

/// Ends what a recorder left unended, so that the capture is whole again and can be gone on with.
///
/// A segment without a footer is ended at its last valid record: what is torn behind it is kept
/// aside in a file of its own (`NNNNNNNNNNNN.zseg.torn`), never guessed at. Damage between valid
/// records stays where it is. What was found is told by events in a segment of their own. The
/// order of the steps makes it safe to be interrupted: told, kept aside, ended. An index that may
/// know what is lost is removed in between; its place is given, so that what it knew is missed.
/// Recovering a capture that is whole changes nothing.
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
  /// Segments that cannot be read and were left alone, or whose files were kept aside.
  public internal(set) var unreadable: [StoreError] = []

  /// How long it took.
  public internal(set) var nanoseconds: Int64 = 0

  /// Messages that are missing in what was ended, and behind it by what its index knew.
  public var messagesMissing: UInt64 {
    endings.reduce(missingBehind) { $0 + $1.messagesMissing }
  }
  var missingBehind: UInt64 = 0

  /// Whether there was anything to do.
  public var isNeeded: Bool {
    !endings.isEmpty || filesRemoved > 0 || !unreadable.isEmpty || missingBehind > 0
  }

  /// The number of the segment that a recording would go on with, and its first sequence.
  var nextNumber: UInt64 = 0
  var nextSequence: UInt64 = 0

  /// The sequence that a recording would go on with, by what is in the segments.
  public static func nextSequence(of capture: Capture) throws(StoreError) -> UInt64 {
    try RecoverySurvey(capture).nextSequence
  }

  /// Recovers a capture. `known`: where its index stands, if there is one to be trusted; messages
  /// up to there were recorded, and are missing where they are not there.
  ///
  /// Throws `captureInUse` while it is being recorded, `system`, and what says that it was written
  /// by a later version.
  public static func recover(
    _ capture: Capture, known: RecordPlace? = nil
  ) throws(StoreError) -> Recovery {
    let lock = try CaptureLock(capture.path, capture.files)
    defer { withExtendedLifetime(lock) {} }
    return try recoverLocked(capture, known: known)
  }

  /// The same for whoever holds the lock.
  static func recoverLocked(
    _ capture: Capture, known: RecordPlace?
  ) throws(StoreError) -> Recovery {
    let begun = CaptureClock.monotonicNanoseconds()
    try capture.checkVersions()
    let mayHaveLostPower = try capture.mayHaveLostPower
    var survey = try RecoverySurvey(capture)
    var recovery = Recovery()
    if let known { recovery.missingBehind = survey.goOn(behind: known) }
    try removeLeftovers(capture)
    recovery.nextNumber = survey.nextNumber
    recovery.nextSequence = survey.nextSequence
    recovery.unreadable = survey.unreadable
    try recovery.remove(survey.unused, capture)
    try recovery.tell(survey.events, capture)
    // One that was interrupted may have told, and not made sure of it.
    if survey.hasWork {
      try capture.files.synchronizeDirectory(CapturePath.segments(capture.path))
    }
    // What is unreadable stays so: it matters while there is something to do.
    let isHarmed = !survey.unreadable.isEmpty && survey.hasWork
    if mayHaveLostPower || isHarmed || survey.unended.contains(where: { !$0.ending.isClean }) {
      try removeIndex(capture)
    }
    for file in survey.beheaded {
      try keep(file.path, asTornOf: file.path, capture.files)
      recovery.filesRemoved += 1
    }
    for segment in survey.unended {
      try segment.keepTornBytes(capture.files)
      try segment.end(capture.files)
      recovery.endings.append(segment.ending)
    }
    recovery.nanoseconds = CaptureClock.monotonicNanoseconds() - begun
    return recovery
  }

  /// Files that hold nothing.
  private mutating func remove(
    _ unused: [Capture.SegmentFile], _ capture: Capture
  ) throws(StoreError) {
    guard !unused.isEmpty else { return }
    for file in unused { try capture.files.remove(file.path) }
    try capture.files.synchronizeDirectory(CapturePath.segments(capture.path))
    filesRemoved += unused.count
  }

  /// Gives a file a name beside a segment that no reader looks at. What is kept there already is
  /// never replaced; when it is the same, once is enough.
  static func keep(
    _ path: String, asTornOf segment: String, _ files: FileSystem
  ) throws(StoreError) {
    var name = segment + tornSuffix
    var count = 1
    while try files.metadata(name) != nil {
      if try files.isSame(path, name) {
        try files.remove(path)
        break
      }
      count += 1
      name = "\(segment)\(tornSuffix).\(count)"
    }
    if try files.metadata(path) != nil { try files.rename(path, to: name) }
    try files.synchronizeDirectory(FileSystem.parent(of: segment))
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

  static let tornSuffix = ".torn"
  static let newSuffix = ".new"

  /// What an interrupted recovery was about to name.
  private static func removeLeftovers(_ capture: Capture) throws(StoreError) {
    let directory = CapturePath.segments(capture.path)
    // A power loss may have left the manifest alone.
    guard try capture.files.metadata(directory) != nil else { return }
    for name in try capture.files.names(in: directory) where name.hasSuffix(newSuffix) {
      try capture.files.remove("\(directory)/\(name)")
    }
  }

  /// Writes a segment of events, under a name of its own until it is whole.
  private mutating func tell(
    _ events: [StoredEvent], _ capture: Capture
  ) throws(StoreError) {
    guard !events.isEmpty else { return }
    let files = capture.files
    let directory = CapturePath.segments(capture.path)
    try files.makeDirectories(directory)
    let path = CapturePath.segment(capture.path, nextNumber)
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

/// What a recovery finds, before it changes anything.
private struct RecoverySurvey {
  var unended: [UnendedSegment] = []
  /// Files that were reserved and hold nothing.
  var unused: [Capture.SegmentFile] = []
  /// Files whose first page was never written, and others were: torn before they became segments.
  var beheaded: [Capture.SegmentFile] = []
  var unreadable: [StoreError] = []
  /// The number of the segment that a recording would go on with, and its first sequence.
  var nextNumber: UInt64 = 0
  var nextSequence: UInt64 = 0
  /// What is to be told that has not been told by a recovery that was interrupted.
  var events: [StoredEvent] = []

  var hasWork: Bool { !unended.isEmpty || !unused.isEmpty || !beheaded.isEmpty }

  init(_ capture: Capture) throws(StoreError) {
    var endedBehind: [Segment] = []
    for file in try capture.segmentFiles() {
      do throws(StoreError) {
        guard let segment = try capture.openSegment(file.path) else {
          try addUnused(file, capture.files)
          continue
        }
        nextNumber = file.number + 1
        guard segment.header.captureID == capture.manifest.captureID,
          segment.header.number == file.number
        else {
          throw .damagedSegment(path: file.path, reason: "it belongs elsewhere")
        }
        try add(segment, capture.files, &endedBehind)
      } catch .damagedSegment(let path, let reason) {
        nextNumber = file.number + 1
        unreadable.append(.damagedSegment(path: path, reason: reason))
      }
    }
    for number in try Self.tornNumbers(capture) { nextNumber = max(nextNumber, number + 1) }
    try judge(endedBehind, capture.files)
  }

  private mutating func add(
    _ segment: Segment, _ files: FileSystem, _ endedBehind: inout [Segment]
  ) throws(StoreError) {
    var next = segment.footerNextSequence
    if next == nil {
      let found = try UnendedSegment(examining: segment, files)
      if !found.isEnded {
        nextSequence = max(nextSequence, found.ending.nextSequence)
        unended.append(found)
        return
      }
      next = found.ending.nextSequence
    }
    nextSequence = max(nextSequence, next ?? 0)
    if hasWork { endedBehind.append(segment) }
  }

  private mutating func addUnused(
    _ file: Capture.SegmentFile, _ files: FileSystem
  ) throws(StoreError) {
    guard try Self.hasContent(file, files) else {
      unused.append(file)
      return
    }
    beheaded.append(file)
    nextNumber = file.number + 1
    unreadable.append(
      .damagedSegment(path: file.path, reason: "its first page was lost; kept as a .torn file"))
  }

  /// Whether a file that was not in use, by its first page, holds anything. One that is used again
  /// says with which salt its records would come, and only they count; or that it is about to be.
  private static func hasContent(
    _ file: Capture.SegmentFile, _ files: FileSystem
  ) throws(StoreError) -> Bool {
    if let prepared = try Segment(prepared: file.path, files: files) {
      return prepared.search(from: RecordLayout.firstOffset).header != nil
    }
    if try isWithdrawn(file, files) { return false }
    return try files.contentEnd(file.path, from: 0) > 0
  }

  private static func isWithdrawn(
    _ file: Capture.SegmentFile, _ files: FileSystem
  ) throws(StoreError) -> Bool {
    let descriptor = try files.open(file.path, O_RDONLY)
    defer { files.close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8)
    guard try files.read(descriptor, file.path, at: 0, into: &bytes) == bytes.count else {
      return false
    }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } == SegmentLayout.withdrawnMagic
  }

  private static func tornNumbers(_ capture: Capture) throws(StoreError) -> [UInt64] {
    let directory = CapturePath.segments(capture.path)
    guard try capture.files.metadata(directory) != nil else { return [] }
    return try capture.files.names(in: directory).compactMap { CapturePath.tornNumber($0) }
  }

  /// Messages up to a place were recorded, whatever is there of them. Returns how many are not.
  mutating func goOn(behind known: RecordPlace) -> UInt64 {
    // Nothing was ever recorded there: that is no index of ours.
    guard max(known.segment, known.sequence) <= FormatLimits.countMaxToGoOn else { return 0 }
    let isBegun = known.offset > RecordLayout.firstOffset
    nextNumber = max(nextNumber, known.segment + (isBegun ? 1 : 0))
    guard known.sequence > nextSequence else { return 0 }
    let missing = known.sequence - nextSequence
    nextSequence = known.sequence
    events.append(
      StoredEvent(
        "recovered",
        [
          "segment": .number(Int64(known.segment)), "offset": .number(Int64(known.offset)),
          "next_sequence": .number(Int64(nextSequence)), "lost": .number(Int64(missing)),
        ]))
    return missing
  }

  /// Holds what was found against what the segments tell of each other.
  private mutating func judge(_ endedBehind: [Segment], _ files: FileSystem) throws(StoreError) {
    var durable = DurablePlaces()
    var told: Set<UInt64> = []
    for segment in unended { durable.add(segment.durable, by: segment.ending.segment) }
    for segment in endedBehind {
      let words = try SegmentWords(of: segment)
      durable.add(words.durable, by: segment.header.number)
      durable.add(recovered: words.recovered, by: segment.header.number)
      told.formUnion(words.recovered)
    }
    for index in unended.indices {
      unended[index].judge(durableEnd: durable.end(of: unended[index].ending.segment))
    }
    events = unended.map(\.ending).filter { !told.contains($0.segment) }.map { StoredEvent($0) }
    for file in beheaded where !told.contains(file.number) {
      let content = try files.contentEnd(file.path, from: 0)
      events.append(
        StoredEvent(
          Recovery.Ending(
            segment: file.number, offset: 0, nextSequence: nextSequence, tornBytes: content,
            damagedBytes: 0, corruptBytes: durable.end(of: file.number) > 0 ? content : 0,
            messagesMissing: 0)))
    }
    // A recorder that ended without a word leaves a doubt, even if nothing else.
    if unended.isEmpty && beheaded.isEmpty, let file = unused.first {
      events.append(
        StoredEvent(
          Recovery.Ending(
            segment: file.number, offset: 0, nextSequence: nextSequence, tornBytes: 0,
            damagedBytes: 0, corruptBytes: 0, messagesMissing: 0)))
    }
  }
}

/// What the records of an ended segment tell of others.
private struct SegmentWords {
  /// Up to where segments are on stable storage: offsets by number.
  var durable: [UInt64: Int] = [:]
  /// Segments that were ended by a recovery.
  var recovered: Set<UInt64> = []

  init(of segment: Segment) throws(StoreError) {
    var cursor = SegmentCursor(segment, verifying: .body)
    while true {
      switch cursor.next() {
      case .record(let record):
        if let place = Checkpoint(record, in: segment)?.place {
          durable[place.segment] = max(durable[place.segment] ?? 0, place.offset)
        } else if let event = StoredEvent(record, in: segment), event.kind == "recovered",
          let number = event.number("segment")
        {
          recovered.insert(UInt64(clamping: number))
        }
      case .damage:
        if let failure = cursor.failure { throw failure }
      case .end: return
      }
    }
  }
}

extension StoredEvent {
  /// How a recovery ended a segment.
  fileprivate init(_ ending: Recovery.Ending) {
    self.init(
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
}
