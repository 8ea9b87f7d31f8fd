public import CaptureStore
import Foundation
import GRDB

/// Reads the selected messages of a capture in recorded order, by the blocks that hold any.
///
/// Every record is checked before it is handed out; what does not pass is counted, not returned.
public struct MessageReader {
  /// Places that could not be read: records, or what is left of a segment.
  public private(set) var damages = 0
  /// Messages that the index knows and that are not there any more, of whatever topic, in the blocks
  /// that have been read to their ends.
  public private(set) var messagesMissing: Int64 = 0

  /// Messages of a ring that made room before they were read.
  public var messagesRetired: Int64 { messagesVanished &+ blocks.messagesGone }

  private let isRing: Bool
  private let pool: SegmentPool
  private let selection: Selection
  private let rule: TopicRule
  private let endpoints: Set<Int>?
  private let tagger: CodecTagger?
  private var blocks: BlockPages
  private var cursor: SegmentCursor?
  private var endOffset = 0
  /// The sequence that the next message has where nothing is missing.
  private var nextSequence: UInt64 = 0
  /// What is selected is seen in the headers of messages.
  private let isPlain: Bool
  /// Messages of blocks whose segments had made room.
  private var messagesVanished: Int64 = 0
  /// Messages of the present block that have not been met.
  private var messagesLeft: Int64 = 0
  /// The last segment of which a part could not be read at all.
  private var segmentLost: UInt64?

  init(
    capture: Capture, pool: SegmentPool, selection: Selection, rule: TopicRule,
    blocks: BlockPages, tagger: CodecTagger?
  ) {
    isRing = capture.isRing
    self.pool = pool
    self.selection = selection
    self.rule = rule
    self.blocks = blocks
    self.tagger = tagger
    endpoints = selection.endpointNumbers(in: capture.manifest)
    isPlain = selection.topicPrefixes.isEmpty && tagger == nil
  }

  /// The next message; nil when there is no further one. Throws `IndexError` where the index cannot
  /// say what comes next.
  public mutating func next() throws -> RecordedMessage? {
    while true {
      guard cursor != nil, cursor!.offset < endOffset else {
        messagesMissing += max(0, messagesLeft)
        messagesLeft = 0
        guard let block = try blocks.next() else { return nil }
        enter(block)
        continue
      }
      switch cursor!.next() {
      case .record(let record):
        if let message = message(record) { return message }
      case .damage:
        damages += 1
      case .end:
        // The index knows of messages up to the end of the block.
        lose(cursor!.segment.header.number)
        cursor = nil
      }
    }
  }

  /// Appends the headers of messages that follow one another with nothing between, which most do: a
  /// short cut past `next`, which goes on from there. Nobody has looked for their frames. Returns the
  /// segment of all of them; nil, and appends none, where something else comes first or messages are
  /// selected by more than their times and endpoints.
  package mutating func takeRun(
    _ count: Int, bytes: Int, into records: inout [RecordHeader]
  ) -> Segment? {
    guard isPlain, let segment = cursor?.segment else { return nil }
    let known = records.count
    var run = cursor!.run(from: nextSequence)
    run.take(count, bytes: bytes, before: endOffset, into: &records)
    cursor!.pass(run)
    messagesLeft -= Int64(run.nextSequence - nextSequence)
    nextSequence = run.nextSequence
    if selection.from != nil || selection.until != nil || endpoints != nil {
      let clock = segment.header.clock.unixOffset
      var end = known
      for index in known..<records.count {
        let record = records[index]
        let isWanted = endpoints?.contains(Int(record.endpoint)) ?? true
        guard isWanted, selection.matches(time: record.monotonicNanoseconds &+ clock) else {
          continue
        }
        records[end] = record
        end += 1
      }
      records.removeSubrange(end...)
    }
    return records.count > known ? segment : nil
  }

  private mutating func message(_ record: RecordHeader) -> RecordedMessage? {
    guard record.kind == .data, let segment = cursor?.segment else { return nil }
    guard let frameBytes = segment.frameBytes(of: record) else {
      damages += 1
      return nil
    }
    messagesLeft -= 1
    nextSequence = record.sequence + 1
    if let endpoints, !endpoints.contains(Int(record.endpoint)) { return nil }
    let topicRange = rule.topic(of: record, in: segment)
    let message = RecordedMessage(
      segment: segment, record: record, topicRange: topicRange, frameBytes: frameBytes)
    guard selection.matches(time: message.unixNanoseconds) else { return nil }
    guard selection.matches(topicOf: message) else { return nil }
    if let tagger, !selection.matches(codec: tagger.tag(of: message)) { return nil }
    return message
  }

