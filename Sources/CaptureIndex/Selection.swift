public import CaptureStore

/// Which messages of a capture are wanted. What is not set does not restrict.
public struct Selection: Sendable {
  /// Topics that start with any of these; an empty list is every message, with a topic or without.
  public var topicPrefixes: [[UInt8]] = []
  /// Addresses of endpoints as recorded, in full.
  public var endpoints: [String] = []
  /// Codec tags: of a whole message (`text|json`) or of any of its frames (`json`).
  public var codecs: [String] = []
  /// Unix nanoseconds, the first one wanted.
  public var from: Int64?
  /// Unix nanoseconds, the first one not wanted.
  public var until: Int64?
  /// Where reading begins: where a block does. What was recorded before is not wanted.
  package var start: RecordPlace?

  public init() {}

  /// Whether every message of a capture is wanted.
  public var isEverything: Bool {
    topicPrefixes.isEmpty && endpoints.isEmpty && codecs.isEmpty && from == nil && until == nil
      && start == nil
  }

  func matches(topic: RawSpan?) -> Bool {
    if topicPrefixes.isEmpty { return true }
    guard let topic else { return false }
    return topicPrefixes.contains { topic.starts(with: $0) }
  }

  func matches(topic: [UInt8]?) -> Bool {
    if topicPrefixes.isEmpty { return true }
    guard let topic else { return false }
    return topicPrefixes.contains { topic.starts(with: $0) }
  }

  func matches(topicOf message: RecordedMessage) -> Bool {
    if topicPrefixes.isEmpty { return true }
    guard let range = message.topicRange else { return false }
    return matches(topic: message.segment.bytes.extracting(range))
  }

  /// The numbers of the wanted endpoints; nil where all are.
  func endpointNumbers(in manifest: Manifest) -> Set<Int>? {
    guard !endpoints.isEmpty else { return nil }
    let numbers = manifest.endpoints.indices.filter {
      endpoints.contains(manifest.endpoints[$0].address)
    }
    return Set(numbers)
  }

  func matches(codec tag: String) -> Bool {
    codecs.isEmpty
      || codecs.contains { wanted in
        wanted == tag || tag.split(separator: "|").contains { $0 == wanted }
      }
  }

  /// Whether a row of totals is about messages of the selection, times aside.
  public func matches(_ row: IndexReader.TopicRow) -> Bool {
    matches(topic: row.topic) && matches(codec: row.codec)
      && (endpoints.isEmpty || endpoints.contains(row.endpoint))
  }

  func matches(time: Int64) -> Bool {
    if let from, time < from { return false }
    if let until, time >= until { return false }
    return true
  }
}

extension RawSpan {
  fileprivate func starts(with prefix: [UInt8]) -> Bool {
    guard prefix.count <= byteCount else { return false }
    for offset in prefix.indices where byte(at: offset) != prefix[offset] { return false }
    return true
  }
}

/// A message of a capture, in place: its segment is mapped for as long as this is held.
public struct RecordedMessage: Sendable {
  public let segment: Segment
  public let record: RecordHeader
  /// Where its topic lies in the segment; nil when it has none.
  public let topicRange: Range<Int>?
  /// Bytes of all its frames, each of which lies inside its record.
  public let frameBytes: Int

  /// When it was received, by the recorder's real-time clock.
  public var unixNanoseconds: Int64 {
    record.monotonicNanoseconds &+ segment.header.clock.unixOffset
  }

  /// A copy of its topic.
  public var topic: [UInt8]? {
    guard let topicRange else { return nil }
    let span = segment.bytes.extracting(topicRange)
    return (0..<span.byteCount).map { span.byte(at: $0) }
  }

  /// Bytes of each frame.
  public var frameSizes: [Int] {
    (0..<record.frameCount).map { segment.frameRange($0, of: record)?.count ?? 0 }
  }
}
