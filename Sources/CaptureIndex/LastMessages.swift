public import CaptureStore
import GRDB

// What a replay that begins somewhere in a capture sends first: what a subscriber would know that
// had been there all along.

/// What the last messages are before.
public enum LastMessagesLimit: Sendable {
  /// Unix nanoseconds: what is before is what `messages` leaves out with this as its `from`.
  case time(Int64)
  /// The message with this number, and all that were recorded behind it.
  case sequence(UInt64)

  /// Unix nanoseconds that no message before it has.
  var time: Int64 { if case .time(let time) = self { time } else { .max } }

  /// A number that no message before it has.
  var sequence: UInt64 { if case .sequence(let sequence) = self { sequence } else { .max } }

  func isBehind(_ record: RecordHeader, at unixNanoseconds: Int64) -> Bool {
    record.sequence < sequence && unixNanoseconds < time
  }
}

extension IndexReader {
  /// The last message of each stream (endpoint and topic) that a selection matches, of those before
  /// a limit, in recorded order.
  ///
  /// Of the selection its topics, endpoints and codecs count, its times do not. Of those of a stream the one that was
  /// recorded last is the last, whatever clocks said. Messages without a topic are one stream of
  /// their endpoint. A stream that has no message before is not there.
  ///
  /// A record that does not pass its checks is passed over, and the one before is taken; so is
  /// what a segment held that cannot be read. What made room in a ring is not looked for. What
  /// comes back stays mapped in `pool`.
  ///
  /// It costs what is between the place and the messages found: rows of the index, and one walk of
  /// each block that one of them lies in. Streams that end before the place are found by when they
  /// ended. Where a stream falls silent before the place and goes on behind it, the rows between
  /// are read: some microseconds for each block there.
  ///
  /// Topics beyond the first 100,000 of a capture share a row of the index. Their last messages are
  /// found where they lie in the newest 256 blocks before the place that have such topics.
  ///
  /// Throws `IndexError`.
  public func lastMessages(
    _ selection: Selection, before limit: LastMessagesLimit, pool: SegmentPool
  ) throws -> [RecordedMessage] {
    var wanted = selection
    wanted.from = nil
    wanted.until = nil
    let tagger = wanted.codecs.isEmpty ? nil : try codecTagger()
    var streams = try LastMessageStreams(self, wanted, before: limit)
    let walk = LastMessageWalk(
      index: self, selection: wanted, before: limit, pool: pool, tagger: tagger)
    var found: [RecordedMessage] = []
    while !streams.waiting.isEmpty {
      for block in try read({ try streams.newestBlocks($0) }) {
        switch walk.walk(block, &streams) {
        case .walked(let messages):
          found += messages
        case .unreadable:
          try read { try streams.leaveSegment(of: block, $0) }
        case .retired: continue
        }
      }
    }
    if !streams.overflow.isEmpty {
      found += walk.lastOfOverflow(
        in: try read { try streams.overflowBlocks($0) }, streams)
    }
    return found.sorted { $0.record.sequence < $1.record.sequence }
  }
}

/// The walk through blocks that hold the last messages of streams.
struct LastMessageWalk {
  let index: IndexReader
  let selection: Selection
  let before: LastMessagesLimit
  let pool: SegmentPool
  let tagger: CodecTagger?

  enum Outcome {
    /// What was found; the streams that had nothing good in it wait for an earlier block.
    case walked([RecordedMessage])
    case unreadable
    /// It made room in a ring, and so did all before it.
    case retired
  }

