public import CaptureStore
import Foundation
import GRDB
import PayloadCodecs

/// A capture as its index tells it, complete up to the moment of opening. Changes nothing on disk.
///
/// Where the index on disk is missing, of another version, or behind the segments of a capture
/// that nobody records any more, the rest is walked and indexed in memory. So is a ring that went
/// around while its recorder had no time for the index.
public final class IndexReader {
  public let capture: Capture
  public let isBeingRecorded: Bool
  /// The rule that the index was made with.
  public let topicRule: TopicRule
  let database: IndexDatabase
  /// Whether the index on disk is complete, so that nothing was made in memory.
  public let isOnDisk: Bool
  /// How the segments end; nil while it is being recorded.
  let endings: SegmentEndings?
  /// Messages that an index knew behind the end of the segments.
  let lostAtEnd: Int64
  private let stretchCache = BlockStretchCache()

  public init(_ capture: Capture) throws {
    self.capture = capture
    let isBeingRecorded = try capture.isBeingRecorded
    self.isBeingRecorded = isBeingRecorded
    let endings = isBeingRecorded ? nil : try capture.segmentEndings()
    self.endings = endings
    let onDisk = IndexDatabase.open(CapturePath.index(capture.path), of: capture)
    let rule = onDisk?.topicRule() ?? TopicRule(capture.manifest.topicRule) ?? .auto
    topicRule = rule
    let sequences = onDisk?.sequenceRules() ?? [SequenceRule](capture.manifest)
    let codecs = onDisk?.codecRules() ?? [CodecRule](capture.manifest)
    let usable = try? onDisk.flatMap { index -> IndexDatabase? in
      guard let endings else { return try index.isLapped(by: capture) ? nil : index }
      guard try !endings.mayHaveLostPower, try index.isBacked(by: capture, endings) else {
        return nil
      }
      return try Self.isComplete(index, capture) && !Self.isAhead(capture, of: index)
        ? index
        : Self.complete(index, capture, rule, sequences, codecs)
    }
    isOnDisk = (usable ?? nil).map { $0.queue === onDisk?.queue } ?? false
    database = try usable ?? Self.complete(nil, capture, rule, sequences, codecs)
    // What the index on disk counted and the segments do not have any more is told.
    let known = onDisk?.knownPlace()?.sequence ?? 0
    let found = try database.place().sequence
    lostAtEnd = known > found ? Int64(known - found) : 0
  }

  private static func isComplete(_ index: IndexDatabase, _ capture: Capture) throws -> Bool {
    let place = try index.place()
    var cursor = try CaptureCursor(capture, at: place, verifying: .header)
    if case .caughtUp = cursor.next() { return true }
    return false
  }

  /// Whether segments of a ring made room that the index still knows of.
  private static func isAhead(_ capture: Capture, of index: IndexDatabase) throws -> Bool {
    guard capture.isRing, let first = try capture.firstNumber else { return false }
    return try index.hasBlocks(before: first)
  }

  private static func complete(
    _ index: IndexDatabase?, _ capture: Capture, _ rule: TopicRule,
    _ sequences: [SequenceRule], _ codecs: [CodecRule]
  ) throws -> IndexDatabase {
    let completed = try IndexDatabase.inMemory()
    var walk = IndexWalk(
      capture, rule: rule, sequences: sequences, codecs: codecs, verifying: .body)
    if let index {
      try index.queue.backup(to: completed.queue)
      try walk.resume(try index.past(verifying: .body))
    }
    // Segments that are made meanwhile are not waited for: there may be always more.
    let last = try capture.segmentFiles().last?.number ?? 0
    while walk.cursor.place.segment <= last, try walk.advance(steps: 100_000) == .more {
      try completed.store(&walk)
    }
    try completed.store(&walk)
    if capture.isRing, let first = try capture.firstNumber {
      try completed.retire(before: first, &walk)
    }
    return completed
  }

  /// Makes ready what the first selection by time needs: some tenths of a microsecond a block.
  public func prepareForSeeks() throws { try read { _ = try stretches($0) } }

  /// When the blocks were recorded, in the rough.
  func stretches(_ database: Database) throws -> BlockStretches {
    try stretchCache.stretches(database)
  }

  // MARK: - Totals

