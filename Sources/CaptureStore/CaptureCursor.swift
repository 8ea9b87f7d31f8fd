/// Walks the records of a capture in order, over all its segments, and says what is missing.
///
/// Everything that reads uses it: the live index, `reindex`, `ls`, replay. On a capture that is
/// being recorded it says `.caughtUp` at the end; calling `next` again finds what came since.
public struct CaptureCursor {
  /// One step of the walk.
  public enum Step: Sendable {
    /// A record of `segment`.
    case record(RecordHeader)
    /// Sequences of messages that were recorded and are not there any more.
    case missing(Range<UInt64>)
    /// Bytes of `segment` without a valid record; what they held follows as `.missing`.
    case damage(Damage)
    /// A segment that cannot be read at all, of so many bytes; what it held follows as `.missing`
    /// where another segment follows.
    case unreadable(StoreError, bytes: Int)
    /// Nothing more now. `isFinal`: and nothing will come, since nobody is writing.
    case caughtUp(isFinal: Bool)
  }

  public let capture: Capture
  /// The segment of the last record.
  public private(set) var segment: Segment?
  /// The sequence that the next message should have.
  public private(set) var nextSequence: UInt64

  /// Inside a segment; nil while looking for the first usable one from `nextNumber` on.
  private var cursor: SegmentCursor?
  private var nextNumber: UInt64
  private let verification: SegmentCursor.Verification
  /// Nobody has been writing since we looked last: what is not there now will not come.
  private var isWriterGone = false
  /// The capture itself could not be read, and that has been told.
  private var isFailing = false
  /// Segments that were entered, or tried to.
  private var filesTried = 0
  private var fileTriedSize = 0
  /// A record that was read and stands behind a gap which is told first.
  private var pending: RecordHeader?
  /// What the headers of damaged records let expect: told as missing before anything else.
  private var promisedSequence: UInt64 = 0
  /// The next segment is in use: what is not in this one now will not come.
  private var isSuperseded = false
  private var sealed: [UInt64] = []
  private var retired: UInt64 = 0
  /// Segments that were left before their footers were there.
  private var leftUnsealed: [UInt64] = []

  /// Starts at the beginning of the capture.
  public init(_ capture: Capture, verifying: SegmentCursor.Verification) {
    self.capture = capture
    verification = verifying
    nextNumber = capture.beginning?.segment ?? 0
    nextSequence = capture.beginning?.sequence ?? 0
  }

  /// Starts at a record whose place is known, for instance from the index. Throws where none can
  /// be: what says so tells of another capture, or of one that was longer.
  public init(
    _ capture: Capture, at place: RecordPlace, verifying: SegmentCursor.Verification
  ) throws(StoreError) {
    self.capture = capture
    verification = verifying
    nextSequence = place.sequence
    nextNumber = place.segment
    let path = CapturePath.segment(capture.path, place.segment)
    guard try capture.files.metadata(path) != nil else { return }
    let found: Segment?
    do throws(StoreError) {
      found = try capture.openSegment(path)
    } catch  where error.isVanished && capture.isRing {
      return
    }
    guard let segment = found else { return }
    try capture.check(segment, number: place.segment)
    guard let cursor = SegmentCursor(segment, at: place.offset, verifying: verifying) else {
      throw .damagedSegment(path: path, reason: "no record can start at \(place.offset)")
    }
    self.segment = segment
    self.cursor = cursor
    nextNumber += 1
  }

  /// Where the next step starts, to go on there another time.
  public var place: RecordPlace {
    RecordPlace(
      segment: cursor?.segment.header.number ?? nextNumber,
      offset: pending?.offset ?? cursor?.offset ?? RecordLayout.firstOffset,
      sequence: nextSequence)
  }

  /// Whether the last step was damage of which the next one says what it held: no place to pause.
  public var isMidway: Bool { promisedSequence > nextSequence }

  /// The numbers of the segments whose footers were passed since the last call: everything in
  /// them was on stable storage.
  public mutating func takeSealed() -> [UInt64] {
    if sealed.isEmpty { return [] }
    defer { sealed = [] }
    return sealed
  }

  /// Messages of a ring that made room before the walk came by, since the last call.
  public mutating func takeRetired() -> UInt64 {
    defer { retired = 0 }
    return retired
  }

  /// Lets go of a segment of a ring that has made room, for whoever does not read on just now: its
  /// file takes room for as long as somebody has it open. What is left of it is retired.
  package mutating func leaveRetired() {
    guard capture.isRing, pending == nil, !isMidway, let number = cursor?.segment.header.number,
      case .some(.none) = try? capture.segmentFile(number)
    else { return }
    cursor = nil
    segment = nil
  }

  /// The messages that follow one another from here in `segment`; nil where something else has to
  /// be told first. `pass` goes on behind those that were taken of it.
  package var run: MessageRun? {
    pending == nil && !isMidway ? cursor?.run(from: nextSequence) : nil
  }

  package mutating func pass(_ run: MessageRun) {
    cursor!.pass(run)
    nextSequence = run.nextSequence
  }

  public mutating func next() -> Step {
    if isMidway { return missing(upTo: promisedSequence) }
    if let record = pending {
      pending = nil
      return accept(record)
    }
    while true {
      let tried = filesTried
      do throws(StoreError) {
        let step = try cursor == nil ? enterSegment() : advance()
        if let step {
          isFailing = false
          return step
        }
      } catch {
        // An error of one segment is told and left behind. One that leaves the walk where it is,
        // such as that of a deleted capture, is told once: who waits for an end must find one.
        guard filesTried == tried else { return .unreadable(error, bytes: fileTriedSize) }
        defer { isFailing = !isFailing }
        return isFailing ? .caughtUp(isFinal: false) : .unreadable(error, bytes: 0)
      }
    }
  }

