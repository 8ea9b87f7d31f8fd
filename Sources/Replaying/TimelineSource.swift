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
  /// Of that message.
  private let firstSequence: UInt64
  /// What the monotonic clock of each boot is behind the real-time one of the recording.
  private let offsets: BootOffsets
  /// Unix nanoseconds of position 0 of the recording.
  var origin: Int64 = 0

  private let selection: Selection
  /// By the number of an endpoint in the manifest; nil where its messages are not sent.
  private let sockets: [Int?]

  /// Finds its first message. Throws `IndexError`.
  init(_ source: ReplaySource, sockets: [Int?]) throws {
    index = source.index
    selection = Self.narrowed(source.selection, to: sockets, source.index.capture.manifest)
    self.sockets = sockets
    pool = SegmentPool(source.index.capture)
    var reader = try index.messages(selection, pool: pool)
    var first: RecordedMessage?
    while first == nil, let message = try reader.next() {
      if Self.socket(of: message.record, sockets) != nil { first = message }
    }
    beginning = first?.unixNanoseconds
    firstSequence = first?.record.sequence ?? 0
    let search = try BlockSearch(index, from: firstSequence, pool: pool)
    offsets = if let first { try BootOffsets(first, search) } else { BootOffsets() }
  }

  /// Without the endpoints whose messages are not sent: blocks that have no others are not read.
  private static func narrowed(
    _ selection: Selection, to sockets: [Int?], _ manifest: Manifest
  ) -> Selection {
    guard sockets.contains(nil) else { return selection }
    var narrowed = selection
    narrowed.endpoints = zip(manifest.endpoints, sockets)
      .filter { endpoint, socket in
        socket != nil
          && (selection.endpoints.isEmpty || selection.endpoints.contains(endpoint.address))
      }
      .map { $0.0.address }
    // None would mean all.
    return narrowed.endpoints.isEmpty ? selection : narrowed
  }

  /// Tells where in the recording messages are.
  var clock: RecordingClock { RecordingClock(origin: origin, offsets: offsets) }

  /// Which socket a message goes out on; nil for none.
  func socket(of record: RecordHeader) -> Int? { Self.socket(of: record, sockets) }

  private static func socket(of record: RecordHeader, _ sockets: [Int?]) -> Int? {
    let endpoint = Int(record.endpoint)
    return sockets.indices.contains(endpoint) ? sockets[endpoint] : nil
  }

  /// What is selected, from before a position of the recording on; nil is its beginning. What is passed
  /// over are whole blocks, so that messages before the position may come first.
  func selection(from position: Int64?) throws -> Selection {
    guard let position else { return selection }
    let block = try BlockSearch(index, from: firstSequence, pool: pool).last { segment, record in
      var clock = self.clock
      return clock.position(of: record, in: segment) >= position
    }
    var later = selection
    later.start = block?.place
    return later
  }

  /// Where the recording ends: nanoseconds from position 0.
  func end() throws -> Int64 {
    let search = try BlockSearch(index, from: firstSequence, pool: pool)
    guard let block = try search.last(beforeTime: selection.until ?? .max) else { return 0 }
    var clock = self.clock
    let end = clock.position(of: block.last, in: block.segment)
    return max(0, selection.until.map { min(end, $0 &- origin) } ?? end)
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
    guard let limit = try limit(ofStateAt: position) else { return [] }
    var state = Selection()
    state.topicPrefixes = topics
    state.endpoints = selection.endpoints
    state.codecs = selection.codecs
    return try index.lastMessages(state, before: limit, pool: pool)
      .filter { socket(of: $0.record) != nil && $0.record.frameCount > 0 }
  }

  /// What the state at a position is before; nil for the very beginning.
  private func limit(ofStateAt position: Int64?) throws -> LastMessagesLimit? {
    guard let position else { return selection.from.map { .time($0) } }
    var reader = try index.messages(selection(from: position), pool: pool)
    var clock = self.clock
    var next: UInt64?
    while let message = try reader.next() {
      let place = clock.position(of: message.record, in: message.segment)
      if place >= position { return .sequence(message.record.sequence) }
      next = message.record.sequence + 1
    }
    // What comes meanwhile is not before.
    return .sequence(next ?? .max)
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
