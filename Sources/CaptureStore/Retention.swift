/// How much of a recording is kept: the newest of it, in whole segments. What is older makes room,
/// and its files are used again: a ring.
///
/// A segment may go as soon as one of the limits lets it go. One that only time or messages let go
/// waits until the next one is needed, which is made of its file.
public struct Retention: Codable, Hashable, Sendable {
  /// Bytes of all segment files, those that are prepared included: they take no more, however fast
  /// messages come. Only messages that are larger than segments usually are take more: one of those
  /// at a time, until the oldest segments have made room for it; two where there are no older ones.
  public var bytes: Int?
  /// Messages of the last so many nanoseconds stay, and those that share a segment with them.
  public var nanoseconds: Int64?
  /// The last so many messages stay, and those that share a segment with them.
  public var messages: UInt64?

  public init(bytes: Int? = nil, nanoseconds: Int64? = nil, messages: UInt64? = nil) {
    self.bytes = bytes
    self.nanoseconds = nanoseconds
    self.messages = messages
  }

  /// Whether its limits can be met.
  var isSound: Bool { bytes ?? 1 > 0 && nanoseconds ?? 1 > 0 && messages ?? 1 > 0 }

  /// As many segments as share a limit: what is kept is never much more, or less, than that.
  private static let segmentsMin = 8

  /// The largest segments that a limit in bytes leaves room for.
  public var segmentSizeMax: Int { bytes.map { $0 / Self.segmentsMin & ~0xFFF } ?? .max }

  /// Of a ring nobody knows how much its limits in time or messages will take: three segments are
  /// there at once.
  public var segmentSizeDefault: Int { min(segmentSizeMax, 64 << 20) }

  /// A segment in use for so long is followed by the next one.
  var segmentNanosecondsMax: Int64? {
    nanoseconds.map { max($0 / Int64(Self.segmentsMin), 1_000_000_000) }
  }

  /// A segment of so many messages is followed by the next one.
  var segmentMessagesMax: UInt64? { messages.map { max($0 / UInt64(Self.segmentsMin), 1024) } }
}

/// What a ring keeps, and its segments that are sealed, or never will be: the oldest first.
struct SegmentRing: Sendable {
  struct Entry: Sendable {
    var path: String
    var number: UInt64
    var size: Int
    var firstSequence: UInt64
    /// The sequence that follows its last message.
    var nextSequence: UInt64
    /// When it was begun, on the monotonic clock.
    var begun: Int64
    /// When its last message had come, on the monotonic clock.
    var ended: Int64
    /// To be used again; nil for one of an earlier recording, one that others need, and the older
    /// ones of very many.
    var segment: SegmentWriter?
  }

  /// Who asks for all of the time that is kept is heard within this.
  static let askedWithin: Int64 = 500_000_000

  let retention: Retention
  var entries: [Entry] = []
  /// The disk had no room for a segment, or for one to grow: the oldest one makes it.
  var isShort = false

  init(retention: Retention) { self.retention = retention }

  /// Adds the newest. `writersMax`: so many can be used again, for each has an open file. Returns
  /// the writer of an older one that is too much, for the caller to let go of where nobody waits:
  /// that closes and unmaps its file.
  mutating func append(_ entry: Entry, writersMax: Int) -> SegmentWriter? {
    entries.append(entry)
    let older = entries.count - 1 - writersMax
    guard older >= 0 else { return nil }
    defer { entries[older].segment = nil }
    return entries[older].segment
  }

  /// Until when what has made room was recorded, on the monotonic clock: in a ring that is gone on with,
  /// up to its first segment; nil where that begins the recording.
  var goneUntil: Int64? { entries.first.flatMap { $0.firstSequence > 0 ? $0.begun : nil } }

  /// Whether so many bytes of segment files are more than it may take.
  func isOver(_ bytes: Int) -> Bool { retention.bytes.map { bytes > $0 } ?? false }

  /// Whether the oldest segment may go. `bytes`: what all segment files take, those that are needed now
  /// included. `nextSequence`: that of the next message.
  func isSurplus(_ oldest: Entry, bytes: Int, nextSequence: UInt64, now: Int64) -> Bool {
    if isShort { return true }
    if isOver(bytes) { return true }
    if let span = retention.nanoseconds, oldest.ended < now - span - Self.askedWithin {
      return true
    }
    if let least = retention.messages, nextSequence >= least,
      oldest.nextSequence <= nextSequence - least
    {
      return true
    }
    return false
  }
}

extension SegmentRing {
  /// The segments that are there when a recording goes on with a ring; the active one is not among
  /// them. One that cannot be read is as old as the next one.
  init(_ retention: Retention, of capture: Capture, activeNumber: UInt64) throws(StoreError) {
    self.init(retention: retention)
    let now = ClockPair.now()
    var nextSequence: UInt64 = 0
    var nextBegun = now.monotonicNanoseconds
    // From the newest on: what a segment begins with is what the one before it ended with.
    for file in try capture.segmentFiles().reversed() {
      let segment = try? capture.openSegment(file.path)
      let header = segment?.header
      // Whatever the clock was set to meanwhile, they follow one another.
      let begun = min(header.map { $0.clock.monotonicTime(now) } ?? nextBegun, nextBegun)
      var ended = nextBegun
      if let header, let time = (try? segment?.lastFooter())??.time {
        let span = max(0, time.subtractingReportingOverflow(header.clock.monotonicNanoseconds).0)
        ended = min(begun.addingReportingOverflow(span).0, nextBegun)
      }
      if file.number < activeNumber {
        entries.append(
          Entry(
            path: file.path, number: file.number, size: file.size,
            firstSequence: header?.firstSequence ?? nextSequence, nextSequence: nextSequence,
            begun: begun, ended: max(begun, ended)))
      }
      nextSequence = header?.firstSequence ?? nextSequence
      nextBegun = begun
    }
    entries.reverse()
  }
}

extension ClockPair {
  /// Its moment on the monotonic clock of this boot: as it was read there, whatever the time of day was
  /// set to since; for one of another boot by the time of day.
  fileprivate func monotonicTime(_ now: ClockPair) -> Int64 {
    if bootID == now.bootID, bootID != 0 { return monotonicNanoseconds }
    return now.monotonicNanoseconds - (now.unixNanoseconds - unixNanoseconds)
  }
}
