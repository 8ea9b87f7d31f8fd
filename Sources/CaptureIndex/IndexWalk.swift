import CaptureStore
import GRDB
import PayloadCodecs

/// Messages counted together.
struct Tally: Hashable, Sendable {
  var messages: Int64 = 0
  var bytes: Int64 = 0
  var firstTime: Int64 = .max
  var lastTime: Int64 = .min

  mutating func add(bytes count: Int, time: Int64) {
    messages &+= 1
    bytes &+= Int64(count)
    firstTime = min(firstTime, time)
    lastTime = max(lastTime, time)
  }

  mutating func add(_ other: Tally) {
    messages &+= other.messages
    bytes &+= other.bytes
    firstTime = min(firstTime, other.firstTime)
    lastTime = max(lastTime, other.lastTime)
  }
}

/// The indexing walk without its database: reads records in order and counts them.
///
/// Live indexing, `zcap reindex` and reading a capture whose index is behind are this one walk.
/// Block boundaries, samples and eras depend on the records alone, never on when it was called.
struct IndexWalk {
  /// A block ends before it gets larger, longer or older than this.
  static let blockBytesMax = 256 << 10
  static let blockMessagesMax = 1024
  static let blockNanosecondsMax: Int64 = 100_000_000
  /// More distinct tags than this are folded into one: hostile frames, not a recording.
  static let codecsMax = 10_000
  static let overflowCodec = "(more codecs)"

  struct Summary {
    let endpoint: Int
    let topic: TopicTable.ID
    let codec: Int
    var total = Tally()
    fileprivate(set) var inBlock = Tally()
    fileprivate(set) var isListed = false
  }

  struct Block {
    var segment: UInt64
    var offset: Int
    var endOffset: Int
    var firstSequence: UInt64
    var tally = Tally()
    var summaries: [(id: Int, tally: Tally)] = []

    /// In the index: that of the same block, as it grows, is always the same.
    var id: Int64 { Int64(firstSequence) }

    /// Whether a record is still one of this block.
    func takes(_ record: RecordHeader, of number: UInt64, time: Int64) -> Bool {
      segment == number && tally.messages < blockMessagesMax
        && record.end - offset <= blockBytesMax
        && time - tally.firstTime <= blockNanosecondsMax
    }

    fileprivate mutating func add(_ record: RecordHeader, bytes: Int, time: Int64) {
      endOffset = record.end
      tally.add(bytes: bytes, time: time)
    }
  }

  struct Era {
    var endpoint: Int
    var topic: TopicTable.ID
    var firstSequence: UInt64
    var tags: FrameTags
  }

  private(set) var cursor: CaptureCursor

  mutating func leaveRetired() { cursor.leaveRetired() }

  let rule: TopicRule
  let codecRules: [CodecRule]
  private let registry: CodecRegistry

  // Totals since the beginning of the capture.
  private var table = StreamTable()
  private(set) var codecs: [String] = []
  private(set) var summaries: [Summary] = []
  /// What is no message: events, losses, damage.
  private(set) var ledger = WalkLedger()
  private(set) var counters: CounterBook
  /// The block that still grows.
  private(set) var openBlock: Block?

  /// Streams that counted messages of the open block which their summaries do not count yet.
  private var unsettled: [StreamTable.ID] = []

  // What came since `takeNews`.
  private var news = News()

  /// What a database has to be told after some steps.
  struct News {
    var blocks: [Block] = []
    var eras: [Era] = []
    var ledger = WalkLedger.News()
    /// Counters that changed.
    var counters: [Int] = []
    /// Summaries that changed, and topics and codecs that are new, counted from these.
    var summaries: Set<Int> = []
    var firstTopic = 1
    var firstCodec = 0
  }

  private var codecIDs: [String: Int] = [:]
  private var summaryIDs: [SummaryKey: Int] = [:]

  private struct SummaryKey: Hashable {
    var endpoint: Int
    var topic: TopicTable.ID
    var codec: Int
  }

  /// Starts at the beginning of the capture.
  init(
    _ capture: Capture, rule: TopicRule, sequences: [SequenceRule] = [],
    codecs: [CodecRule] = [], registry: CodecRegistry = .standard,
    verifying: SegmentCursor.Verification
  ) {
    cursor = CaptureCursor(capture, verifying: verifying)
    self.rule = rule
    counters = CounterBook(sequences)
    codecRules = codecs
    self.registry = registry
  }

