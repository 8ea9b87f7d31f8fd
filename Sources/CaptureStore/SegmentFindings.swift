/// What a check of one segment found, without a look at any other.
struct SegmentFindings: Sendable {
  enum Condition: Sendable {
    /// A footer, and the end of the file right behind it.
    case sealed
    /// No footer yet, or not cut behind it.
    case unended
    /// Prepared by a recorder, and not in use.
    case reserved
    case unreadable(StoreError)
    /// It made room in a ring since it was listed.
    case vanished
  }

  let file: Capture.SegmentFile
  private(set) var condition: Condition = .reserved
  private(set) var messages: UInt64 = 0
  /// The sequence that its first page says, and the one behind its last message, lost ones included.
  private(set) var firstSequence: UInt64 = 0
  private(set) var nextSequence: UInt64 = 0
  /// Where its valid records end.
  private(set) var end = RecordLayout.firstOffset
  /// Where what is not zero ends.
  private(set) var contentEnd = RecordLayout.firstOffset
  private(set) var damages: [Damage] = []
  private(set) var problems: [Verification.Problem] = []
  /// Messages that are not there, and should be.
  private(set) var lost: UInt64 = 0
  /// How far its checkpoints say that segments are on stable storage: offsets by number.
  private(set) var durable: [UInt64: Int] = [:]
  /// Segments that events in this one tell to have been ended after the fact.
  private(set) var segmentsRecovered: Set<UInt64> = []
  /// Its footer is that of a recovery.
  private(set) var isEndedAfterwards = false
  private(set) var problemsOmitted = 0
  /// Endpoints that the manifest does not have: told once each.
  private var endpointsUnknown: Set<UInt16> = []
  /// Damages that are not listed, from the offset of the first one on.
  private(set) var damagesOmitted: (offset: Int, bytes: Int) = (0, 0)

  /// More of a kind than anybody reads: a segment can be nothing but damage.
  private static let listedMax = 1000
  /// Read ahead of the check, so that it does not fault its pages in one by one.
  private static let step = 4 << 20

  /// Checks a segment; says how many bytes it has read, now and then.
  init(
    of file: Capture.SegmentFile, in capture: Capture, isBeingRecorded: Bool,
    report: (Int) -> Void
  ) {
    self.file = file
    do throws(StoreError) {
      guard let segment = try capture.openSegment(file.path) else {
        report(file.size)
        return
      }
      guard segment.header.captureID == capture.manifest.captureID else {
        throw .damagedSegment(path: file.path, reason: "it belongs to another capture")
      }
      guard segment.header.number == file.number else {
        throw .damagedSegment(
          path: file.path,
          reason: "it is segment \(segment.header.number) under another name")
      }
      firstSequence = segment.header.firstSequence
      nextSequence = firstSequence
      walk(
        segment, endpoints: capture.manifest.endpoints.count, isBeingRecorded: isBeingRecorded,
        report: report)
    } catch {
      condition = error.isVanished && capture.isRing ? .vanished : .unreadable(error)
      report(file.size)
    }
  }

  private mutating func walk(
    _ segment: Segment, endpoints: Int, isBeingRecorded: Bool, report: (Int) -> Void
  ) {
    var cursor = SegmentCursor(segment, verifying: .body)
    var populated = 0
    var reported = 0
    var isEnded = false
    condition = .unended
    while !isEnded {
      if cursor.offset >= populated {
        populated = min(cursor.offset + Self.step, segment.size)
        // Where that fails, pages are faulted in one by one.
        try? segment.populate(cursor.offset..<populated)
        report(cursor.offset - reported)
        reported = cursor.offset
      }
      switch cursor.next() {
      case .record(let record):
        check(record, segment, endpoints: endpoints)
        end = record.end
      case .damage(let damage):
        add(damage)
      case .end(isSealed: true):
        let footer = end
        end = cursor.offset
        if end == segment.size { condition = .sealed }
        checkFooter(segment, at: max(footer, end - SegmentFooter.recordSize), cursor)
        isEnded = true
      case .end(isSealed: false):
        // What is being written may come later, and that is no gap.
        guard !isBeingRecorded, let damage = cursor.passOverGap() else {
          isEnded = true
          break
        }
        add(damage)
      }
    }
    contentEnd = max(contentEnd, end)
    report(file.size - reported)
  }

  private mutating func add(_ damage: Damage) {
    contentEnd = max(contentEnd, damage.range.upperBound)
    if let sequence = damage.sequence {
      lose(upTo: sequence, at: damage.range.lowerBound)
      // The damage tells of this one itself.
      if sequence == nextSequence {
        lost += 1
        nextSequence += 1
      }
    }
    if damages.count < Self.listedMax {
      damages.append(damage)
    } else {
      if damagesOmitted.bytes == 0 { damagesOmitted.offset = damage.range.lowerBound }
      damagesOmitted.bytes += damage.range.count
      problemsOmitted += 1
    }
  }

