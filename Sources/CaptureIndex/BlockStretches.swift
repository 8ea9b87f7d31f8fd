import GRDB
import Synchronization

/// When the blocks of an index were recorded, by stretches of many: where a seek has to look.
///
/// Clocks get set, so that blocks are in the order of their sequences and only mostly in that of
/// their times: what a time excludes can be known by looking at every block alone. That is done
/// once for each of them, and seeks then pass over whole stretches.
struct BlockStretches: Sendable {
  /// Blocks of a stretch.
  static let blockCount: Int64 = 256

  struct Stretch: Sendable {
    /// Ids of blocks; those that are not there any more stay counted.
    var ids: ClosedRange<Int64>
    /// Unix nanoseconds of the earliest and the latest message; nil where there is none.
    var times: ClosedRange<Int64>?

    func canHold(before time: Int64) -> Bool { times.map { $0.lowerBound < time } ?? false }
    func canHold(from time: Int64) -> Bool { times.map { $0.upperBound >= time } ?? false }
  }

  /// One behind the other, from the first id that there can be to the last. The last stretch still
  /// grows: its times are those of the moment.
  private(set) var stretches = [Stretch(ids: .min ... .max, times: nil)]

  /// Takes in the blocks that came since.
  fileprivate mutating func extend(_ database: Database) throws {
    let newest = try Int64.fetchOne(database, sql: "SELECT max(id) FROM block")
    while true {
      let ids = stretches[stretches.count - 1].ids
      let statement = try database.cachedStatement(
        sql: """
          SELECT count(*) AS blocks, max(id) AS last, min(first_time_ns) AS first_time,
            max(last_time_ns) AS last_time
          FROM (
            SELECT id, first_time_ns, last_time_ns FROM block
            WHERE id >= ? ORDER BY id LIMIT \(Self.blockCount))
          """)
      let found = try Row.fetchOne(statement, arguments: [ids.lowerBound])
      guard let newest, let found, try found.count("blocks") > 0 else {
        stretches[stretches.count - 1].times = nil
        return
      }
      let times = (try found.time("first_time"), try found.time("last_time"))
      guard times.0 <= times.1 else {
        throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "blocks of no time")
      }
      stretches[stretches.count - 1].times = times.0...times.1
      let last = try found.integer("last")
      // The newest block may get more messages.
      guard try found.count("blocks") == Self.blockCount, last < newest else { return }
      stretches[stretches.count - 1].ids = ids.lowerBound...last
      stretches.append(Stretch(ids: last + 1 ... .max, times: nil))
    }
  }

  /// The ids that the blocks of a selection can have; nil where no block can.
  func ids(from: Int64?, until: Int64?) -> ClosedRange<Int64>? {
    func isPossible(_ stretch: Stretch) -> Bool {
      (from.map { stretch.canHold(from: $0) } ?? true)
        && (until.map { stretch.canHold(before: $0) } ?? true)
    }
    guard let first = stretches.first(where: isPossible),
      let last = stretches.last(where: isPossible)
    else { return nil }
    return first.ids.lowerBound...last.ids.upperBound
  }
}

/// The stretches of an index that is open, found when they are asked for.
final class BlockStretchCache: Sendable {
  private let known = Mutex(BlockStretches())

  /// All that are there now.
  func stretches(_ database: Database) throws -> BlockStretches {
    try known.withLock { known in
      try known.extend(database)
      return known
    }
  }
}