  var topics: TopicTable { table.topics }

  enum End { case more, caughtUp, final }

  /// Walks up to `count` steps, or until a sequence is next or was jumped over, and on where it
  /// could not pause. Throws where the capture is of a version that we cannot read.
  mutating func advance(
    steps count: Int, upTo sequence: UInt64 = .max
  ) throws(StoreError) -> End {
    defer {
      settle()
      for number in cursor.takeSealed() { ledger.seal(number) }
      ledger.totals.retired = min(
        WalkLedger.lostMax, ledger.totals.retired &+ Int64(clamping: cursor.takeRetired()))
    }
    var left = count
    while true {
      takeRun(&left, upTo: sequence)
      guard left > 0 && cursor.nextSequence < sequence || cursor.isMidway else { return .more }
      left -= 1
      switch cursor.next() {
      case .record(let record):
        if let segment = cursor.segment { take(record, segment) }
      case .missing(let sequences):
        closeBlock()
        ledger.miss(sequences, at: cursor.place)
      case .damage(let damage):
        closeBlock()
        add(damage)
      case .unreadable(let error, let bytes):
        if error.isRefusal { throw error }
        closeBlock()
        if bytes > 0 { add(error, bytes: bytes) }
      case .caughtUp(let isFinal):
        return isFinal ? .final : .caughtUp
      }
    }
  }

  /// Messages that follow one another, which is what there is mostly.
  private mutating func takeRun(_ left: inout Int, upTo sequence: UInt64) {
    guard var run = cursor.run else { return }
    let segment = run.segment
    left -= run.take(left, upTo: sequence) { add($0, $1, segment) }
    cursor.pass(run)
  }

  private mutating func take(_ record: RecordHeader, _ segment: Segment) {
    switch record.kind {
    case .data: add(record, segment.frames(of: record), segment)
    case .event:
      if let event = StoredEvent(record, in: segment) { ledger.add(event, record, in: segment) }
    case .checkpoint:
      if let checkpoint = Checkpoint(record, in: segment) { ledger.add(checkpoint) }
    default: break
    }
  }

  private mutating func add(_ damage: Damage) {
    ledger.add(
      WalkLedger.Damage(
        segment: cursor.segment?.header.number ?? 0, offset: damage.range.lowerBound,
        endOffset: damage.range.upperBound, reason: damage.reason.rawValue))
  }

  /// A segment that cannot be read is known by its place in front of the next one.
  private mutating func add(_ error: StoreError, bytes: Int) {
    let next = cursor.place.segment
    ledger.add(
      WalkLedger.Damage(
        segment: next > 0 ? next - 1 : 0, offset: 0, endOffset: bytes,
        reason: error.description, isUnreadable: true))
  }

  // MARK: - One message

  private mutating func add(
    _ record: RecordHeader, _ frames: Segment.FrameSummary, _ segment: Segment
  ) {
    let time = record.monotonicNanoseconds &+ segment.header.clock.unixOffset
    let shape = MessageShape(record, frames)
    let stream = streamID(of: record, frames, in: segment)
    if openBlock?.takes(record, of: segment.header.number, time: time) != true {
      closeBlock()
      openBlock = Block(
        segment: segment.header.number, offset: record.offset, endOffset: record.end,
        firstSequence: record.sequence)
    }
    if !table.streams[stream].isUsual(shape) || !fits(record, segment, stream) {
      look(at: record, segment, shape, stream)
    }
    if !counters.rules.isEmpty { count(record, segment, stream, time: time) }
    if table.streams[stream].count(bytes: frames.bytes, time: time) { unsettled.append(stream) }
    openBlock!.add(record, bytes: frames.bytes, time: time)
    ledger.totals.lastTime = time
  }

  /// Whether the frames of a message may be what they are held for. Reads no more of the stream than that:
  /// a copy of it for each message was half of what indexing small ones cost.
  @inline(__always)
  private func fits(
    _ record: RecordHeader, _ segment: Segment, _ stream: StreamTable.ID
  ) -> Bool {
    if table.streams[stream].checks.isEmpty { return true }
    let checks = table.streams[stream].checks
    return checks.allSatisfy { $0.fits(record, in: segment) }
  }

