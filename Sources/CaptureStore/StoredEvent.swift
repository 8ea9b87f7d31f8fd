package import Foundation

/// Something that happened to a recording: one frame of JSON in the stream, between the messages.
///
///     {"event": "disconnected", "endpoint": "tcp://127.0.0.1:5555"}
///
/// Format.md lists the kinds and their fields. A reader keeps what it does not know.
public struct StoredEvent: Hashable, Sendable {
  /// A field's value.
  public enum Value: Hashable, Sendable {
    case text(String)
    case number(Int64)
  }

  /// What happened: the field `event`.
  public var kind: String
  /// When, on the monotonic clock.
  public var monotonicNanoseconds: Int64
  public var fields: [String: Value]

  public init(
    _ kind: String, monotonicNanoseconds: Int64 = CaptureClock.monotonicNanoseconds(),
    _ fields: [String: Value] = [:]
  ) {
    self.kind = kind
    self.monotonicNanoseconds = monotonicNanoseconds
    self.fields = fields
  }

  /// One object; the fields in the order of their names.
  package var json: [UInt8] {
    var object: [String: Value] = fields
    object["event"] = .text(kind)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Texts and numbers are always JSON.
    return Array((try? encoder.encode(object)) ?? Data())
  }

  /// Reads an event record; nil when it is none, or nothing that can be understood.
  public init?(_ record: RecordHeader, in segment: Segment) {
    guard record.kind == .event, record.frameCount == 1,
      let range = segment.frameRange(0, of: record), range.count <= Self.sizeMax
    else { return nil }
    let bytes = unsafe segment.bytes.extracting(range).withUnsafeBytes { unsafe Data($0) }
    self.init(json: bytes, monotonicNanoseconds: record.monotonicNanoseconds)
  }

  /// Reads what `json` wrote; nil for anything else.
  package init?(json: Data, monotonicNanoseconds: Int64 = 0) {
    guard let object = try? JSONDecoder().decode([String: Value].self, from: json),
      case .text(let kind)? = object["event"]
    else { return nil }
    self.kind = kind
    self.monotonicNanoseconds = monotonicNanoseconds
    fields = object
    fields["event"] = nil
  }

  /// More than any event that zcap writes.
  private static let sizeMax = 64 << 10

  public func number(_ field: String) -> Int64? {
    if case .number(let number)? = fields[field] { number } else { nil }
  }

  public func text(_ field: String) -> String? {
    if case .text(let text)? = fields[field] { text } else { nil }
  }
}

extension StoredEvent.Value: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Int64.self) {
      self = .number(number)
    } else {
      self = .text(try container.decode(String.self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .text(let text): try container.encode(text)
    case .number(let number): try container.encode(number)
    }
  }
}
