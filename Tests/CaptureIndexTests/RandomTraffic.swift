import CaptureStore
import TestSupport

@testable import CaptureIndex

/// Messages as several publishers send them: topics that come back, payloads of every codec, now
/// and then something odd.
struct RandomTraffic {
  var random: SplitMix64
  private var time: Int64 = 1_000_000_000
  private let topics: [[UInt8]]

  init(_ random: SplitMix64, topics count: Int = 12) {
    self.random = random
    topics = (0..<count).map { Array(["a", "ab", "b/", "temp\u{E9}"][$0 % 4].utf8) + [UInt8($0)] }
  }

  mutating func next() -> TestMessage {
    time += Int64(random.int(0...9) == 0 ? random.int(0...80_000_000) : random.int(0...100_000))
    if random.int(0...99) == 0 { time -= 5_000_000 }
    let endpoint = UInt16(random.int(0...60) == 0 ? 9 : random.int(0...2))
    return TestMessage(endpoint: endpoint, time: time, frames())
  }

  private mutating func frames() -> [[UInt8]] {
    switch random.int(0...19) {
    case 0: return []
    case 1: return [[]]
    case 2: return [payload()]
    case 3, 4: return [Array("word \(random.int(0...99))".utf8)]
    case 5:
      return (0..<random.int(2...40)).map { _ in random.int(0...2) == 0 ? [] : payload() }
    default:
      let topic = topics[random.int(0...topics.count - 1)]
      return [topic] + (0..<random.int(0...3)).map { _ in payload() }
    }
  }

  private mutating func payload() -> [UInt8] {
    switch random.int(0...7) {
    case 0: return []
    case 1, 2, 3: return Array("{\"value\": \(random.int(0...1_000_000)), \"unit\": \"K\"}".utf8)
    case 4, 5: return Array("a line of plain text, number \(random.int(0...999))".utf8)
    case 6: return random.bytes(random.size(max: 20_000))
    default: return random.bytes(8)
    }
  }

  mutating func messages(_ count: Int) -> [TestMessage] { (0..<count).map { _ in next() } }
}

/// All that an index says of a capture, to compare one with another.
struct IndexContent: Equatable {
  var rows: [IndexReader.TopicRow]
  var overview: IndexReader.Overview
  /// Of every message, in order.
  var tags: [String]

  init(_ reader: IndexReader) throws {
    rows = try reader.topicRows()
    overview = try reader.overview()
    let tagger = try reader.codecTagger()
    tags = try Self.messages(reader).map { tagger.tag(of: $0) }
  }

  static func messages(
    _ reader: IndexReader, _ selection: Selection = Selection()
  ) throws -> [RecordedMessage] {
    var messages: [RecordedMessage] = []
    var found = try reader.messages(selection, pool: SegmentPool(reader.capture))
    while let message = found.next() { messages.append(message) }
    return messages
  }
}

/// What the rule `auto` should give, written a second time and for arrays.
func automaticTopic(_ frames: [[UInt8]]) -> [UInt8]? {
  guard let first = frames.first else { return nil }
  if frames.count > 1 {
    let isHeader = first.count > 1 && first.first == 0x7B && first.last == 0x7D
    return isHeader ? nil : Array(first.prefix(1024))
  }
  let head = first.prefix(1024)
  guard let start = head.first, !"{[\"".utf8.contains(start),
    let end = head.dropFirst().firstIndex(of: 32),
    String(validating: head[..<end], as: UTF8.self) != nil,
    !head[..<end].contains(where: { $0 < 32 || $0 == 127 })
  else { return nil }
  return Array(head[..<end])
}
