import CaptureStore
import TestSupport
import Testing

@testable import CaptureIndex

@Suite struct StreamTableTests {
  private struct Key: Hashable {
    var endpoint: Int
    /// nil for none, which is not the empty one.
    var topic: [UInt8]?
  }

  private func id(_ key: Key, in table: inout StreamTable) -> Int {
    guard let topic = key.topic else { return table.id(endpoint: key.endpoint, topic: nil) }
    return table.id(endpoint: key.endpoint, topic: topic.span.bytes)
  }

  @Test(arguments: [1, 3, 60, 5000]) func streamsAreThoseOfADictionary(kinds: Int) {
    var random = SplitMix64()
    let endpoints = [0, 1, 63, 64, 65_535]
    let keys = (0..<kinds).map { _ in
      Key(
        endpoint: endpoints[random.int(0...4)],
        topic: random.int(0...4) == 0 ? nil : random.bytes(random.int(0...2)))
    }
    var table = StreamTable()
    var known: [Key: Int] = [:]
    for step in 0..<20_000 {
      // In turn, as publishers do, and at random.
      let key = keys[step % 3_000 < 1_500 ? step % kinds : random.int(0...kinds - 1)]
      let expected = known[key] ?? known.count
      known[key] = expected
      let found = id(key, in: &table)
      if found != expected { Issue.record("\(key): \(found), expected \(expected)") }
      let stream = table.streams[found]
      let name = stream.topic == TopicTable.noTopic ? nil : table.topics.name(of: stream.topic)
      if stream.endpoint != key.endpoint || name != key.topic { Issue.record("\(key)") }
    }
  }

  @Test func topicsBeyondTheLimitAreOneStreamOfTheirEndpoint() {
    var table = StreamTable()
    func name(_ number: Int) -> [UInt8] { Array("\(number)".utf8) }
    for number in 0..<TopicTable.countMax {
      _ = table.id(endpoint: 0, topic: name(number).span.bytes)
    }
    let key = { Key(endpoint: $0, topic: name(TopicTable.countMax + $1)) }
    #expect(id(key(0, 0), in: &table) == TopicTable.countMax)
    #expect(id(key(0, 1), in: &table) == TopicTable.countMax)
    #expect(id(key(1, 1), in: &table) == TopicTable.countMax + 1)
    #expect(id(key(0, 1), in: &table) == TopicTable.countMax)
    #expect(id(Key(endpoint: 0, topic: TopicTable.overflowName), in: &table) == TopicTable.countMax)
    #expect(table.streams[TopicTable.countMax].topic == TopicTable.overflow)
    #expect(id(Key(endpoint: 0, topic: name(7)), in: &table) == 7)
  }
}