  /// The messages up to a sequence should have been there.
  private mutating func lose(upTo sequence: UInt64, at offset: Int) {
    guard sequence > nextSequence else { return }
    let missing = nextSequence..<sequence
    lost += UInt64(missing.count)
    nextSequence = sequence
    note(
      .lost, at: offset, 0, missing,
      missing.count == 1 ? "a message is missing" : "\(missing.count) messages are missing")
  }

  private mutating func note(
    _ kind: Verification.Problem.Kind, at offset: Int, _ bytes: Int,
    _ sequences: Range<UInt64>?, _ what: @autoclosure () -> String
  ) {
    guard problems.count < Self.listedMax else {
      problemsOmitted += 1
      return
    }
    problems.append(
      Verification.Problem(
        kind: kind, path: file.path, segment: file.number, offset: offset, bytes: bytes,
        sequences: sequences, what: what()))
  }

  // MARK: - Records

  private mutating func check(_ record: RecordHeader, _ segment: Segment, endpoints: Int) {
    if record.sequence > nextSequence { lose(upTo: record.sequence, at: record.offset) }
    if record.sequence < nextSequence {
      let expected = nextSequence
      note(
        .inconsistent, at: record.offset, record.length, record.sequence..<record.sequence + 1,
        "its sequence is \(record.sequence), and \(expected) comes next")
    }
    if record.kind == .data {
      if record.sequence == nextSequence {
        messages += 1
        nextSequence += 1
      }
      if Int(record.endpoint) >= endpoints, endpointsUnknown.insert(record.endpoint).inserted {
        note(
          .inconsistent, at: record.offset, record.length, record.sequence..<record.sequence + 1,
          "it is of endpoint \(record.endpoint), and the manifest has \(endpoints)")
      }
    }
    checkFrames(record, segment)
    if record.kind == .checkpoint { checkCheckpoint(record, segment) }
    if let event = StoredEvent(record, in: segment), event.kind == "recovered",
      let number = event.number("segment"), segmentsRecovered.count < Self.listedMax
    {
      segmentsRecovered.insert(UInt64(clamping: number))
    }
  }

  /// Each frame lies in its record, behind the table.
  private mutating func checkFrames(_ record: RecordHeader, _ segment: Segment) {
    let start =
      record.offset + RecordLayout.headerSize + RecordLayout.frameEntrySize * record.frameCount
    for index in 0..<record.frameCount {
      if let range = segment.frameRange(index, of: record),
        range.isEmpty || range.lowerBound >= start
      {
        continue
      }
      note(
        .inconsistent, at: record.offset, record.length, record.sequence..<record.sequence + 1,
        "frame \(index) of \(record.frameCount) does not lie inside its record")
      return
    }
  }

  /// A checkpoint speaks of what was written before it.
  private mutating func checkCheckpoint(_ record: RecordHeader, _ segment: Segment) {
    guard let place = Checkpoint(record, in: segment)?.place else {
      note(.inconsistent, at: record.offset, record.length, nil, "a checkpoint without a place")
      return
    }
    let isPossible =
      place.sequence <= record.sequence && place.segment <= file.number
      && place.offset >= RecordLayout.firstOffset
      && (place.segment < file.number || place.offset <= record.offset)
    guard isPossible else {
      note(
        .inconsistent, at: record.offset, record.length, nil,
        "a checkpoint of segment \(place.segment) offset \(place.offset), which is not before it")
      return
    }
    if durable[place.segment] != nil || durable.count < Self.listedMax {
      durable[place.segment] = max(durable[place.segment] ?? 0, place.offset)
    }
  }

  /// The footer's frame, and what it says of the messages.
  private mutating func checkFooter(_ segment: Segment, at offset: Int, _ cursor: SegmentCursor) {
    let next = cursor.footerNextSequence ?? nextSequence
    let flags = segment.load(UInt8.self, at: offset + RecordLayout.flagsOffset)
    isEndedAfterwards = flags & SegmentFooter.recoveredFlag != 0
    let frame = offset + RecordLayout.headerSize + RecordLayout.frameEntrySize
    if cursor.offset - offset != SegmentFooter.recordSize
      || segment.load(UInt64.self, at: frame) != next
    {
      note(
        .inconsistent, at: offset, cursor.offset - offset, nil,
        "its footer does not say what comes next")
    } else if next < nextSequence {
      let expected = nextSequence
      note(
        .inconsistent, at: offset, cursor.offset - offset, nil,
        "its footer says that \(next) comes next, and there are messages up to \(expected - 1)")
    }
    lose(upTo: next, at: offset)
  }
}
