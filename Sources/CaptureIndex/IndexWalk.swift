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
  }

  struct Era {
    var endpoint: Int
    var topic: TopicTable.ID
    var firstSequence: UInt64
    var tags: FrameTags
  }

  /// What is known of one topic of one endpoint.
  private struct TopicState {
    var messages: Int64 = 0
    var tags = FrameTags()
    var eras = 0
    var summaries: [MessageShape: Int] = [:]
    var lastShape: MessageShape?
    var lastSummary = 0
    /// Its counters; nil while nobody has looked.
    var counters: [Int]?
  }

  private(set) var cursor: CaptureCursor
  let rule: TopicRule
  private let registry: CodecRegistry

  // Totals since the beginning of the capture.
  private(set) var topics = TopicTable()
  private(set) var codecs: [String] = []
  private(set) var summaries: [Summary] = []
  /// What is no message: events, losses, damage.
  private(set) var ledger = WalkLedger()
  private(set) var counters: CounterBook
  /// The block that still grows.
  private(set) var openBlock: Block?

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
  private var states: [TopicState] = []
  /// By endpoint, then by topic id: 1 + the index of its state, 0 where there is none.
  private var stateIDs: [[Int32]] = []
  /// The same for endpoints that a table each would cost too much for.
  private var rareStateIDs: [EndpointTopic: Int] = [:]
  private static let endpointsTabled = 64

  private struct EndpointTopic: Hashable {
    var endpoint: Int
    var topic: TopicTable.ID
  }

  private var summaryIDs: [SummaryKey: Int] = [:]

  private struct SummaryKey: Hashable {
    var endpoint: Int
    var topic: TopicTable.ID
    var codec: Int
  }

  /// Starts at the beginning of the capture.
  init(
    _ capture: Capture, rule: TopicRule, sequences: [SequenceRule] = [],
    registry: CodecRegistry = .standard, verifying: SegmentCursor.Verification
  ) {
    cursor = CaptureCursor(capture, verifying: verifying)
    self.rule = rule
    counters = CounterBook(sequences)
    self.registry = registry
  }

  enum End { case more, caughtUp, final }

  /// Walks up to `count` steps, or until a sequence is next or was jumped over, and on where it
  /// could not pause. Throws where the capture is of a version that we cannot read.
  mutating func advance(
    steps count: Int, upTo sequence: UInt64 = .max
  ) throws(StoreError) -> End {
    defer {
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
    let topic = topicID(of: record, in: segment)
    let endpoint = Int(record.endpoint)
    let state = stateID(endpoint: endpoint, topic: topic)
    learn(state, record, segment, shape, endpoint: endpoint, topic: topic)
    states[state].messages += 1
    ledger.totals.lastTime = time
    if !counters.rules.isEmpty { count(record, segment, state, endpoint, topic, time: time) }
    let summary = summaryID(state, shape, endpoint: endpoint, topic: topic)

    openBlock(for: record, segment, time: time)
    openBlock!.endOffset = record.end
    openBlock!.tally.add(bytes: frames.bytes, time: time)
    if !summaries[summary].isListed {
      summaries[summary].isListed = true
      openBlock!.summaries.append((summary, Tally()))
      news.summaries.insert(summary)
    }
    summaries[summary].inBlock.add(bytes: frames.bytes, time: time)
    summaries[summary].total.add(bytes: frames.bytes, time: time)
  }

  /// Looks at the numbers that the message carries.
  private mutating func count(
    _ record: RecordHeader, _ segment: Segment, _ state: Int, _ endpoint: Int,
    _ topic: TopicTable.ID, time: Int64
  ) {
    if states[state].counters == nil {
      let name = topic == TopicTable.noTopic ? nil : topics.name(of: topic)
      let found = counters.ids(endpoint: endpoint, topic: topic, name: name)
      if found == nil && !ledger.totals.isCounterLimitTold {
        ledger.totals.isCounterLimitTold = true
        let event = StoredEvent(
          "uncounted", monotonicNanoseconds: record.monotonicNanoseconds,
          ["counters": .number(Int64(CounterBook.countersMax))])
        ledger.derive(event, lost: 0, record, in: segment, endpoint: endpoint, time: time)
      }
      states[state].counters = found ?? []
    }
    guard let ids = states[state].counters, !ids.isEmpty else { return }
    counters.follow(ids, record, in: segment, time: time, topics: topics, ledger: &ledger)
  }

  private mutating func topicID(of record: RecordHeader, in segment: Segment) -> TopicTable.ID {
    guard let range = rule.topic(of: record, in: segment) else { return TopicTable.noTopic }
    return topics.id(of: segment.bytes.extracting(range))
  }

  private mutating func stateID(endpoint: Int, topic: TopicTable.ID) -> Int {
    guard endpoint < Self.endpointsTabled else {
      let key = EndpointTopic(endpoint: endpoint, topic: topic)
      if let known = rareStateIDs[key] { return known }
      states.append(TopicState())
      rareStateIDs[key] = states.count - 1
      return states.count - 1
    }
    while stateIDs.count <= endpoint { stateIDs.append([]) }
    if stateIDs[endpoint].count <= topic {
      let missing = max(topic + 1, stateIDs[endpoint].count * 2) - stateIDs[endpoint].count
      stateIDs[endpoint].append(contentsOf: repeatElement(0, count: missing))
    }
    let known = Int(stateIDs[endpoint][topic])
    if known != 0 { return known - 1 }
    states.append(TopicState())
    stateIDs[endpoint][topic] = Int32(states.count)
    return states.count - 1
  }

  /// Samples the message where it is its turn, and begins an era where it tells something new.
  private mutating func learn(
    _ id: Int, _ record: RecordHeader, _ segment: Segment, _ shape: MessageShape,
    endpoint: Int, topic: TopicTable.ID
  ) {
    let messages = states[id].messages
    let isSample =
      messages < FrameTags.firstSamples || messages % FrameTags.sampleStride == 0
    let isKnown = states[id].lastShape == shape || states[id].tags.covers(shape)
    guard !isKnown || (isSample && states[id].eras < FrameTags.erasMax) else { return }
    guard states[id].tags.learn(from: record, in: segment, registry: registry) else { return }
    states[id].eras += 1
    states[id].summaries = [:]
    states[id].lastShape = nil
    news.eras.append(
      Era(
        endpoint: endpoint, topic: topic, firstSequence: record.sequence, tags: states[id].tags))
  }

  private mutating func summaryID(
    _ id: Int, _ shape: MessageShape, endpoint: Int, topic: TopicTable.ID
  ) -> Int {
    if states[id].lastShape == shape { return states[id].lastSummary }
    let summary: Int
    if let known = states[id].summaries[shape] {
      summary = known
    } else {
      let codec = codecID(states[id].tags.tag(of: shape))
      summary = summaryID(SummaryKey(endpoint: endpoint, topic: topic, codec: codec))
      states[id].summaries[shape] = summary
    }
    states[id].lastShape = shape
    states[id].lastSummary = summary
    return summary
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

  private mutating func openBlock(for record: RecordHeader, _ segment: Segment, time: Int64) {
    if let block = openBlock {
      let isFull =
        block.segment != segment.header.number
        || block.tally.messages >= Self.blockMessagesMax
        || record.end - block.offset > Self.blockBytesMax
        || time - block.tally.firstTime > Self.blockNanosecondsMax
      if !isFull { return }
      closeBlock()
    }
    openBlock = Block(
      segment: segment.header.number, offset: record.offset, endOffset: record.end,
      firstSequence: record.sequence)
  }

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
    for index in openBlock!.summaries.indices {
      let id = openBlock!.summaries[index].id
      openBlock!.summaries[index].tally = summaries[id].inBlock
      news.summaries.insert(id)
    }
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
      states[stateID(endpoint: era.endpoint, topic: era.topic)].eras -= 1
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
    for name in past.topics { _ = unsafe topics.id(of: name.span.bytes) }
    for codec in past.codecs { _ = codecID(codec) }
    for summary in past.summaries {
      let key = SummaryKey(
        endpoint: summary.endpoint, topic: summary.topic, codec: summary.codec)
      let id = summaryID(key)
      summaries[id].total = summary.total
      states[stateID(endpoint: key.endpoint, topic: key.topic)].messages &+= summary.total.messages
    }
    for era in past.eras {
      let state = stateID(endpoint: era.endpoint, topic: era.topic)
      states[state].tags = era.tags
      states[state].eras += 1
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