  /// One step inside a segment; nil when it is left instead.
  private mutating func advance() throws(StoreError) -> Step? {
    switch cursor!.next() {
    case .record(let record):
      guard record.sequence > nextSequence else { return accept(record) }
      pending = record
      return missing(upTo: record.sequence)
    case .damage(let damage):
      return tell(damage)
    case .end(isSealed: true):
      let end = cursor!.footerNextSequence ?? nextSequence
      sealed.append(cursor!.segment.header.number)
      cursor = nil
      return end > nextSequence ? missing(upTo: end) : nil
    case .end(isSealed: false):
      if isWriterGone {
        if let damage = try damageBehindEnd() { return tell(damage) }
        cursor = nil
        return nil
      }
      if isSuperseded {
        if try caughtUpUnlessWriterIsGone() != nil {
          leftUnsealed.append(cursor!.segment.header.number)
          cursor = nil
        }
        return nil
      }
      isSuperseded = try isNextSegmentInUse()
      if !isSuperseded { isSuperseded = try capture.hasRetired(nextNumber - 1) }
      return isSuperseded ? nil : try caughtUpUnlessWriterIsGone()
    }
  }

  private mutating func tell(_ damage: Damage) -> Step {
    if let sequence = damage.sequence { promisedSequence = sequence + 1 }
    return .damage(damage)
  }

  /// A length of 0 in front of records is damage and not the end, once nobody is writing.
  private mutating func damageBehindEnd() throws(StoreError) -> Damage? {
    // Opened anew: while it was being written its size was another one.
    guard let here = cursor, let whole = try capture.openSegment(here.segment.path),
      var behind = SegmentCursor(whole, at: here.offset, verifying: verification)
    else { return nil }
    let damage = behind.passOverGap()
    segment = whole
    cursor = behind
    return damage
  }

  /// A writer begins a segment after its last word in the one before.
  private func isNextSegmentInUse() throws(StoreError) -> Bool {
    guard let file = try capture.segmentFile(nextNumber) else { return false }
    do throws(StoreError) {
      return try capture.openSegment(file.path) != nil
    } catch {
      return false
    }
  }

  /// Enters the next segment in use; nil when the caller should look again.
  private mutating func enterSegment() throws(StoreError) -> Step? {
    let number = nextNumber
    for file in try segmentFiles(from: number) {
      nextNumber = file.number + 1
      filesTried += 1
      fileTriedSize = file.size
      let found: Segment?
      do throws(StoreError) {
        found = try capture.openSegment(file.path)
      } catch  where error.isVanished && capture.isRing {
        // It made room since it was listed.
        continue
      }
      guard let opened = found else {
        if isWriterGone { continue }
        nextNumber = number
        return try caughtUpUnlessWriterIsGone()
      }
      try capture.check(opened, number: file.number)
      guard opened.header.firstSequence >= nextSequence else {
        throw .damagedSegment(path: file.path, reason: "its sequences are those of another one")
      }
      segment = opened
      cursor = SegmentCursor(opened, verifying: verification)
      isSuperseded = false
      guard opened.header.firstSequence > nextSequence else { return nil }
      // In a ring, what is before the first segment made room, and is not missing.
      if file.number > 0, try capture.hasRetired(file.number - 1) {
        retired += opened.header.firstSequence - nextSequence
        nextSequence = opened.header.firstSequence
        return nil
      }
      return missing(upTo: opened.header.firstSequence)
    }
    nextNumber = number
    return isWriterGone ? .caughtUp(isFinal: true) : try caughtUpUnlessWriterIsGone()
  }

  /// The segment of this number, or those behind it where it is missing: listing a directory for
  /// each of many segments would take forever.
  private func segmentFiles(from number: UInt64) throws(StoreError) -> [Capture.SegmentFile] {
    guard let file = try capture.segmentFile(number) else {
      return try capture.segmentFiles(from: number)
    }
    // In a ring it may be gone by the time it is opened, and those behind it too.
    let isThere = !capture.isRing && !isWriterGone || (try? capture.openSegment(file.path)) != nil
    return isThere ? [file] : try capture.segmentFiles(from: number)
  }

  /// What was committed before the writer went must be looked for once more after it went.
  private mutating func caughtUpUnlessWriterIsGone() throws(StoreError) -> Step? {
    lookForFooters()
    if try capture.isBeingRecorded { return .caughtUp(isFinal: false) }
    isWriterGone = true
    return nil
  }

  /// A segment that was left early gets its footer soon.
  private mutating func lookForFooters() {
    guard !leftUnsealed.isEmpty else { return }
    let left = leftUnsealed
    leftUnsealed = []
    for number in left {
      do throws(StoreError) {
        let segment = try capture.openSegment(CapturePath.segment(capture.path, number))
        if segment?.isSealed == true { sealed.append(number) } else { leftUnsealed.append(number) }
      } catch {
        if !error.isVanished { leftUnsealed.append(number) }
      }
    }
  }

  private mutating func accept(_ record: RecordHeader) -> Step {
    if record.kind == .data {
      guard record.sequence >= nextSequence else {
        return .damage(Damage(reason: .order, range: record.offset..<record.end))
      }
      nextSequence = record.sequence + 1
    }
    return .record(record)
  }

  private mutating func missing(upTo sequence: UInt64) -> Step {
    defer { nextSequence = sequence }
    return .missing(nextSequence..<sequence)
  }
}
