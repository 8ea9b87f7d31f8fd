import CaptureStore

/// What the walk knows beside messages: events, what is missing, what is damaged, what was safe.
///
/// It holds totals and the news; what it told before is in the index.
struct WalkLedger {
  /// Events that are listed, of recorded and of derived ones each. The others are counted.
  static let eventsMax: Int64 = 100_000
  /// Damaged places that are listed. The bytes of the others are counted as damaged.
  static let damagesMax: Int64 = 100_000
  /// Ranges of missing messages that a counter's gap may be explained by.
  static let missingRemembered = 64
  /// No capture loses more; sums of what it says never overflow.
  static let lostMax: Int64 = 1 << 60
  /// Nor does one event.
  static let lostAtOnceMax: Int64 = 1 << 40

  /// A row of the table `event`.
  struct Event: Hashable {
    var id: Int64
    var firstSequence: UInt64
    var segment: UInt64
    var offset: Int
    var time: Int64
    var kind: String
    var endpoint: Int?
    var lost: Int64
    var detail: String
  }

  /// A row of the table `missing`, with the place where the walk found it out.
  struct Missing: Hashable {
    var first: UInt64
    var count: UInt64
    /// Those that no gap of a counter was explained by.
    var unexplained: UInt64
    var segment: UInt64
    var offset: Int
    var time: Int64?
  }

  /// A row of the table `damage`.
  struct Damage: Hashable {
    var segment: UInt64
    var offset: Int
    var endOffset: Int
    var reason: String
    /// A segment as a whole.
    var isUnreadable = false
    var time: Int64?
  }

  /// What is learnt of a segment: whether its damage is corruption or a tear.
  struct SegmentFacts: Hashable {
    var durableOffset = 0
    var isSealed = false
    /// Damaged bytes that were there when it was recovered.
    var recoveredBytes: Int64?
  }

  /// What is handed on when a walk is resumed.
  struct Totals: Hashable {
    var missing: Int64 = 0
    /// Those that made room in a ring, lost ones included.
    var retired: Int64 = 0
    /// Lost by what events and counters say.
    var lostOnTheWay: Int64 = 0
    var recordedEvents: Int64 = 0
    var derivedEvents: Int64 = 0
    /// The id of the next event that is listed.
    var nextEvent: Int64 = 0
    var damages: Int64 = 0
    var damagedBytesUnlisted: Int64 = 0
    /// Of the last record that was read.
    var lastTime: Int64?
    /// Counters beyond the limit were met, and that was told.
    var isCounterLimitTold = false

    var lost: Int64 { max(0, min(WalkLedger.lostMax, missing + lostOnTheWay)) }
    var events: Int64 { recordedEvents + derivedEvents }

    fileprivate mutating func takeEventID() -> Int64 {
      defer { nextEvent += 1 }
      return nextEvent
    }
  }

  var totals = Totals()
  private(set) var recentMissing: [Missing] = []
  private(set) var news = News()

  struct News {
    var events: [Event] = []
    var missing: [Missing] = []
    var damages: [Damage] = []
    var segments: [UInt64: SegmentFacts] = [:]
  }

  mutating func takeNews() -> News {
    defer { news = News() }
    return news
  }

  mutating func resume(_ totals: Totals, recentMissing: [Missing]) {
    self.totals = totals
    self.recentMissing = recentMissing
  }

  private mutating func count(lost: Int64) {
    totals.lostOnTheWay = max(
      -Self.lostMax, min(Self.lostMax, totals.lostOnTheWay &+ lost))
  }

  // MARK: - What was recorded

  mutating func add(_ event: StoredEvent, _ record: RecordHeader, in segment: Segment) {
    let time = record.monotonicNanoseconds &+ segment.header.clock.unixOffset
    totals.lastTime = time
    // Other kinds speak of losses that are told in another place, too.
    let lost =
      event.kind == "refused" ? max(0, min(event.number("lost") ?? 1, Self.lostAtOnceMax)) : 0
    if event.kind == "recovered", let number = event.number("segment"), number >= 0,
      let damagedBytes = event.number("damaged_bytes")
    {
      // What had been safe is corruption, whenever it was found.
      let isCorrupt = event.number("corrupt_bytes") ?? 0 > 0
      let bytes = isCorrupt ? 0 : max(0, min(damagedBytes, Self.lostMax))
      news.segments[UInt64(number), default: SegmentFacts()].recoveredBytes = bytes
    }
    if totals.recordedEvents < Self.eventsMax {
      news.events.append(
        Event(
          id: totals.takeEventID(), firstSequence: record.sequence,
          segment: segment.header.number, offset: record.offset, time: time, kind: event.kind,
          endpoint: event.text("endpoint") == nil ? nil : Int(record.endpoint), lost: lost,
          detail: String(decoding: event.json, as: UTF8.self)))
    }
    totals.recordedEvents += 1
    count(lost: lost)
  }

  mutating func add(_ checkpoint: Checkpoint) {
    let place = checkpoint.place
    let known = news.segments[place.segment]?.durableOffset ?? 0
    news.segments[place.segment, default: SegmentFacts()].durableOffset = max(known, place.offset)
  }

  mutating func seal(_ number: UInt64) {
    news.segments[number, default: SegmentFacts()].isSealed = true
  }

  // MARK: - What the walk finds

  mutating func miss(_ sequences: Range<UInt64>, at place: RecordPlace) {
    let missing = Missing(
      first: sequences.lowerBound, count: UInt64(sequences.count),
      unexplained: UInt64(sequences.count), segment: place.segment, offset: place.offset,
      time: totals.lastTime)
    totals.missing = min(Self.lostMax, totals.missing &+ Int64(sequences.count))
    news.missing.append(missing)
    if recentMissing.count == Self.missingRemembered { recentMissing.removeFirst() }
    recentMissing.append(missing)
  }

  mutating func add(_ damage: Damage) {
    var damage = damage
    damage.time = totals.lastTime
    if totals.damages < Self.damagesMax {
      totals.damages += 1
      news.damages.append(damage)
    } else {
      totals.damagedBytesUnlisted = min(
        Self.lostMax, totals.damagedBytesUnlisted &+ Int64(damage.endOffset - damage.offset))
    }
  }

  /// How many numbers of a gap are messages that the capture itself misses, behind a sequence.
  mutating func explain(_ count: UInt64, after sequence: UInt64) -> UInt64 {
    var explained: UInt64 = 0
    for index in recentMissing.indices where recentMissing[index].first > sequence {
      let taken = min(recentMissing[index].unexplained, count - explained)
      guard taken > 0 else { continue }
      recentMissing[index].unexplained -= taken
      explained += taken
      news.missing.append(recentMissing[index])
    }
    return explained
  }

  /// Something that a message tells by the number it carries.
  mutating func derive(
    _ event: StoredEvent, lost: Int64, _ record: RecordHeader, in segment: Segment,
    endpoint: Int, time: Int64
  ) {
    let lost = min(lost, Self.lostAtOnceMax)
    if totals.derivedEvents < Self.eventsMax {
      news.events.append(
        Event(
          id: totals.takeEventID(), firstSequence: record.sequence,
          segment: segment.header.number, offset: record.offset, time: time, kind: event.kind,
          endpoint: endpoint, lost: lost,
          detail: String(decoding: event.json, as: UTF8.self)))
    }
    totals.derivedEvents += 1
    count(lost: lost)
  }

  /// Room for another listed event of this kind: its detail costs to be made.
  var listsDerived: Bool { totals.derivedEvents < Self.eventsMax }
}
