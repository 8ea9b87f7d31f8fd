import CaptureStore
import Glibc
import TestSupport
import Testing

@testable import CaptureIndex

/// What a selection finds by blocks is what a look at every message would find.
@Suite struct SelectionTests {
  private let directory: TemporaryDirectory
  private let reader: IndexReader
  private let all: [RecordedMessage]
  private let tags: [String]
  private var random: SplitMix64

  init() throws {
    directory = try TemporaryDirectory()
    random = SplitMix64(for: "SelectionTests")
    var traffic = RandomTraffic(random, topics: 30)
    let capture = try Capture.recorded(
      directory.file("c"), traffic.messages(1_500), manifest: .test(endpoints: 3),
      segmentSize: 512 << 10)
    _ = try Indexer.rebuild(capture, rule: .auto)
    reader = try IndexReader(capture)
    all = try IndexContent.messages(reader)
    let tagger = try reader.codecTagger()
    tags = all.map { tagger.tag(of: $0) }
  }

  private func bruteForce(_ selection: Selection) -> [UInt64] {
    zip(all, tags).filter { message, tag in
      let endpoint = message.record.endpoint < 3 ? "ipc://\(message.record.endpoint)" : nil
      let parts = tag.split(separator: "|").map(String.init)
      return (selection.from.map { message.unixNanoseconds >= $0 } ?? true)
        && (selection.until.map { message.unixNanoseconds < $0 } ?? true)
        && (selection.endpoints.isEmpty
          || endpoint.map { selection.endpoints.contains($0) } ?? false)
        && (selection.codecs.isEmpty
          || selection.codecs.contains { $0 == tag || parts.contains($0) })
        && (selection.topicPrefixes.isEmpty
          || selection.topicPrefixes.contains { message.topic?.starts(with: $0) ?? false })
    }.map(\.0.record.sequence)
  }

  private func expectAgreement(_ selection: Selection) throws -> Int {
    let found = try IndexContent.messages(reader, selection).map(\.record.sequence)
    #expect(found == bruteForce(selection), "\(selection)")
    return found.count
  }

  @Test func everythingIsSelectedByDefault() throws {
    #expect(all.map(\.record.sequence) == Array(0..<1_500))
  }

  @Test func randomSelectionsAgreeWithALookAtEveryMessage() throws {
    var random = random
    let times = all.map(\.unixNanoseconds)
    var nonEmpty = 0
    for _ in 0..<200 {
      var selection = Selection()
      if random.int(0...1) == 0 {
        let topic = all[random.int(0...all.count - 1)].topic ?? []
        selection.topicPrefixes.append(Array(topic.prefix(random.int(0...6))))
      }
      if random.int(0...4) == 0 { selection.topicPrefixes.append(random.bytes(1)) }
      if random.int(0...2) == 0 {
        selection.endpoints =
          [["ipc://0"], ["ipc://1", "ipc://2"], ["ipc://9"]][random.int(0...2)]
      }
      if random.int(0...2) == 0 {
        selection.codecs = [random.int(0...1) == 0 ? "json" : tags[random.int(0...1_499)]]
      }
      if random.int(0...1) == 0 { selection.from = times[random.int(0...1_499)] }
      if random.int(0...1) == 0 { selection.until = times[random.int(0...1_499)] }
      if try expectAgreement(selection) > 0 { nonEmpty += 1 }
    }
    #expect(nonEmpty > 50)
  }

  @Test func theFirstTimeIsWantedAndTheLastIsNot() throws {
    var selection = Selection()
    selection.from = all[700].unixNanoseconds
    selection.until = all[700].unixNanoseconds
    #expect(try expectAgreement(selection) == 0)
    selection.until = all[700].unixNanoseconds + 1
    #expect(try expectAgreement(selection) >= 1)
  }

  @Test func anEmptyPrefixIsEveryMessageWithATopic() throws {
    var selection = Selection()
    selection.topicPrefixes = [[]]
    let count = try expectAgreement(selection)
    #expect(count == all.count { $0.topic != nil } && count < all.count)
  }

  @Test func whatIsNotThereSelectsNothing() throws {
    var selection = Selection()
    selection.endpoints = ["ipc://none"]
    #expect(try expectAgreement(selection) == 0)
    selection = Selection()
    selection.codecs = ["protobuf"]
    #expect(try expectAgreement(selection) == 0)
    selection = Selection()
    selection.topicPrefixes = [[UInt8](repeating: 0x7A, count: 2_000)]
    #expect(try expectAgreement(selection) == 0)
  }

  @Test func aDamagedMessageIsCountedAndNotFound() throws {
    let victim = all[700]
    try withExtendedLifetime(reader) {
      let file = open(victim.segment.path, O_RDWR)
      defer { close(file) }
      var byte = victim.segment.bytes.withUnsafeBytes { $0[victim.record.end - 1] } ^ 1
      try #require(pwrite(file, &byte, 1, off_t(victim.record.end - 1)) == 1)
    }
    var found = try reader.messages(Selection(), pool: SegmentPool(reader.capture))
    var sequences: [UInt64] = []
    while let message = try found.next() { sequences.append(message.record.sequence) }
    #expect(found.damages == 1)
    #expect(sequences == Array(0..<700) + Array(701..<1_500))
  }

  @Test func aLengthOfZeroIsCountedAsDamage() throws {
    let victim = all[700]
    let file = open(victim.segment.path, O_RDWR)
    defer { close(file) }
    try #require(pwrite(file, [0, 0, 0, 0], 4, off_t(victim.record.offset)) == 4)
    var found = try reader.messages(Selection(), pool: SegmentPool(reader.capture))
    var count = 0
    while try found.next() != nil { count += 1 }
    #expect(count < 1_500 && found.damages > 0)
  }
}
