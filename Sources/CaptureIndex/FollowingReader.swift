public import CaptureStore
import GRDB

/// Reads the selected messages of a capture in recorded order while it is being recorded, on and on.
///
/// It walks the segments themselves, so that it is never behind an index. Every record is checked
/// before it is handed out.
public struct FollowingReader {
  public enum Step {
    case message(RecordedMessage)
    /// Many messages were passed over that are not selected: time to look at something else, too.
    case passed
    /// There is nothing more now: asked later, it goes on.
    case caughtUp
    /// Nobody records any more, and everything has been read; or the selection has an end and a message
    /// was at it or behind; or the capture is gone.
    case ended
  }

  /// Places that could not be read.
  public private(set) var damages = 0
  /// Messages that were recorded and are not there any more, of whatever topic.
  public private(set) var messagesMissing: Int64 = 0
  /// Messages of a ring that made room before they were read.
  public private(set) var messagesRetired: Int64 = 0

  private static let passedMax = 4096
  /// It could not go on at the last look either.
  private var isStuck = false

  /// Of this boot's monotonic clock: what was received later is not wanted.
  private let lastTime: Int64?
  private let selection: Selection
  private let rule: TopicRule
  private let endpoints: Set<Int>?
  private var cursor: CaptureCursor

  init(
    _ index: IndexReader, _ selection: Selection, from place: RecordPlace?,
    upTo lastTime: Int64? = nil
  ) throws {
    self.lastTime = lastTime
    self.selection = selection
    rule = index.topicRule
    endpoints = selection.endpointNumbers(in: index.capture.manifest)
    cursor =
      try place.map { try CaptureCursor(index.capture, at: $0, verifying: .body) }
      ?? CaptureCursor(index.capture, verifying: .body)
  }

  public mutating func next() -> Step {
    defer { messagesRetired += Int64(cursor.takeRetired()) }
    for _ in 0..<Self.passedMax {
      switch cursor.next() {
      case .record(let record):
        isStuck = false
        if isBehindEnd(record) { return .ended }
        if let message = message(record) { return .message(message) }
      case .unreadable(_, bytes: 0):
        // Once it may be anything, twice it stays so: a capture that was removed.
        if isStuck { return .ended }
        isStuck = true
        damages += 1
      case .damage, .unreadable: damages += 1
      case .missing(let sequences): messagesMissing += Int64(sequences.count)
      case .caughtUp(let isFinal): return isFinal ? .ended : .caughtUp
      }
    }
    return .passed
  }

  /// Whether what is recorded from now on is not selected.
  private func isBehindEnd(_ record: RecordHeader) -> Bool {
    guard record.kind == .data, let segment = cursor.segment else { return false }
    if let lastTime, record.monotonicNanoseconds > lastTime,
      segment.header.clock.bootID == ClockPair.currentBootID
    {
      return true
    }
    guard let until = selection.until else { return false }
    return record.monotonicNanoseconds &+ segment.header.clock.unixOffset >= until
  }

  private mutating func message(_ record: RecordHeader) -> RecordedMessage? {
    guard record.kind == .data, let segment = cursor.segment else { return nil }
    guard let frameBytes = segment.frameBytes(of: record) else {
      damages += 1
      return nil
    }
    if let endpoints, !endpoints.contains(Int(record.endpoint)) { return nil }
    let message = RecordedMessage(
      segment: segment, record: record, topicRange: rule.topic(of: record, in: segment),
      frameBytes: frameBytes)
    guard selection.matches(time: message.unixNanoseconds),
      selection.matches(topicOf: message)
    else { return nil }
    return message
  }
}

extension IndexReader {
  /// Up to where the index of a capture that is being recorded knows it: messages behind that are read by
  /// ``followingUpToNow(_:from:)``.
  public func knownPlace() throws -> RecordPlace { try database.place() }

  /// Reads the messages of a selection from a place on, as ``following(_:)`` does, and ends behind what
  /// was received by now.
  public func followingUpToNow(
    _ selection: Selection, from place: RecordPlace
  ) throws -> FollowingReader {
    try FollowingReader(
      self, selection, from: place, upTo: CaptureClock.monotonicNanoseconds())
  }

  /// Reads the messages of a selection and goes on with what is being recorded. Codecs do not count:
  /// the tags of what comes are not known when it does.
  public func following(_ selection: Selection) throws -> FollowingReader {
    guard selection.start == nil, let from = selection.from else {
      return try FollowingReader(self, selection, from: selection.start)
    }
    // The times of a block that is still being filled are not in the index yet.
    let place = try read { database in
      try Row.fetchOne(
        database,
        sql: """
          SELECT \(BlockPlace.columns) FROM block
          WHERE last_time_ns >= ? OR id = (SELECT max(id) FROM block) ORDER BY id LIMIT 1
          """, arguments: [from]
      ).map { try BlockPlace($0).start }
    }
    return try FollowingReader(self, selection, from: place)
  }
}
