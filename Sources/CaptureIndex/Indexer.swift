public import CaptureStore
import GRDB

/// Keeps `index.sqlite` of a capture up with its segments: live beside a recorder, or once.
///
/// For one thread. The index may lag or fail; the segments are the truth either way.
public final class Indexer {
  private let database: IndexDatabase
  private var walk: IndexWalk
  /// Of a ring: segments before this one are not in the index any more.
  private var firstNumber: UInt64 = 0

  /// Creates the index of a capture, in place of any that is there.
  public init(
    creating capture: Capture, rule: TopicRule, sequences: [SequenceRule] = [],
    codecs: [CodecRule] = [], verifying: SegmentCursor.Verification
  ) throws {
    walk = IndexWalk(
      capture, rule: rule, sequences: sequences, codecs: codecs, verifying: verifying)
    database = try IndexError.told(capture.path) {
      try IndexDatabase.create(CapturePath.index(capture.path))
    }
    try store()
  }

  /// Goes on with the index of a capture where it left off; one that cannot be gone on with, or was
  /// made by another rule, is made anew.
  public init(
    continuing capture: Capture, rule: TopicRule, sequences: [SequenceRule] = [],
    codecs: [CodecRule] = [], verifying: SegmentCursor.Verification
  ) throws {
    let path = CapturePath.index(capture.path)
    let beginning = IndexWalk(
      capture, rule: rule, sequences: sequences, codecs: codecs, verifying: verifying)
    var walk = beginning
    if let known = IndexDatabase.reopen(path, of: capture), known.topicRule() == rule,
      known.sequenceRules() == sequences, known.codecRules() == codecs,
      let past = try? known.past(verifying: verifying),
      (try? walk.resume(past)) != nil
    {
      database = known
    } else {
      walk = beginning
      database = try IndexError.told(capture.path) { try IndexDatabase.create(path) }
    }
    self.walk = walk
    try store()
  }

  private func store() throws {
    try IndexError.told(walk.cursor.capture.path) { try database.store(&walk) }
  }

  /// How far one call came.
  public enum Progress: Sendable {
    /// There is more to read already.
    case behind
    /// Everything committed is in the index.
    case caughtUp
    /// And nothing will follow.
    case final
  }

  /// Records read in one go: what bounds the memory that news take.
  private static let stepsMax = 100_000

  /// Indexes what has been committed since, in one transaction; not much, or up to a sequence.
  public func advance(upTo sequence: UInt64 = .max) throws -> Progress {
    let place = walk.cursor.place
    let end = try walk.advance(steps: Self.stepsMax, upTo: sequence)
    if walk.cursor.place != place || end == .final { try store() }
    if walk.cursor.capture.isRing { try followRing(isEager: end == .final) }
    return switch end {
    case .more: .behind
    case .caughtUp: .caughtUp
    case .final: .final
    }
  }

  /// Forgets what made room, an eighth of it at a time: it costs a look at all that is left.
  private func followRing(isEager: Bool) throws {
    let place = walk.cursor.place.segment
    guard let first = try walk.cursor.capture.firstNumber, place > firstNumber else { return }
    // The block that still grows is needed until it is stored whole.
    let retired = min(first, walk.openBlock?.segment ?? first)
    guard retired > firstNumber, isEager || retired - firstNumber > (place - retired) / 8 else {
      return
    }
    try IndexError.told(walk.cursor.capture.path) { try database.retire(before: retired, &walk) }
    firstNumber = retired
  }

  /// Whether what comes now will have made room so soon: in a ring that goes around as fast.
  public func isLapped(within nanoseconds: Int64) throws -> Bool {
    let capture = walk.cursor.capture
    guard capture.isRing, let first = try capture.firstNumber, first > 0,
      let segment = try? capture.openSegment(number: first)
    else { return false }
    let age = CaptureClock.monotonicNanoseconds() - segment.header.clock.monotonicNanoseconds
    return age < nanoseconds
  }

  /// Lets go of what has made room in a ring meanwhile, while it waits.
  public func leaveRetired() { walk.leaveRetired() }

  /// Messages indexed so far.
  public var nextSequence: UInt64 { walk.cursor.nextSequence }
  /// Messages that were recorded and are not there any more.
  public var messagesMissing: Int64 { walk.ledger.totals.missing }

  /// Messages that counters and events tell to be lost before they could be recorded.
  public var messagesLostOnTheWay: Int64 { walk.ledger.totals.lostOnTheWay }

  /// Ends with one plain file on disk.
  public func close() throws {
    if walk.cursor.capture.isRing { try followRing(isEager: true) }
    try database.close()
  }

  /// Makes the index of a capture anew. Rules that are given replace those of its manifest.
  ///
  /// Throws `captureInUse` while it is being recorded, `lossToRecover` where the index that is there
  /// knows of more, and what says that it was written by a later version.
  public static func rebuild(
    _ capture: Capture, rule: TopicRule? = nil, sequences: [SequenceRule]? = nil,
    codecs: [CodecRule]? = nil
  ) throws -> Indexer {
    try capture.withoutWriters {
      // Who wrote last may have changed the manifest.
      let capture = try Capture(path: capture.path)
      try capture.checkVersions()
      if let known = knownPlace(of: capture)?.sequence {
        let found = try Recovery.nextSequence(of: capture)
        if known > found {
          throw StoreError.lossToRecover(path: capture.path, messages: known - found)
        }
      }
      let indexer = try Indexer(
        creating: capture, rule: rule ?? TopicRule(capture.manifest.topicRule) ?? .auto,
        sequences: sequences ?? [SequenceRule](capture.manifest),
        codecs: codecs ?? [CodecRule](capture.manifest), verifying: .body)
      while try indexer.advance() == .behind {}
      try indexer.close()
      if rule != nil || sequences != nil || codecs != nil {
        try capture.replace(
          topicRule: rule?.description, sequences: sequences?.map(\.description),
          codecs: codecs?.map(\.description))
      }
      return indexer
    }
  }

  /// Where the index of a capture stands, if there is one that agrees with itself: all messages up
  /// to there had been recorded when it was written.
  public static func knownPlace(of capture: Capture) -> RecordPlace? {
    IndexDatabase.open(CapturePath.index(capture.path), of: capture)?.knownPlace()
  }
}
