public import CaptureStore
import Foundation
import GRDB

/// Whether `index.sqlite` says what the segments say: the same index is made again by the walk
/// that every index is made by, and the two are compared table by table, row by row.
///
/// The index of a ring has learnt from segments that are not there any more: of its messages only
/// where they are, what they are called, and how many there are is compared.
public enum IndexVerification: Hashable, Sendable {
  /// They are the same.
  case ok
  /// There is none, or one of another version: it is derived, `zcap reindex` makes it.
  case missing
  /// The same as far as it goes; it does not know of what came later.
  case behind
  /// What differs, a line for each table.
  case differs([String])

  /// Compares the index of a capture. Throws `StoreError` where the segments cannot be walked, and
  /// what SQLite says where there is no room for the second index.
  public static func verify(_ capture: Capture) throws -> IndexVerification {
    let path = CapturePath.index(capture.path)
    guard unsafe access(path, F_OK) == 0 else { return .missing }
    let index: IndexDatabase
    do {
      index = try IndexDatabase.openAny(path)
      let version = try index.queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") }
      if version != IndexSchema.version { return .missing }
    } catch let error as DatabaseError {
      return .differs(["it cannot be read: \(error.message ?? "\(error.resultCode)")"])
    }
    do {
      // One transaction: a recorder that writes on meanwhile is not seen.
      return try index.queue.read { try compare($0, capture) }
    } catch let error as OwnError {
      throw error.error
    } catch let error as DatabaseError {
      return .differs(["it cannot be read: \(error.message ?? "\(error.resultCode)")"])
    }
  }

  /// What went wrong with the second index, and not with the one that is verified.
  private struct OwnError: Error { var error: any Error }

  private static func own<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch { throw OwnError(error: error) }
  }

  private static func compare(
    _ stored: Database, _ capture: Capture
  ) throws -> IndexVerification {
    guard let progress = try Row.fetchOne(stored, sql: "SELECT * FROM progress") else {
      return .differs(["progress: it has no row"])
    }
    guard try progress.text("capture") == capture.manifest.uuid.uuidString else {
      return .differs(["progress: it is the index of another capture"])
    }
    guard let rule = TopicRule(try progress.text("topic_rule")) else {
      return .differs(["progress: it was made by a rule for topics that is none"])
    }
    let place = RecordPlace(
      segment: UInt64(try progress.count("segment")), offset: try progress.count("offset"),
      sequence: UInt64(try progress.count("sequence")))

    let made = try own { try IndexDatabase.temporary() }
    let sequences = try IndexDatabase.sequences(progress)
    let codecs = try IndexDatabase.codecRules(progress)
    var walk = IndexWalk(
      capture, rule: rule, sequences: sequences, codecs: codecs, verifying: .body)
    guard try own({ try advance(&walk, to: place, made) }) else {
      let first = try own { try capture.firstNumber } ?? 0
      return capture.isRing && place.segment < first
        ? .behind : .differs(["progress: it goes on where the segments do not"])
    }
    try own { try made.store(&walk) }
    let found = try made.queue.unsafeReentrantRead {
      let comparison = IndexComparison(stored: stored, made: $0)
      guard capture.isRing else { return try comparison.differences() }
      return try comparison.differencesOfRing(from: own { try capture.firstNumber } ?? 0)
    }
    guard found.isEmpty else { return .differs(found) }
    return try own { try hasMore(&walk) } ? .behind : .ok
  }

  /// Walks to where the index stopped; false when the walk does not come by there.
  private static func advance(
    _ walk: inout IndexWalk, to place: RecordPlace, _ made: IndexDatabase
  ) throws -> Bool {
    while walk.cursor.place != place {
      // It stopped at that sequence: there one step at a time, and up to there as many as can be.
      let isFar = walk.cursor.nextSequence < place.sequence
      guard walk.cursor.nextSequence <= place.sequence else { return false }
      let end =
        isFar
        ? try walk.advance(steps: 100_000, upTo: place.sequence) : try walk.advance(steps: 1)
      if isFar { try made.store(&walk) }
      if end != .more { return walk.cursor.place == place }
    }
    return true
  }

  /// Whether something follows that an index should know.
  private static func hasMore(_ walk: inout IndexWalk) throws -> Bool {
    let before = (walk.cursor.nextSequence, walk.ledger.totals)
    while true {
      let end = try walk.advance(steps: 1)
      if (walk.cursor.nextSequence, walk.ledger.totals) != before { return true }
      if end != .more { return false }
    }
  }
}

extension IndexDatabase {
  /// Opens a file for reading, whatever it is an index of.
  fileprivate static func openAny(_ path: String) throws -> IndexDatabase {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    return IndexDatabase(queue: try DatabaseQueue(path: path, configuration: configuration))
  }

  /// An index in memory that goes to a file without a name where it gets large.
  /// Source: <https://www.sqlite.org/inmemorydb.html>.
  fileprivate static func temporary() throws -> IndexDatabase {
    let queue = try DatabaseQueue(path: "", configuration: writing)
    try queue.write { try IndexSchema.create($0) }
    return IndexDatabase(queue: queue)
  }
}
