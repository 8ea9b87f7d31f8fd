import CaptureStore
import TestSupport

@testable import CaptureIndex

/// Messages as several publishers send them: topics that come back, payloads of every codec, now
/// and then something odd.
struct RandomTraffic {
  var random: SplitMix64
  private var time: Int64 = 1_000_000_000
  private var numbers: [UInt16] = [0, 0, 65_500]
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
    case 6, 7: return counted()
    case 8, 9: return camera()
    case 3, 4: return [Array("word \(random.int(0...99))".utf8)]
    case 5:
      return (0..<random.int(2...40)).map { _ in random.int(0...2) == 0 ? [] : payload() }
    default:
      let topic = topics[random.int(0...topics.count - 1)]
      return [topic] + (0..<random.int(0...3)).map { _ in payload() }
    }
  }

  /// Arrays of some sizes and pictures behind a header, mostly as the one before.
  private mutating func camera() -> [[UInt8]] {
    let size = random.int(0...9) == 0 ? random.int(1...3) : 4
    let header = Array(#"{"dtype":"uint8","shape":[\#(size),2]}"#.utf8)
    let isPicture = random.int(0...4) == 0
    return [
      Array("cam".utf8), header,
      isPicture
        ? [0xFF, 0xD8, 0xFF, 0xE0, UInt8(size), 1, 2, 0xFF, 0xD9]
        : [UInt8](repeating: UInt8(random.int(0...255)), count: size * 2),
    ]
  }

  /// The rules by which its counters are found.
  static let sequences = ["count/:frame=1:offset=2:u16be", "count/:frame=-1:offset=0:u8"]
    .compactMap { SequenceRule($0) }

  /// A number of 16 bits that goes up: mostly by one, now and then back, too far, or not at all.
  private mutating func counted() -> [[UInt8]] {
    let topic = random.int(0...2)
    switch random.int(0...19) {
    case 0: return [Array("count/\(topic)".utf8), [1]]
    case 1: numbers[topic] &+= UInt16(random.int(0...200))
    case 2: numbers[topic] &-= UInt16(random.int(0...30))
    case 3 where random.int(0...2) == 0: numbers[topic] = 0
    default: numbers[topic] &+= 1
    }
    let number = numbers[topic]
    return [
      Array("count/\(topic)".utf8),
      [0xFF, 0xFF, UInt8(number >> 8), UInt8(truncatingIfNeeded: number)],
    ]
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

  /// Now and then something that happened between two messages.
  mutating func event() -> StoredEvent? {
    guard random.int(0...30) == 0 else { return nil }
    let kinds = ["disconnected", "connected", "stalled", "refused", "paused", "of a later version"]
    let kind = kinds[random.int(0...kinds.count - 1)]
    var fields: [String: StoredEvent.Value] = ["ms": .number(Int64(random.int(0...5_000)))]
    if random.int(0...1) == 0 { fields["endpoint"] = .text("ipc://1") }
    if kind == "refused" { fields["lost"] = .number(Int64(random.int(1...3))) }
    return StoredEvent(kind, monotonicNanoseconds: time, fields)
  }

  mutating func messages(_ count: Int) -> [TestMessage] { (0..<count).map { _ in next() } }
}

/// All that an index says of a capture, to compare one with another.
struct IndexContent: Equatable {
  var rows: [IndexReader.TopicRow]
  var overview: IndexReader.Overview
  var ledger: [LedgerEntry]
  /// Of every message, in order.
  var tags: [String]

  init(_ reader: IndexReader) throws {
    rows = try reader.topicRows()
    overview = try reader.overview()
    ledger = try reader.ledger(Selection())
    let tagger = try reader.codecTagger()
    tags = try Self.messages(reader).map { tagger.tag(of: $0) }
  }

  static func messages(
    _ reader: IndexReader, _ selection: Selection = Selection()
  ) throws -> [RecordedMessage] {
    var messages: [RecordedMessage] = []
    var found = try reader.messages(selection, pool: SegmentPool(reader.capture))
    while let message = try found.next() { messages.append(message) }
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
