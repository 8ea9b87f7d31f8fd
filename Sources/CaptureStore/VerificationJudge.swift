/// Looks at the findings of all segments together: what follows what, and what had to be there.
struct VerificationJudge {
  private let findings: [SegmentFindings]
  private let capture: Capture
  private let isBeingRecorded: Bool
  private var durable = DurablePlaces()
  private var verification = Verification()
  private var nextNumber: UInt64
  private var nextSequence: UInt64

  init(_ findings: [SegmentFindings], of capture: Capture, isBeingRecorded: Bool) {
    self.capture = capture
    let findings = Self.withoutVanished(findings)
    self.findings = findings
    let beginning = capture.beginning
    nextNumber = beginning?.segment ?? findings.first?.file.number ?? 0
    nextSequence = beginning?.sequence ?? findings.first { $0.isReadable }?.firstSequence ?? 0
    self.isBeingRecorded = isBeingRecorded
    for finding in findings {
      durable.add(finding.durable, by: finding.file.number)
      durable.add(recovered: finding.segmentsRecovered, by: finding.file.number)
    }
    for finding in findings where finding.isEndedAfterwards {
      durable.add(endedAfterwards: finding.file.number)
    }
  }

  mutating func verdict(known: RecordPlace?) -> Verification {
    verification.isBeingRecorded = isBeingRecorded
    verification.isSealed = !findings.isEmpty
    for finding in findings {
      if finding.file.number > nextNumber { tellMissing(nextNumber..<finding.file.number, finding) }
      nextNumber = finding.file.number + 1
      judge(finding)
    }
    if let known, known.sequence > nextSequence { tellMissing(upTo: known) }
    return verification
  }

  /// What made room in a ring did so from its beginning on: with one, all before it.
  private static func withoutVanished(_ findings: [SegmentFindings]) -> [SegmentFindings] {
    let last = findings.lastIndex { if case .vanished = $0.condition { true } else { false } }
    return last.map { Array(findings[($0 + 1)...]) } ?? findings
  }

  /// Segments whose files are not there. Those behind the last one cannot be known.
  private mutating func tellMissing(_ numbers: Range<UInt64>, _ next: SegmentFindings) {
    let what =
      numbers.count == 1
      ? "segment \(numbers.lowerBound) before it is not there"
      : "segments \(numbers.lowerBound) to \(numbers.upperBound - 1) before it are not there"
    verification.problems.append(
      Verification.Problem(
        kind: .unreadable, path: next.file.path, segment: numbers.lowerBound, offset: 0, bytes: 0,
        what: what))
  }

  private mutating func judge(_ finding: SegmentFindings) {
    switch finding.condition {
    case .reserved:
      tellReserved(finding)
      return
    case .unreadable(let error):
      tellUnreadable(finding, error.reasonText)
      return
    case .vanished: return
    case .sealed, .unended: break
    }
    verification.segments += 1
    verification.messages += finding.messages
    verification.bytes += finding.contentEnd
    verification.problemsOmitted += finding.problemsOmitted
    let start = verification.problems.count
    judgeSequences(finding)
    judgeDamages(finding)
    verification.problems += finding.problems
    verification.lost += finding.lost
    judgeEnd(finding)
    verification.problems[start...].sort { $0.offset < $1.offset }
  }

  /// What only the index knows of: the end of the capture is gone.
  private mutating func tellMissing(upTo known: RecordPlace) {
    let missing = nextSequence..<known.sequence
    verification.lost += UInt64(missing.count)
    verification.isSealed = false
    verification.problems.append(
      Verification.Problem(
        kind: .lost, path: CapturePath.segments(capture.path), segment: known.segment,
        offset: known.offset, bytes: 0,
        sequences: missing, what: "the index knows of more messages than there are"))
  }

  private mutating func tellUnreadable(_ finding: SegmentFindings, _ what: String) {
    verification.isSealed = false
    verification.bytes += finding.file.size
    verification.damagedBytes += finding.file.size
    if durable.end(of: finding.file.number) > 0 {
      verification.corruptBytes += finding.file.size
    }
    add(.unreadable, finding, at: 0, bytes: finding.file.size, what)
  }

