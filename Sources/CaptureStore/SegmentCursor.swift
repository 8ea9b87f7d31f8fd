/// Bytes of a segment that hold no valid record.
public struct Damage: Hashable, Sendable {
  public enum Reason: String, Hashable, Sendable {
    /// The framing is good, the bytes of one record are not what was written.
    case body = "body check does not match"
    /// No record starts here; reading goes on at the next place where one does.
    case header = "header check does not match"
    /// A valid record whose sequence has been there already.
    case order = "sequence runs backwards"
    /// Bytes behind the last record that never became one.
    case torn = "torn tail"
  }

  public var reason: Reason
  /// Offsets in the segment.
  public var range: Range<Int>
  /// The sequence of the message that this was, where its header could be read.
  public var sequence: UInt64?
}

/// Walks the records of one segment in order, and goes on after damage.
///
/// At the end of a segment that is being written `next` says `.end`; calling it again later finds
/// what has been committed since.
public struct SegmentCursor {
  /// One step of the walk.
  public enum Step: Hashable, Sendable {
    case record(RecordHeader)
    case damage(Damage)
    /// Nothing valid follows. `isSealed`: a footer said so, and nothing ever will.
    case end(isSealed: Bool)
  }

  /// What is checked of each record.
  public enum Verification: Sendable {
    /// The header: enough to walk.
    case header
    /// Header and body: every byte that is handed out.
    case body
  }

  public let segment: Segment
  /// Where the next step starts, in bytes from the start of the segment.
  public private(set) var offset: Int
  /// The sequence after the last message, once the footer was read.
  public private(set) var footerNextSequence: UInt64?
  /// What kept the search for the next record from being made: the rest is told as damage.
  private(set) var failure: StoreError?
  private let verification: Verification

  /// Starts at the first record.
  public init(_ segment: Segment, verifying: Verification) {
    self.segment = segment
    offset = RecordLayout.firstOffset
    verification = verifying
  }

  /// Starts at a record elsewhere; nil where none can be, as a damaged index may say.
  public init?(_ segment: Segment, at offset: Int, verifying: Verification) {
    guard RecordLayout.isOffset(offset), offset <= segment.size else { return nil }
    self.segment = segment
    self.offset = offset
    verification = verifying
  }

  public mutating func next() -> Step {
    if footerNextSequence != nil { return .end(isSealed: true) }
    guard segment.size - offset >= RecordLayout.headerSize else { return .end(isSealed: false) }
    let length = segment.loadLength(at: offset)
    if length == 0 { return .end(isSealed: false) }
    guard let record = segment.record(at: offset, length: length) else {
      return .damage(resynchronize())
    }

    offset = record.end
    if verification == .body || record.kind == .footer {
      guard segment.isBodyGood(record) else {
        return .damage(
          Damage(
            reason: .body, range: record.offset..<record.end,
            sequence: record.kind == .data ? record.sequence : nil))
      }
    }
    if record.kind == .footer {
      footerNextSequence = record.sequence
      return .end(isSealed: true)
    }
    return .record(record)
  }

  /// The messages that follow one another from here, where the next one has this sequence.
  package func run(from sequence: UInt64) -> MessageRun {
    MessageRun(
      segment: segment, verification: verification, offset: offset, nextSequence: sequence)
  }

  /// Goes on behind a run that started here.
  package mutating func pass(_ run: MessageRun) { offset = run.offset }

  /// Looks for the next place where a valid header stands, on multiples of 8.
  private mutating func resynchronize() -> Damage {
    let start = offset
    let search = segment.search(from: offset + RecordLayout.alignment)
    failure = search.failure
    // To the last byte: what is left of a word would be told again as a gap.
    offset = search.header ?? segment.size
    let end = search.header ?? max(search.contentEnd, start + RecordLayout.alignment)
    return Damage(reason: .header, range: start..<end)
  }

  /// Goes on behind an end without a footer, once nobody writes the segment any more: there may be
  /// records behind bytes that were lost. Returns the damage between; nil when all is zero.
  mutating func passOverGap() -> Damage? {
    guard footerNextSequence == nil, offset < segment.size else { return nil }
    let start = offset
    let search = segment.search(from: offset)
    failure = search.failure
    offset = search.header ?? segment.size
    if let header = search.header { return Damage(reason: .header, range: start..<header) }
    return search.contentEnd > start
      ? Damage(reason: .torn, range: start..<search.contentEnd) : nil
  }
}

extension RecordLayout {
  /// Where the first record of every segment starts.
  public static let firstOffset = SegmentLayout.headerSize

  /// Whether a record can start at an offset.
  public static func isOffset(_ offset: Int) -> Bool {
    offset >= firstOffset && offset % alignment == 0
  }
}

extension Segment {
  /// Whether the file ends with a valid footer: nothing was torn off, nothing will be added.
  public var isSealed: Bool { footerNextSequence != nil }

  /// The sequence that the footer at the end of the file tells to be next; nil where none is.
  ///
  /// Reads the file as it is now and not the mapping: its recorder may be about to cut it.
  var footerNextSequence: UInt64? {
    (try? lastFooter())??.nextSequence
  }
}
