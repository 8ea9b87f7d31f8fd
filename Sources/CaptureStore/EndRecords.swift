// The records that the store itself writes into a segment, beside messages and events.

/// The last record of a sealed segment: one frame, the sequence that follows its last message.
struct SegmentFooter {
  static let recordSize = RecordLayout.headerSize + RecordLayout.frameEntrySize + 8

  var nextSequence: UInt64
  /// On the monotonic clock: when the segment was sealed, or its last record came where a recovery
  /// ended it; nil for one that is to be written.
  private(set) var time: Int64?

  init(nextSequence: UInt64) { self.nextSequence = nextSequence }

  /// Lends the record's one frame.
  func withFrames<Result>(_ body: (Span<UnsafeRawBufferPointer>) -> Result) -> Result {
    let value = nextSequence.littleEndian
    return unsafe withUnsafeBytes(of: value) { bytes in
      let frames = unsafe [UnsafeRawBufferPointer(bytes)]
      return unsafe body(frames.span)
    }
  }
}

extension SegmentFooter {
  /// Reads a whole record; nil when it is no valid footer of that segment.
  init?(record: [UInt8], of segment: SegmentHeader) {
    guard record.count == Self.recordSize else { return nil }
    let found: (next: UInt64, time: Int64)? = unsafe record.withUnsafeBytes { bytes in
      func word(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      }
      let length = word(RecordLayout.lengthOffset)
      let body = unsafe UnsafeRawBufferPointer(rebasing: bytes[RecordLayout.headerSize...])
      guard Int(length) == Self.recordSize,
        unsafe bytes[RecordLayout.kindOffset] == RecordKind.footer.rawValue,
        unsafe CheckedHeader(length: length, record: bytes.baseAddress!)
          .check(salt: segment.salt) == word(RecordLayout.headerCheckOffset),
        unsafe checksum(body, seed: segment.salt) == word(RecordLayout.bodyCheckOffset)
      else { return nil }
      let time = Int64(
        littleEndian: unsafe bytes.loadUnaligned(
          fromByteOffset: RecordLayout.timeOffset, as: Int64.self))
      return (segment.firstSequence &+ UInt64(word(RecordLayout.sequenceOffset)), time)
    }
    guard let found else { return nil }
    nextSequence = found.next
    time = found.time
  }

  /// In its flags: a recovery wrote it, behind what it found.
  static let recoveredFlag: UInt8 = 1

  /// The whole record, for a segment that is ended without its writer. `time`: of its last record, on
  /// the monotonic clock of that boot.
  func record(firstSequence: UInt64, salt: UInt32, time: Int64) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.recordSize)
    unsafe bytes.withUnsafeMutableBytes { bytes in
      let base = bytes.baseAddress!
      let body = RecordLayout.headerSize
      let frame = body + RecordLayout.frameEntrySize
      unsafe base.storeWord(UInt32(frame), at: body)
      unsafe base.storeWord(UInt32(8), at: body + 4)
      unsafe base.storeWord(nextSequence, at: frame)
      let bodyCheck = unsafe checksum(UnsafeRawBufferPointer(rebasing: bytes[body...]), seed: salt)
      let description = RecordDescription(
        kind: .footer, flags: Self.recoveredFlag, sequence: nextSequence,
        monotonicNanoseconds: time)
      unsafe description.writeHeader(
        to: base, length: Self.recordSize, frameCount: 1, bodyCheck: bodyCheck,
        firstSequence: firstSequence, salt: salt)
      unsafe base.storeWord(UInt32(Self.recordSize), at: RecordLayout.lengthOffset)
    }
    return bytes
  }
}

/// Says that everything before a place is on stable storage: one frame of three u64.
package struct Checkpoint: Hashable {
  package var place: RecordPlace

  /// Lends the record's one frame.
  func withFrames<Result>(_ body: (Span<UnsafeRawBufferPointer>) -> Result) -> Result {
    let words: InlineArray<3, UInt64> = [
      place.sequence.littleEndian, place.segment.littleEndian, UInt64(place.offset).littleEndian,
    ]
    return unsafe words.span.withUnsafeBytes { bytes in
      let frames = unsafe [UnsafeRawBufferPointer(bytes)]
      return unsafe body(frames.span)
    }
  }

  init(_ place: RecordPlace) { self.place = place }

  /// Reads the frame of a checkpoint; nil when it is not one that this version understands.
  package init?(_ record: RecordHeader, in segment: Segment) {
    guard record.kind == .checkpoint, record.frameCount == 1,
      let range = segment.frameRange(0, of: record), range.count >= 24
    else { return nil }
    let number = segment.load(UInt64.self, at: range.lowerBound + 8)
    let offset = segment.load(UInt64.self, at: range.lowerBound + 16)
    guard number <= FormatLimits.countMax, offset <= UInt64(FormatLimits.countMax) else {
      return nil
    }
    place = RecordPlace(
      segment: number, offset: Int(offset),
      sequence: segment.load(UInt64.self, at: range.lowerBound))
  }
}