  /// A segment that is not in use: beside a recorder, its spare; else what one left behind.
  private mutating func tellReserved(_ finding: SegmentFindings) {
    if durable.end(of: finding.file.number) > 0 {
      return tellUnreadable(finding, "its first page is empty, and it was on stable storage once")
    }
    if isBeingRecorded { return }
    verification.isSealed = false
    add(.unsealed, finding, at: 0, bytes: finding.file.size, "reserved, and never used")
  }

  /// What is between the last segment and this one.
  private mutating func judgeSequences(_ finding: SegmentFindings) {
    let first = finding.firstSequence
    if first > nextSequence {
      let missing = nextSequence..<first
      verification.lost += UInt64(missing.count)
      let what =
        missing.count == 1
        ? "a message before this segment is missing"
        : "\(missing.count) messages before this segment are missing"
      add(.lost, finding, at: 0, bytes: 0, what, sequences: missing)
    } else if first < nextSequence {
      add(
        .inconsistent, finding, at: 0, bytes: 0,
        "it starts with sequence \(first), and \(nextSequence) comes next")
    }
    nextSequence = max(nextSequence, finding.nextSequence)
  }

  private mutating func judgeDamages(_ finding: SegmentFindings) {
    let trusted = trustedEnd(of: finding)
    let isUnended = if case .unended = finding.condition { true } else { false }
    for damage in finding.damages {
      let isTorn = isUnended && damage.range.lowerBound >= finding.end
      let isCorrupt = damage.range.lowerBound < trusted
      if isTorn {
        verification.tornBytes += damage.range.count
      } else {
        verification.damagedBytes += damage.range.count
      }
      if isCorrupt { verification.corruptBytes += damage.range.count }
      let of = damage.sequence.map { $0..<$0 + 1 }
      add(
        isCorrupt ? .corrupt : isTorn ? .torn : .damaged, finding, at: damage.range.lowerBound,
        bytes: damage.range.count, damage.reason.rawValue, sequences: of)
    }
    verification.damagedBytes += finding.damagesOmitted.bytes
    if finding.damagesOmitted.offset < trusted {
      verification.corruptBytes += finding.damagesOmitted.bytes
    }
    let there = max(finding.end, finding.contentEnd)
    let promised = durable.end(of: finding.file.number)
    if promised != .max && promised > there {
      verification.corruptBytes += promised - there
      add(
        .corrupt, finding, at: there, bytes: promised - there,
        "it ends before its last checkpoint")
    }
  }

  /// A footer is written when everything before it is on stable storage; but one that was added
  /// after the fact stands behind what had been damaged before.
  private func trustedEnd(of finding: SegmentFindings) -> Int {
    if case .sealed = finding.condition, !durable.isRecovered(finding.file.number) { return .max }
    return durable.end(of: finding.file.number)
  }

  private mutating func judgeEnd(_ finding: SegmentFindings) {
    guard case .unended = finding.condition else { return }
    verification.isSealed = false
    if isBeingRecorded { return }
    add(
      .unsealed, finding, at: finding.end, bytes: max(0, finding.file.size - finding.end),
      "not sealed: its recorder ended before it was")
  }

  private mutating func add(
    _ kind: Verification.Problem.Kind, _ finding: SegmentFindings, at offset: Int, bytes: Int,
    _ what: String, sequences: Range<UInt64>? = nil
  ) {
    verification.problems.append(
      Verification.Problem(
        kind: kind, path: finding.file.path, segment: finding.file.number, offset: offset,
        bytes: bytes, sequences: sequences, what: what))
  }
}

extension StoreError {
  /// What is wrong, where the path is told beside it.
  fileprivate var reasonText: String {
    if case .damagedSegment(_, let reason) = self { return reason }
    return "\(self)"
  }
}

extension SegmentFindings {
  fileprivate var isReadable: Bool {
    switch condition {
    case .sealed, .unended: true
    case .reserved, .unreadable, .vanished: false
    }
  }
}