  /// Walks a block once for all streams that want something of it.
  func walk(_ block: LastMessageStreams.Block, _ streams: inout LastMessageStreams) -> Outcome {
    let segment: Segment
    do throws(StoreError) {
      guard let found = try pool.segment(block.place.start.segment) else { return .unreadable }
      segment = found
    } catch {
      return index.capture.isRing && error.isVanished ? .retired : .unreadable
    }
    // By headers first, which leaves most bytes alone: those of what is found are checked.
    streams.want(block.streams)
    walk(block, segment, &streams, verifying: .header)
    var messages = streams.take(block.streams) { message(checked($0, segment), segment) }
    let rest = block.streams.filter { streams.isWanted($0) }
    if !rest.isEmpty {
      walk(block, segment, &streams, verifying: .body)
      messages += streams.take(rest) { message($0, segment) }
      streams.leave(block, rest)
    }
    return .walked(messages)
  }

  private func walk(
    _ block: LastMessageStreams.Block, _ segment: Segment, _ streams: inout LastMessageStreams,
    verifying: SegmentCursor.Verification
  ) {
    forEachRecord(of: block.place, segment, verifying) { record, time in
      guard block.times.contains(time) else { return }
      let topic = index.topicRule.topic(of: record, in: segment)
      guard let stream = streams.id(of: record, topic: topic, in: segment),
        streams.isWanted(stream)
      else { return }
      if verifying == .body || tagger != nil {
        guard isSelected(record, segment, isChecked: verifying == .body) else { return }
      }
      streams.note(record, of: stream)
    }
  }

  /// The messages of a block that are before the place.
  private func forEachRecord(
    of place: BlockPlace, _ segment: Segment, _ verification: SegmentCursor.Verification,
    _ body: (RecordHeader, Int64) -> Void
  ) {
    guard
      var cursor = SegmentCursor(segment, at: place.start.offset, verifying: verification)
    else { return }
    let clock = segment.header.clock.unixOffset
    while cursor.offset < place.endOffset {
      switch cursor.next() {
      case .record(let record):
        let time = record.monotonicNanoseconds &+ clock
        if record.kind == .data && before.isBehind(record, at: time) { body(record, time) }
      case .damage: continue
      case .end: return
      }
    }
  }

  private func isSelected(_ record: RecordHeader, _ segment: Segment, isChecked: Bool) -> Bool {
    if isChecked && segment.frameBytes(of: record) == nil { return false }
    guard let tagger else { return true }
    return message(record, segment).map { selection.matches(codec: tagger.tag(of: $0)) } ?? false
  }

  private func checked(_ record: RecordHeader, _ segment: Segment) -> RecordHeader? {
    guard var cursor = SegmentCursor(segment, at: record.offset, verifying: .body),
      case .record(record) = cursor.next()
    else { return nil }
    return record
  }

  private func message(_ record: RecordHeader?, _ segment: Segment) -> RecordedMessage? {
    guard let record, let frameBytes = segment.frameBytes(of: record) else { return nil }
    return RecordedMessage(
      segment: segment, record: record,
      topicRange: index.topicRule.topic(of: record, in: segment), frameBytes: frameBytes)
  }

  // MARK: - Topics that were too many

  private struct OverflowKey: Hashable {
    var endpoint: UInt16
    var topic: [UInt8]
  }

  /// The last message of each topic without a row of its own in some blocks.
  func lastOfOverflow(
    in blocks: [BlockPlace], _ streams: LastMessageStreams
  ) -> [RecordedMessage] {
    var found: [OverflowKey: RecordedMessage] = [:]
    for block in blocks {
      guard let segment = (try? pool.segment(block.start.segment)) ?? nil else { continue }
      forEachRecord(of: block, segment, .body) { record, _ in
        guard streams.overflow.contains(Int(record.endpoint)),
          let range = index.topicRule.topic(of: record, in: segment)
        else { return }
        guard selection.matches(topic: segment.bytes.extracting(range)),
          streams.id(of: record, topic: range, in: segment) == nil,
          isSelected(record, segment, isChecked: true),
          let message = message(record, segment), let name = message.topic
        else { return }
        let key = OverflowKey(endpoint: record.endpoint, topic: name)
        if let known = found[key], known.record.sequence > record.sequence { return }
        found[key] = message
      }
    }
    return Array(found.values)
  }
}
