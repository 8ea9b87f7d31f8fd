/// Messages of one segment that follow one another with nothing between: most of what there is.
///
/// A short cut past the steps of `CaptureCursor`, which lends it and goes on behind it.
package struct MessageRun {
  /// Most messages are as long as those before, so that the header of a later one lies at a multiple
  /// of the length. So many of them take as long to index as memory takes to answer.
  private static let lookAhead = 4

  package let segment: Segment
  let verification: SegmentCursor.Verification
  private(set) var offset: Int
  /// The sequence of the next message.
  package private(set) var nextSequence: UInt64

  /// Hands out messages, at most so many and up to a sequence, for as long as good records of them
  /// follow one another. Returns how many: behind them is something else, or nothing yet, and the
  /// cursor tells what.
  package mutating func take(
    _ count: Int, upTo sequence: UInt64, _ body: (RecordHeader, Segment.FrameSummary) -> Void
  ) -> Int {
    var taken = 0
    while taken < count, nextSequence < sequence, let record = next() {
      body(record, segment.frames(of: record))
      taken += 1
    }
    return taken
  }

  /// The same, without a look at frame tables, of those that start before an offset: appends their
  /// headers. Ends behind so many bytes, too, each of which may be checked.
  package mutating func take(
    _ count: Int, bytes: Int, before end: Int, into records: inout [RecordHeader]
  ) {
    let end = min(end, offset + bytes)
    records.append(addingCapacity: max(0, count)) { records in
      while !records.isFull, offset < end, let record = next() { records.append(record) }
    }
  }

  @inline(__always)
  private mutating func next() -> RecordHeader? {
    guard segment.size - offset >= RecordLayout.headerSize else { return nil }
    let length = segment.loadLength(at: offset)
    segment.prefetchRecord(at: offset &+ Int(length))
    segment.prefetchRecord(at: offset &+ Int(length) &* Self.lookAhead)
    guard length != 0, let record = segment.record(at: offset, length: length),
      record.kind == .data, record.sequence == nextSequence,
      verification == .header || segment.isBodyGood(record)
    else { return nil }
    offset = record.end
    nextSequence += 1
    return record
  }
}