  /// Looks at the numbers that the message carries.
  private mutating func count(
    _ record: RecordHeader, _ segment: Segment, _ stream: StreamTable.ID, time: Int64
  ) {
    if table.streams[stream].counters == nil {
      let (endpoint, topic) = (table.streams[stream].endpoint, table.streams[stream].topic)
      let name = topic == TopicTable.noTopic ? nil : table.topics.name(of: topic)
      let found = counters.ids(endpoint: endpoint, topic: topic, name: name)
      if found == nil && !ledger.totals.isCounterLimitTold {
        ledger.totals.isCounterLimitTold = true
        let event = StoredEvent(
          "uncounted", monotonicNanoseconds: record.monotonicNanoseconds,
          ["counters": .number(Int64(CounterBook.countersMax))])
        ledger.derive(event, lost: 0, record, in: segment, endpoint: endpoint, time: time)
      }
      table.streams[stream].counters = found ?? []
    }
    guard let ids = table.streams[stream].counters, !ids.isEmpty else { return }
    counters.follow(ids, record, in: segment, time: time, topics: table.topics, ledger: &ledger)
  }

  @inline(__always)
  private mutating func streamID(
    of record: RecordHeader, _ frames: Segment.FrameSummary, in segment: Segment
  ) -> StreamTable.ID {
    let endpoint = Int(record.endpoint)
    guard let first = frames.first else { return table.id(endpoint: endpoint, topic: nil) }
    let frame = segment.bytes.extracting(first)
    guard let size = rule.topicSize(of: frame, first: record.frameCount) else {
      return table.id(endpoint: endpoint, topic: nil)
    }
    return table.id(endpoint: endpoint, topic: frame.extracting(first: size))
  }

  /// Looks at a sample, or a message of another shape than the one before: it may begin an era, or
  /// belong to another summary.
  private mutating func look(
    at record: RecordHeader, _ segment: Segment, _ shape: MessageShape, _ id: StreamTable.ID
  ) {
    learn(id, record, segment, shape)
    guard table.streams[id].shape != shape else { return }
    settle(id)
    table.streams[id].shape = shape
    table.streams[id].summary = table.streams[id].summaries[shape] ?? newSummaryID(id, shape)
  }

  private mutating func newSummaryID(_ id: StreamTable.ID, _ shape: MessageShape) -> Int {
    let stream = table.streams[id]
    let codec = codecID(stream.tags.tag(of: shape))
    let summary = summaryID(
      SummaryKey(endpoint: stream.endpoint, topic: stream.topic, codec: codec))
    table.streams[id].summaries[shape] = summary
    return summary
  }

  /// Samples the message where it is its turn, and begins an era where it tells something new.
  private mutating func learn(
    _ id: StreamTable.ID, _ record: RecordHeader, _ segment: Segment, _ shape: MessageShape
  ) {
    let stream = table.streams[id]
    let isKnown = stream.shape == shape || stream.tags.covers(shape)
    let isDue = stream.isSampleDue || !fits(record, segment, id)
    guard !isKnown || (isDue && stream.eras < FrameTags.erasMax) else { return }
    let ruled = ruledTags(id)
    guard
      table.streams[id].tags.learn(
        from: record, in: segment, registry: registry, ruled: ruled,
        keepsShapes: stream.eras < FrameTags.shapedErasMax)
    else { return }
    table.streams[id].eras += 1
    table.streams[id].checks = table.streams[id].tags.checks(ruled: ruled)
    table.streams[id].summaries = [:]
    table.streams[id].shape = nil
    news.eras.append(
      Era(
        endpoint: stream.endpoint, topic: stream.topic, firstSequence: record.sequence,
        tags: table.streams[id].tags))
  }

  private mutating func ruledTags(_ id: StreamTable.ID) -> [CodecTag?] {
    if codecRules.isEmpty { return [] }
    if let known = table.streams[id].ruledTags { return known }
    let topic = table.streams[id].topic
    let name = topic == TopicTable.noTopic ? nil : topics.name(of: topic)
    let tags = codecRules.tags(ofTopic: name)
    table.streams[id].ruledTags = tags
    return tags
  }

  private mutating func summaryID(_ key: SummaryKey) -> Int {
    if let known = summaryIDs[key] { return known }
    summaries.append(Summary(endpoint: key.endpoint, topic: key.topic, codec: key.codec))
    summaryIDs[key] = summaries.count - 1
    return summaries.count - 1
  }

  private mutating func codecID(_ tag: String) -> Int {
    if let known = codecIDs[tag] { return known }
    if codecs.count >= Self.codecsMax && tag != Self.overflowCodec {
      return codecID(Self.overflowCodec)
    }
    codecs.append(tag)
    codecIDs[tag] = codecs.count - 1
    return codecs.count - 1
  }