  /// What an endpoint sent under a topic with a codec tag.
  public struct TopicRow: Hashable, Sendable {
    public var endpoint: String
    /// nil for messages without a topic.
    public var topic: [UInt8]?
    public var codec: String
    /// Frames whose codec was never more than a guess, from 0, in order.
    public var guesses: [Int]
    public var messages: Int64
    public var bytes: Int64
    /// Unix nanoseconds of the first and the last message.
    public var first: Int64
    public var last: Int64
  }

  /// A row for each endpoint, topic and codec tag, sorted by these.
  public func topicRows() throws -> [TopicRow] {
    try read { database in
      let guesses = try CodecGuesses(database)
      let rows = try Row.fetchAll(
        database,
        sql: """
          SELECT summary.endpoint AS endpoint_id, summary.topic AS topic_id,
            coalesce(endpoint.address, '?') AS endpoint, topic.name AS topic,
            codec.tag AS codec, messages, bytes, first_time_ns, last_time_ns
          FROM summary LEFT JOIN endpoint ON endpoint.id = summary.endpoint
            JOIN topic ON topic.id = summary.topic JOIN codec ON codec.id = summary.codec
          WHERE messages > 0
          ORDER BY summary.endpoint, topic.name, codec.tag
          """)
      return try rows.map {
        let codec = try $0.text("codec")
        return TopicRow(
          endpoint: try $0.text("endpoint"), topic: try $0.bytes("topic"), codec: codec,
          guesses: guesses.positions(
            endpoint: try $0.count("endpoint_id"), topic: try $0.count("topic_id"), codec),
          messages: try $0.total("messages"),
          bytes: try $0.total("bytes"), first: try $0.time("first_time_ns"),
          last: try $0.time("last_time_ns"))
      }
    }
  }

  /// The capture in one row.
  public struct Overview: Hashable, Sendable {
    /// Unix nanoseconds of the first and the last message; nil where there is none.
    public var first: Int64?
    public var last: Int64?
    public var messages: Int64
    public var bytes: Int64
    public var topics: Int
    /// Messages that were recorded and are not there any more, and those that events and counters
    /// tell to be lost before they could be recorded.
    public var lost: Int64
    /// Of `lost`, those that were recorded.
    public var missing: Int64
    /// Bytes that had been on stable storage and hold no valid record.
    public var damagedBytes: Int64
    /// Bytes that hold no valid record where the recorder was when it ended without warning.
    public var tornBytes: Int64
    /// Events as recorded, and those that counters tell.
    public var events: Int64
  }

  public func overview() throws -> Overview {
    try read { database in
      let row = try Row.fetchOne(
        database,
        sql: """
          SELECT min(first_time_ns) AS first, max(last_time_ns) AS last,
            coalesce(sum(messages), 0) AS messages, coalesce(sum(bytes), 0) AS bytes,
            count(DISTINCT CASE WHEN topic > 0 THEN topic END) AS topics,
            (SELECT coalesce(sum(end_offset - offset), 0) FROM damages WHERE is_corruption)
              AS damaged,
            (SELECT coalesce(sum(end_offset - offset), 0) FROM damages WHERE NOT is_corruption)
              AS torn
          FROM summary WHERE messages > 0
          """)!
      let messages = try row.total("messages")
      let totals = try IndexDatabase.ledger(IndexDatabase.progress(database))
      return Overview(
        first: messages > 0 ? try row.time("first") : nil,
        last: messages > 0 ? try row.time("last") : nil,
        messages: messages, bytes: try row.total("bytes"), topics: try row.count("topics"),
        lost: totals.lost + lostAtEnd, missing: totals.missing + lostAtEnd,
        damagedBytes: try row.total("damaged") + totals.damagedBytesUnlisted,
        tornBytes: try row.total("torn"), events: totals.events)
    }
  }

  /// How a capture stands.
  public enum State: String, Sendable {
    /// A recorder is writing to it.
    case recording
    /// Every segment ends with its footer.
    case sealed
    /// Its recorder ended without sealing it; what was committed is there.
    case unclean
  }

  public var state: State {
    guard let endings else { return .recording }
    return endings.areSealed ? .sealed : .unclean
  }
}

extension IndexDatabase {
  /// The rule that it was made with; nil where it does not say one that we know.
  func topicRule() -> TopicRule? {
    let text = try? queue.read {
      try Row.fetchOne($0, sql: "SELECT topic_rule FROM progress")?.text("topic_rule")
    }
    return text.flatMap { TopicRule($0) }
  }
}
