package import CaptureStore

/// What the indexing walk counts from one end of a capture to the other, without a database.
package struct WalkTotals: Hashable, Sendable {
  package let messages: Int64
  /// Bytes of their frames.
  package let bytes: Int64
  package let lost: Int64
  package let nextSequence: UInt64

  /// Walks a capture that nobody records.
  package init(_ capture: Capture, rule: TopicRule) throws(StoreError) {
    var walk = IndexWalk(capture, rule: rule, verifying: .body)
    while try walk.advance(steps: 100_000) == .more {}
    _ = walk.takeNews()
    messages = walk.summaries.reduce(0) { $0 + $1.total.messages }
    bytes = walk.summaries.reduce(0) { $0 &+ $1.total.bytes }
    lost = walk.ledger.totals.lost
    nextSequence = walk.cursor.nextSequence
  }
}