  // MARK: - Blocks

  private mutating func closeBlock() {
    guard openBlock != nil else { return }
    settleOpenBlock()
    for (id, _) in openBlock!.summaries {
      summaries[id].inBlock = Tally()
      summaries[id].isListed = false
    }
    news.blocks.append(openBlock!)
    openBlock = nil
  }

  /// Copies the counts of the open block's summaries into it.
  private mutating func settleOpenBlock() {
    guard openBlock != nil else { return }
    settle()
    for index in openBlock!.summaries.indices {
      let id = openBlock!.summaries[index].id
      openBlock!.summaries[index].tally = summaries[id].inBlock
      news.summaries.insert(id)
    }
  }

  /// Has the summaries count what the streams did.
  private mutating func settle() {
    for id in unsettled { settle(id) }
    unsettled.removeAll(keepingCapacity: true)
  }

  private mutating func settle(_ id: StreamTable.ID) {
    let (summary, tally) = (table.streams[id].summary, table.streams[id].unsettled)
    guard tally.messages > 0 else { return }
    table.streams[id].unsettled = Tally()
    if !summaries[summary].isListed {
      summaries[summary].isListed = true
      openBlock!.summaries.append((summary, Tally()))
      news.summaries.insert(summary)
    }
    summaries[summary].inBlock.add(tally)
    summaries[summary].total.add(tally)
  }

  // MARK: - Rings

  /// What is left of a ring, by its index, when some of it has made room.
  struct Remainder {
    /// As many as there are.
    var totals: [Tally]
    var ledger: WalkLedger.Totals
    /// Eras that went.
    var eras: [Era]
  }

  /// Forgets what made room. Right after its news were stored.
  mutating func forget(allBut remainder: Remainder) {
    for (id, total) in remainder.totals.enumerated() { summaries[id].total = total }
    ledger.totals = remainder.ledger
    for era in remainder.eras {
      table.streams[table.id(endpoint: era.endpoint, topic: era.topic)].eras -= 1
    }
  }

  // MARK: - Hand-over

  /// What came since the last call; the open block is brought up to date.
  mutating func takeNews() -> News {
    settleOpenBlock()
    var taken = news
    taken.ledger = ledger.takeNews()
    taken.counters = counters.takeChanged()
    news = News()
    news.firstTopic = topics.count + 1
    news.firstCodec = codecs.count
    return taken
  }

  /// Takes up a walk where its index left off. Only before the first step.
  mutating func resume(_ past: Past) throws {
    precondition(summaries.isEmpty, "a walk resumes before its first step")
    cursor = try CaptureCursor(
      cursor.capture, at: past.place, verifying: past.verification)
    table.resume(past.topics)
    for codec in past.codecs { _ = codecID(codec) }
    for summary in past.summaries {
      let key = SummaryKey(
        endpoint: summary.endpoint, topic: summary.topic, codec: summary.codec)
      let id = summaryID(key)
      summaries[id].total = summary.total
      let stream = table.id(endpoint: key.endpoint, topic: key.topic)
      table.streams[stream].messages &+= summary.total.messages
    }
    for era in past.eras {
      let stream = table.id(endpoint: era.endpoint, topic: era.topic)
      table.streams[stream].tags = era.tags
      table.streams[stream].checks = era.tags.checks(ruled: ruledTags(stream))
      table.streams[stream].eras += 1
    }
    if let block = past.openBlock { try reopen(block) }
    ledger.resume(past.ledger, recentMissing: past.recentMissing)
    counters.resume(past.counters)
    news.firstTopic = topics.count + 1
    news.firstCodec = codecs.count
  }

  private mutating func reopen(_ block: Block) throws {
    openBlock = block
    for (id, tally) in block.summaries {
      guard summaries.indices.contains(id), !summaries[id].isListed else {
        throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "an open block of no summary")
      }
      summaries[id].inBlock = tally
      summaries[id].isListed = true
    }
  }

  /// What an index knows of the walk that made it.
  struct Past {
    var place: RecordPlace
    var verification: SegmentCursor.Verification
    var topics: [[UInt8]]
    var codecs: [String]
    var summaries: [Summary]
    var eras: [Era]
    var openBlock: Block?
    var ledger: WalkLedger.Totals
    var recentMissing: [WalkLedger.Missing]
    var counters: [Counter]
  }
}
