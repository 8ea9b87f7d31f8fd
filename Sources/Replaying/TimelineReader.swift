import CaptureIndex
import CaptureStore

/// A message on a timeline.
struct TimelineMessage {
  var message: RecordedMessage
  /// The number of its capture.
  var source: Int
  var socket: Int
  /// Where in the recording it is: nanoseconds.
  var position: Int64
}

/// Reads the messages that are sent in the order of one timeline: those of a capture as they were
/// recorded, those of several by time, of equal times the capture that was named first.
struct TimelineReader {
  enum Step {
    case message(TimelineMessage)
    /// Many messages were passed over that are not selected: time to look at something else.
    case passed
    /// A capture that is followed has nothing more now.
    case caughtUp
    case end
  }

  private var feeds: [Feed]

  /// Starts at a position of the recording; nil is its beginning. Throws `IndexError`.
  init(_ sources: [TimelineSource], from position: Int64?, following: Bool = false) throws {
    feeds = try sources.enumerated().map { number, source in
      try Feed(source, number: number, from: position, following: following)
    }
  }

  /// What could not be handed out, up to here.
  var losses: Losses { feeds.reduce(into: Losses()) { $0.add($1.losses) } }

  /// Appends messages of a capture that is alone, one behind the other, to a batch that has room for so
  /// many, up to so many bytes: a short cut past `next`, which goes on from there. Returns how many.
  mutating func takeRun(
    _ count: Int, bytes: Int, _ timeline: inout TimelineClock, into batch: inout ReplayBatch
  ) -> Int {
    feeds.count == 1 ? feeds[0].takeRun(count, bytes: bytes, &timeline, into: &batch) : 0
  }

  mutating func next() throws -> Step {
    // A capture alone needs no heads.
    if feeds.count == 1 { return try feeds[0].next() }
    var first: Int?
    for number in feeds.indices {
      guard let position = try feeds[number].head() else { continue }
      if let known = first, feeds[known].position ?? .max <= position { continue }
      first = number
    }
    guard let first, let message = feeds[first].takeHead() else { return .end }
    return .message(message)
  }
}

/// What the captures of a replay should have and did not give.
struct Losses {
  /// Places that could not be read: records, or what is left of a segment.
  var damages = 0
  /// Messages that the index knows and that are not there any more.
  var messagesMissing: Int64 = 0
  /// Messages of a ring that made room before they were read.
  var messagesRetired: Int64 = 0

  mutating func add(_ other: Losses) {
    damages += other.damages
    messagesMissing += other.messagesMissing
    messagesRetired += other.messagesRetired
  }

  /// A place that is met again, in another loop or behind a seek, is the same loss.
  mutating func take(_ other: Losses) {
    damages = max(damages, other.damages)
    messagesMissing = max(messagesMissing, other.messagesMissing)
    messagesRetired = max(messagesRetired, other.messagesRetired)
  }
}

/// One capture of a timeline.
private struct Feed {
  private let source: TimelineSource
  private let number: Int
  /// One of the two.
  private var stored: MessageReader?
  private var following: FollowingReader?
  private var clock: RecordingClock
  private var pages = PageWindow()
  /// Messages before this position are passed over; nil once one was there that is not.
  private var from: Int64?
  private var waiting: TimelineMessage?
  /// Messages without frames, or whose frames cannot lie where their records say.
  private var unsendable = 0
  /// Of a run, for their memory.
  private var records: [RecordHeader] = []
  private var isAtEnd = false

  init(_ source: TimelineSource, number: Int, from position: Int64?, following: Bool) throws {
    self.source = source
    self.number = number
    from = position
    clock = source.clock
    let selection = try source.selection(from: position)
    if following {
      self.following = try source.index.following(selection)
    } else {
      stored = try source.index.messages(selection, pool: source.pool)
    }
  }

  /// The position of the message that waits.
  var position: Int64? { waiting?.position }

  /// The position of the next message, which waits from now on; nil at the end.
  mutating func head() throws -> Int64? {
    if waiting == nil, !isAtEnd {
      if case .message(let message) = try next() { waiting = message } else { isAtEnd = true }
    }
    return position
  }

  mutating func takeHead() -> TimelineMessage? {
    defer { waiting = nil }
    return waiting
  }

  mutating func next() throws -> TimelineReader.Step {
    while true {
      let message: RecordedMessage
      if stored != nil {
        guard let next = try stored!.next() else { return .end }
        message = next
      } else {
        switch following!.next() {
        case .message(let next): message = next
        case .passed: return .passed
        case .caughtUp: return .caughtUp
        case .ended: return .end
        }
      }
      pages.pass(message.record, of: message.segment)
      guard let socket = source.socket(of: message.record) else { continue }
      let position = clock.position(of: message.record, in: message.segment)
      if let from, position < from { continue }
      from = nil
      if message.record.frameCount == 0 {
        unsendable += 1
        continue
      }
      return .message(
        TimelineMessage(message: message, source: number, socket: socket, position: position))
    }
  }

  mutating func takeRun(
    _ count: Int, bytes: Int, _ timeline: inout TimelineClock, into batch: inout ReplayBatch
  ) -> Int {
    guard from == nil else { return 0 }
    records.removeAll(keepingCapacity: true)
    guard let segment = stored?.takeRun(count, bytes: bytes, into: &records) else { return 0 }
    pages.pass(records[records.count - 1], of: segment)
    var taken = 0
    for record in records {
      guard let socket = source.socket(of: record) else { continue }
      let position = clock.position(of: record, in: segment)
      let details = ReplayBatch.Details(
        timeline: timeline.advance(to: position), position: position, socket: socket)
      if batch.append(record, of: segment, details) { taken += 1 } else { unsendable += 1 }
    }
    return taken
  }

  var losses: Losses {
    Losses(
      damages: (stored?.damages ?? following!.damages) + unsendable,
      messagesMissing: stored?.messagesMissing ?? 0,
      messagesRetired: stored?.messagesRetired ?? following!.messagesRetired)
  }
}
