import CaptureStore
import GRDB

/// Reads the selected messages of a capture in recorded order while it is being recorded, on and on.
///
/// It walks the segments themselves, so that it is never behind an index. Every record is checked
/// before it is handed out.
public struct FollowingReader {
  public enum Step {
    case message(RecordedMessage)
    /// There is nothing more now: asked later, it goes on.
    case caughtUp
    /// Nobody records any more, and everything has been read.
    case ended
  }

  /// Places that could not be read.
  public private(set) var damages = 0
  /// Messages of a ring that made room before they were read.
  public private(set) var messagesRetired: Int64 = 0

  private let selection: Selection
  private let rule: TopicRule
  private let endpoints: Set<Int>?
  private var cursor: CaptureCursor

  init(_ index: IndexReader, _ selection: Selection, from place: RecordPlace?) throws {
    self.selection = selection
    rule = index.topicRule
    endpoints = selection.endpointNumbers(in: index.capture.manifest)
    cursor =
      try place.map { try CaptureCursor(index.capture, at: $0, verifying: .body) }
      ?? CaptureCursor(index.capture, verifying: .body)
  }

  public mutating func next() -> Step {
    while true {
      switch cursor.next() {
      case .record(let record):
        if let message = message(record) { return .message(message) }
      case .damage, .unreadable: damages += 1
      // The index that is made of the capture tells them, with what else is known of them.
      case .missing: continue
      case .caughtUp(let isFinal):
        messagesRetired += Int64(cursor.takeRetired())
        return isFinal ? .ended : .caughtUp
      }
    }
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
