import CaptureIndex
import CaptureStore

/// A capture on the timeline of a replay: where its messages go, and what its position 0 is.
///
/// Used by one thread at a time.
final class TimelineSource: @unchecked Sendable {
  let index: IndexReader
  /// The segments that frames lie in, mapped for as long as this is there.
  let pool: SegmentPool
  /// When the first message that is sent was received, in Unix nanoseconds; nil where there is none.
  let beginning: Int64?
  /// The clocks of the segment that it lies in.
  private let reference: ClockPair?
  /// Unix nanoseconds of position 0 of the recording.
  var origin: Int64 = 0

  private let selection: Selection
  /// By the number of an endpoint in the manifest; nil where its messages are not sent.
  private let sockets: [Int?]

  /// Finds its first message. Throws `IndexError`.
  init(_ source: ReplaySource, sockets: [Int?]) throws {
    index = source.index
    selection = source.selection
    self.sockets = sockets
    pool = SegmentPool(source.index.capture)
    var reader = try index.messages(selection, pool: pool)
    var first: RecordedMessage?
    while first == nil, let message = try reader.next() {
      if Self.socket(of: message.record, sockets) != nil { first = message }
    }
    beginning = first?.unixNanoseconds
    reference = first?.segment.header.clock
  }

  /// Tells where in the recording messages are.
  var clock: RecordingClock { RecordingClock(origin: origin, reference: reference) }

  /// Which socket a message goes out on; nil for none.
  func socket(of record: RecordHeader) -> Int? { Self.socket(of: record, sockets) }

  private static func socket(of record: RecordHeader, _ sockets: [Int?]) -> Int? {
    let endpoint = Int(record.endpoint)
    return sockets.indices.contains(endpoint) ? sockets[endpoint] : nil
  }

  /// What is selected from a position of the recording on; nil is its beginning.
  func selection(from position: Int64?) -> Selection {
    guard let position else { return selection }
    var later = selection
    later.from = max(selection.from ?? .min, origin &+ position)
    return later
  }

  /// Reads what is selected from a position of the recording on; nil is its beginning.
  func messages(from position: Int64?) throws -> MessageReader {
    guard let position else { return try index.messages(selection, pool: pool) }
    let time = origin &+ position
    let (reader, ahead) = try self.reader(at: time, upTo: position)
    guard abs(ahead) > Self.clocksApart / 2 else { return reader }
    // The real-time clock was set meanwhile, or has gone faster or slower: this much.
    return try self.reader(at: time &+ ahead, upTo: position).reader
  }

  /// So far the real-time clock may be from the monotonic one, in one segment and the next: between
  /// its looks at both the recorder may have had to wait.
  private static let clocksApart: Int64 = 1_000_000

  /// Finds the first message at a position, or behind it, about a time of the real-time clock: the
  /// reader returns that message next. Also returns how far that clock was ahead of the position.
  private func reader(
    at time: Int64, upTo position: Int64
  ) throws -> (reader: MessageReader, ahead: Int64) {
    var wanted = selection
    wanted.from = max(selection.from ?? .min, time &- Self.clocksApart)
    var reader = try index.messages(wanted, pool: pool)
    var clock = self.clock
    var ahead: Int64?
    // One message further on: it is not taken yet where it is the one.
    var next = reader
    while let message = try next.next() {
      let place = clock.position(of: message.record, in: message.segment)
      ahead = ahead ?? (message.unixNanoseconds &- origin &- place)
      if place >= position { break }
      reader = next
    }
    return (reader, try ahead ?? aheadAtEnd())
  }

  /// The same, of the last segment.
  private func aheadAtEnd() throws -> Int64 {
    guard let number = try index.capture.segmentFiles().last?.number,
      let clock = try pool.segment(number)?.header.clock,
      let reference, clock.bootID == reference.bootID
    else { return 0 }
    return clock.unixOffset &- reference.unixOffset
  }

  /// About where the recording ends: nanoseconds from position 0.
  func end() throws -> Int64 {
    guard let last = try index.overview().last else { return 0 }
    return max(0, min(last, selection.until ?? .max) &- origin)
  }

  /// Where in the recording something happened to it: nanoseconds from position 0, in any order.
  func marks() throws -> [Int64] {
    try index.ledger(Selection()).compactMap { $0.time.map { $0 &- origin } }
  }

  /// What the capture lacks in the span of the selection.
  func completeness() throws -> Completeness { try index.completeness(of: selection) }

  /// The last message of each stream with one of these topics, before a position of the recording
  /// or, where that is nil, before where the selection begins; those that are sent.
  func state(_ topics: [[UInt8]], before position: Int64?) throws -> [RecordedMessage] {
    guard !topics.isEmpty else { return [] }
    var time = selection(from: position).from
    if position != nil {
      var reader = try messages(from: position)
      if let first = try reader.next() { time = first.unixNanoseconds }
    }
    guard let time else { return [] }
    var state = Selection()
    state.topicPrefixes = topics
    state.endpoints = selection.endpoints
    return try index.lastMessages(state, before: time, pool: pool)
      .filter { socket(of: $0.record) != nil }
  }

  /// Why there is no message: nothing fits the selection, or nothing is there.
  func reasonForNothing() throws -> ReplayError {
    let path = index.capture.path
    guard selection.isEverything, !sockets.contains(nil) else {
      return .nothingSelected(capture: path)
    }
    let files = try index.capture.segmentFiles()
    let known = try index.completeness()
    let reason =
      if files.isEmpty {
        "it has no segments; bring them back from a copy"
      } else if index.isBeingRecorded && index.capture.isRing {
        "what its index knows made room meanwhile; it catches up, try again"
      } else if try known.isComplete && index.overview().messages == 0 {
        "there are no messages in it"
      } else {
        "none of its messages can be read; `zcap verify \(path)` tells why"
      }
    return .nothingThere(capture: path, reason: reason)
  }
}

extension [TimelineSource] {
  /// Finds out where each goes and what position 0 of each is. Throws `ReplayError`, `IndexError`.
  init(_ captures: [ReplaySource], _ route: Route, _ align: ReplayPlan.Alignment) throws {
    self = try zip(captures, route.sockets).map { try TimelineSource($0, sockets: $1) }
    // One that is followed from its very beginning has no message yet.
    let earliest = compactMap(\.beginning).min() ?? CaptureClock.unixNanoseconds()
    for source in self {
      source.origin = align == .start ? source.beginning ?? earliest : earliest
    }
  }
}
