public import CaptureStore

/// Everything that a cursor told of a capture, from its beginning until it had caught up.
public struct CaptureWalk: Sendable {
  /// Messages by sequence, as copies. An impossible frame table counts as `unframed`.
  public var messages: [UInt64: TestMessage] = [:]
  /// Sequences in the order of the walk.
  public var order: [UInt64] = []
  public var unframed: [UInt64] = []
  public var otherKinds: [RecordKind] = []
  public var missing: [Range<UInt64>] = []
  public var damages: [Damage] = []
  public var unreadable: [StoreError] = []
  public var isFinal = false
  /// The walk was given up: it told more than any capture of a test holds.
  public var isEndless = false

  public init() {}

  public init(_ capture: Capture, verifying: SegmentCursor.Verification = .body) {
    var cursor = CaptureCursor(capture, verifying: verifying)
    advance(&cursor)
  }

  /// Walks a capture that nobody writes any more.
  public init(unused capture: Capture) throws {
    try capture.waitUntilUnused()
    self.init(capture)
  }

  /// Goes on with a cursor until it has caught up.
  public mutating func advance(_ cursor: inout CaptureCursor, stepsMax: Int = 1_000_000) {
    for _ in 0..<stepsMax {
      switch cursor.next() {
      case .record(let record) where record.kind == .data:
        order.append(record.sequence)
        if let message = TestMessage(record, in: cursor.segment!) {
          messages[record.sequence] = message
        } else {
          unframed.append(record.sequence)
        }
      case .record(let record): otherKinds.append(record.kind)
      case .missing(let sequences): missing.append(sequences)
      case .damage(let damage): damages.append(damage)
      case .unreadable(let error, _): unreadable.append(error)
      case .caughtUp(let isFinal):
        self.isFinal = isFinal
        return
      }
    }
    isEndless = true
  }

  /// The record of a step; nil when it is something else.
  public static func record(_ step: CaptureCursor.Step) -> RecordHeader? {
    if case .record(let record) = step { record } else { nil }
  }

  /// The messages in the order of the walk.
  public var inOrder: [TestMessage] { order.compactMap { messages[$0] } }

  /// Whether nothing was wrong, and nothing will follow.
  public var isClean: Bool { isWhole && isFinal }

  /// Whether nothing was wrong.
  public var isWhole: Bool {
    missing.isEmpty && damages.isEmpty && unreadable.isEmpty && unframed.isEmpty && !isEndless
  }

  public func isMissing(_ sequence: UInt64) -> Bool {
    missing.contains { $0.contains(sequence) }
  }
}

extension Capture {
  /// Waits until its writer is gone, after it was let go.
  ///
  /// A child process that another test is starting holds a copy of every lock of this process
  /// until it runs its own program, so a writer may seem to be there a little longer.
  public func waitUntilUnused() throws {
    try waitFor("\(path) has no writer") { try !isBeingRecorded }
  }
}
