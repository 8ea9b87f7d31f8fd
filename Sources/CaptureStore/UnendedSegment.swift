import Glibc

/// A segment without a footer at its end: what a walk over it finds, and how it is ended.
struct UnendedSegment {
  let path: String
  private let salt: UInt32
  private let firstSequence: UInt64
  private(set) var ending: Recovery.Ending
  /// Of its last record, or of its beginning, on the monotonic clock.
  private let lastTime: Int64
  /// What its own checkpoints say of it and of those before: offsets by segment.
  private(set) var durable: [UInt64: Int] = [:]
  private let damages: [Damage]
  /// Where what is not zero ends.
  private let contentEnd: Int
  /// A footer stands at the end already: only the rest of the file is to go.
  private let hasFooter: Bool
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
    var damages: [Damage] = []
    var isAtEnd = false
    var lastTime = segment.header.clock.monotonicNanoseconds
    while !isAtEnd {
      switch cursor.next() {
      case .record(let record):
        // Others tell what the next message has: so much was there, and is told to be missing.
        if record.kind != .data {
          next = max(next, record.sequence)
        } else if record.sequence >= next {
          held += 1
          next = record.sequence + 1
        }
        if let place = Checkpoint(record, in: segment)?.place {
          durable[place.segment] = max(durable[place.segment] ?? 0, place.offset)
        }
        end = record.end
        lastTime = record.monotonicNanoseconds
      case .damage(let damage):
        if let sequence = damage.sequence { next = max(next, sequence + 1) }
        damages.append(damage)
        // A reader that only looks at headers stands behind it: there must be something.
        if damage.reason == .body { end = damage.range.upperBound }
      case .end(isSealed: true):
        end = cursor.offset
        next = max(next, cursor.footerNextSequence ?? next)
        isAtEnd = true
      case .end(isSealed: false):
        if let damage = cursor.passOverGap() {
          damages.append(damage)
        } else {
          isAtEnd = true
        }
      }
    }
    // What cannot be read now is not known to be damaged.
    if let failure = cursor.failure { throw failure }
    hasFooter = cursor.footerNextSequence != nil
    isEnded = hasFooter && end == segment.size
    if hasFooter {
      contentEnd = end
    } else if segment.header.isRecycled {
      // What is not a damage of this segment is what the file held before.
      contentEnd = damages.reduce(end) { max($0, $1.range.upperBound) }
    } else {
      contentEnd = max(end, try files.contentEnd(path, from: end))
    }
    self.damages = damages
    self.lastTime = lastTime
    ending = Recovery.Ending(
      segment: number, offset: end, nextSequence: next, tornBytes: contentEnd - end,
      damagedBytes: damages.reduce(0) { $1.range.upperBound <= end ? $0 + $1.range.count : $0 },
      corruptBytes: 0, messagesMissing: next - firstSequence - held)
  }

  /// Counts what had been on stable storage up to an offset, and is not there as it was written.
  mutating func judge(durableEnd: Int) {
    ending.corruptBytes = damages.reduce(0) {
      $1.range.lowerBound < durableEnd ? $0 + $1.range.count : $0
    }
    if durableEnd != .max { ending.corruptBytes += max(0, durableEnd - contentEnd) }
  }

  /// Copies what stands behind the end into a file beside the segment. One that is there from
  /// another time is never replaced.
  func keepTornBytes(_ files: FileSystem) throws(StoreError) {
    guard ending.tornBytes > 0 else { return }
    let source = try files.open(path, O_RDONLY)
    defer { files.close(source) }
    let copy = path + Recovery.tornSuffix + Recovery.newSuffix
    let file = try files.open(copy, O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
    defer { files.close(file) }
    var offset = ending.offset
    while offset < contentEnd {
      var piece = [UInt8](repeating: 0, count: min(1 << 20, contentEnd - offset))
      let count = try files.read(source, path, at: offset, into: &piece)
      guard count > 0 else { break }
      piece.removeLast(piece.count - count)
      try files.write(piece, to: file, copy, at: offset - ending.offset)
      offset += count
    }
    try files.synchronize(file, copy)
    try Recovery.keep(copy, asTornOf: path, files)
  }

  /// Writes the footer behind the last valid record, then cuts the file there: in this order, each
  /// on stable storage before the next, so that who reads it meanwhile never goes past the cut.
  func end(_ files: FileSystem) throws(StoreError) {
    let file = try files.open(path, O_RDWR)
    defer { files.close(file) }
    var end = ending.offset
    if !hasFooter {
      let footer = SegmentFooter(nextSequence: ending.nextSequence)
        .record(firstSequence: firstSequence, salt: salt, time: lastTime)
      try files.synchronize(file, path)
      try files.write(footer, to: file, path, at: end)
      try files.synchronize(file, path)
      end += footer.count
    }
    try files.truncate(file, path, size: end)
    try files.synchronize(file, path)
  }
}