  /// Goes on in the same mapping where the block follows the last one.
  private mutating func enter(_ block: BlockPlace) {
    endOffset = block.endOffset
    messagesLeft = block.messages
    nextSequence = block.start.sequence
    if let cursor, cursor.segment.header.number == block.start.segment {
      if cursor.offset != block.start.offset { move(to: block.start, in: cursor.segment) }
      return
    }
    do throws(StoreError) {
      move(to: block.start, in: try pool.segment(block.start.segment))
    } catch {
      cursor = nil
      if isRing && error.isVanished {
        messagesVanished += messagesLeft
        messagesLeft = 0
      } else {
        lose(block.start.segment)
      }
    }
  }

  private mutating func move(to place: RecordPlace, in segment: Segment?) {
    cursor = segment.flatMap { SegmentCursor($0, at: place.offset, verifying: .body) }
    if cursor == nil { lose(place.segment) }
  }

  /// Counts a segment once, however many of its blocks cannot be read.
  private mutating func lose(_ segment: UInt64) {
    if segmentLost != segment { damages += 1 }
    segmentLost = segment
  }
}

extension Segment {
  /// Bytes of all frames of a record; nil where its table says something impossible.
  func frameBytes(of record: RecordHeader) -> Int? {
    var bytes = 0
    for index in 0..<record.frameCount {
      guard let range = frameRange(index, of: record) else { return nil }
      bytes += range.count
    }
    return bytes
  }
}

/// Tells the codec tag of any message, by the eras in the index.
public struct CodecTagger: Sendable {
  private var eras: [Key: [IndexWalk.Era]] = [:]
  private var topicIDs: [[UInt8]: Int] = [:]

  private struct Key: Hashable {
    var endpoint: Int
    var topic: Int
  }

  init(_ index: IndexReader) throws {
    (eras, topicIDs) = try index.read { database in
      var eras: [Key: [IndexWalk.Era]] = [:]
      for era in try IndexDatabase.eras(database) {
        eras[Key(endpoint: era.endpoint, topic: era.topic), default: []].append(era)
      }
      var topicIDs: [[UInt8]: Int] = [:]
      for row in try Row.fetchAll(database, sql: "SELECT id, name FROM topic WHERE id > 0") {
        topicIDs[try row.bytes("name") ?? []] = try row.count("id")
      }
      return (eras, topicIDs)
    }
  }

  /// The tags of the message's frames, joined by `|`.
  public func tag(of message: RecordedMessage) -> String {
    let topic = message.topic.map { topicIDs[$0] ?? TopicTable.overflow } ?? TopicTable.noTopic
    let shape = MessageShape(message.record, message.segment.frames(of: message.record))
    let eras = eras[Key(endpoint: Int(message.record.endpoint), topic: topic)] ?? []
    let next = eras.firstIndex { $0.firstSequence > message.record.sequence } ?? eras.endIndex
    return next > 0 ? eras[next - 1].tags.tag(of: shape) : FrameTags().tag(of: shape)
  }
}

extension IndexReader {
  /// Reads the messages of a selection in recorded order; their segments stay mapped in `pool`.
  ///
  /// It starts at once, anywhere in a capture of any length: what a selection by time passes over
  /// costs nothing, but for the first such selection of a reader some tenths of a microsecond a block.
  public func messages(_ selection: Selection, pool: SegmentPool) throws -> MessageReader {
    MessageReader(
      capture: capture, pool: pool, selection: selection, rule: topicRule,
      blocks: try BlockPages(self, selection),
      tagger: selection.codecs.isEmpty ? nil : try CodecTagger(self))
  }

  /// Messages that were lost in the span of a selection: recorded ones that are not there any more
  /// and what events and counters tell. What the topics of the former were cannot be known.
  public func messagesLost(in selection: Selection) throws -> Int64 {
    if selection.from == nil && selection.until == nil { return try overview().lost }
    return try read { database in
      let span: StatementArguments = [selection.from ?? .min, selection.until ?? .max]
      let missing = try Row.fetchOne(
        database,
        sql: """
          SELECT coalesce(sum(messages), 0) AS lost FROM missing
          WHERE first_sequence BETWEEN
            (SELECT min(id) FROM block WHERE last_time_ns >= ? AND first_time_ns < ?) AND
            (SELECT max(id) FROM block WHERE last_time_ns >= ? AND first_time_ns < ?)
          """,
        arguments: span + span)
      let events = try Row.fetchOne(
        database,
        sql: """
          SELECT coalesce(sum(lost), 0) AS lost FROM event WHERE time_ns >= ? AND time_ns < ?
          """,
        arguments: span)
      let bounds = -WalkLedger.lostMax...WalkLedger.lostMax
      let lost =
        try (missing?.total("lost") ?? 0) + (events?.integer("lost", in: bounds) ?? 0)
      return max(0, lost) + (selection.until == nil ? lostAtEnd : 0)
    }
  }

  public func codecTagger() throws -> CodecTagger { try CodecTagger(self) }
}
