import CaptureStore

/// Keeps what a reading thread needs in memory, and little else: has the pages ahead of it read from
/// the disk, and gives those far behind it back.
///
/// What the sender or libzmq still needs of those is faulted in again, from the system's cache.
struct PageWindow {
  /// How far ahead it looks: little at first, since asking for much holds up the first message.
  private static let reachMin = 512 << 10
  private static let reachMax = 32 << 20
  private static let behind = 256 << 20

  private typealias Stretch = (segment: Segment, range: Range<Int>)

  private var segment: Segment?
  /// Where the last step was.
  private var start = 0
  /// Where the next step is due.
  private var mark = 0
  /// Up to where pages were asked for.
  private var asked = 0
  private var reach = Self.reachMin
  private var passed: [Stretch] = []
  private var passedBytes = 0

  /// The reading thread has come to a record.
  @inline(__always)
  mutating func pass(_ record: RecordHeader, of segment: Segment) {
    if segment === self.segment, record.end <= mark { return }
    step(to: record, of: segment)
  }

  private mutating func step(to record: RecordHeader, of next: Segment) {
    if let segment {
      let end = segment === next ? record.offset : min(mark, segment.size)
      if start < end { leave((segment, start..<end)) }
    }
    if segment !== next { asked = 0 }
    segment = next
    start = record.offset
    mark = record.end + reach / 4
    asked = next.readAhead(from: max(asked, record.end), to: record.end + reach)
    reach = min(Self.reachMax, 2 * reach)
  }

  private mutating func leave(_ stretch: Stretch) {
    passed.append(stretch)
    passedBytes += stretch.range.count
    while passedBytes > Self.behind {
      let oldest = passed.removeFirst()
      passedBytes -= oldest.range.count
      oldest.segment.giveBack(oldest.range)
    }
  }
}
