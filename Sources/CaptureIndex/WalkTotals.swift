package import CaptureStore

/// What the indexing walk counts from one end of a capture to the other, without a database.
package struct WalkTotals: Hashable, Sendable {
  package let messages: Int64
  /// Bytes of their frames.
  package let bytes: Int64
  /// Recorded ones that are missing.
  package let lost: Int64
  /// What counters and events tell beside that.
  package let lostOnTheWay: Int64
  /// Bytes that hold no valid record, torn ones included.
  package let damagedBytes: Int64
  package let nextSequence: UInt64

  /// Walks a capture that nobody records.
  package init(
    _ capture: Capture, rule: TopicRule, sequences: [SequenceRule] = []
  ) throws(StoreError) {
    var walk = IndexWalk(capture, rule: rule, sequences: sequences, verifying: .body)
    var damaged: Int64 = 0
    var end = IndexWalk.End.more
    while end == .more {
      end = try walk.advance(steps: 100_000)
      for damage in walk.takeNews().ledger.damages {
        damaged &+= Int64(damage.endOffset - damage.offset)
      }
    }
    messages = walk.summaries.reduce(0) { $0 + $1.total.messages }
    bytes = walk.summaries.reduce(0) { $0 &+ $1.total.bytes }
    lost = walk.ledger.totals.missing
    lostOnTheWay = walk.ledger.totals.lostOnTheWay
    damagedBytes = damaged &+ walk.ledger.totals.damagedBytesUnlisted
    nextSequence = walk.cursor.nextSequence
  }
}
