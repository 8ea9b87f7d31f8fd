import CaptureStore
import GRDB
import Glibc
import TestSupport
import Testing

@testable import CaptureIndex

/// What the index finds before a place is what a look at every message would find.
@Suite struct LastMessagesTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private struct Stream: Hashable {
    var endpoint: UInt16
    var topic: [UInt8]?
  }

  /// A capture, and all that a model has to know of it.
  private struct Recorded {
    let reader: IndexReader
    let all: [RecordedMessage]
    let tags: [String]

    init(_ capture: Capture, isTagged: Bool = true) throws {
      reader = try IndexReader(capture)
      all = try IndexContent.messages(reader)
      let tagger = isTagged ? try reader.codecTagger() : nil
      tags = all.map { tagger?.tag(of: $0) ?? "" }
    }

    func sequences(_ selection: Selection = Selection(), before time: Int64) throws -> [UInt64] {
      try sequences(selection, before: .time(time))
    }

    func sequences(_ selection: Selection, before limit: LastMessagesLimit) throws -> [UInt64] {
      try reader.lastMessages(selection, before: limit, pool: SegmentPool(reader.capture))
        .map(\.record.sequence)
    }

    func model(_ selection: Selection, before limit: LastMessagesLimit) -> [UInt64] {
      let addresses = reader.capture.manifest.endpoints.map(\.address)
      var last: [Stream: UInt64] = [:]
      for (message, tag) in zip(all, tags) {
        switch limit {
        case .time(let time): if message.unixNanoseconds >= time { continue }
        case .sequence(let sequence): if message.record.sequence >= sequence { continue }
        }
        let number = Int(message.record.endpoint)
        let address = addresses.indices.contains(number) ? addresses[number] : "?"
        guard selection.matches(topic: message.topic), selection.matches(codec: tag),
          selection.endpoints.isEmpty || selection.endpoints.contains(address)
        else { continue }
        last[Stream(endpoint: message.record.endpoint, topic: message.topic)] =
          message.record.sequence
      }
      return last.values.sorted()
    }

    /// Returns how many streams there were.
    func expectAgreement(_ selection: Selection = Selection(), before time: Int64) throws -> Int {
      try expectAgreement(selection, before: .time(time))
    }

    func expectAgreement(
      _ selection: Selection, before limit: LastMessagesLimit
    ) throws -> Int {
      let found = try sequences(selection, before: limit)
      #expect(found == model(selection, before: limit), "\(selection), before \(limit)")
      return found.count
    }

    func selection(_ random: inout SplitMix64) -> Selection {
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
      if random.int(0...3) == 0 {
        selection.codecs =
          random.int(0...1) == 0 ? ["json"] : [tags[random.int(0...tags.count - 1)]]
      }
      // Times of a selection are of no account here.
      if random.int(0...3) == 0 { selection.from = all[all.count / 2].unixNanoseconds }
      if random.int(0...3) == 0 { selection.until = all[all.count / 3].unixNanoseconds }
      return selection
    }

    /// By a number: of one of its messages, mostly.
    func limit(_ random: inout SplitMix64) -> LastMessagesLimit {
      .sequence(random.int(0...30) == 0 ? .max : UInt64(random.int(0...all.count + 1)))
    }

    func place(_ random: inout SplitMix64) -> Int64 {
      switch random.int(0...20) {
      case 0: .max
      case 1: all.map(\.unixNanoseconds).max()! + 1
      default:
        all[random.int(0...all.count - 1)].unixNanoseconds + Int64(random.int(-1...1))
      }
    }
  }

  private func recorded(
    _ messages: [TestMessage], segmentSize: Int = CaptureWriter.segmentSizes.lowerBound,
    isTagged: Bool = true
  ) throws -> Recorded {
    let capture = try Capture.recorded(
      directory.file("c"), messages, manifest: .test(endpoints: 3), segmentSize: segmentSize)
    _ = try Indexer.rebuild(capture, rule: .auto)
    return try Recorded(capture, isTagged: isTagged)
  }

  private func flip(_ message: RecordedMessage, at offset: Int) throws {
    try flip(message.segment, at: offset)
  }

  private func flip(_ segment: Segment, at offset: Int) throws {
    let file = open(segment.path, O_RDWR)
    defer { close(file) }
    var byte = segment.bytes.withUnsafeBytes { $0[offset] } ^ 1
    try #require(pwrite(file, &byte, 1, off_t(offset)) == 1)
  }

  /// A message every 200 ms, each of which is a block of its own.
  private static func sparse(_ topics: [String]) -> [TestMessage] {
    topics.enumerated().map {
      TestMessage(time: Int64($0 + 1) * 200_000_000, $1, "text \($0)")
    }
  }

  @Test func randomPlacesAgreeWithALookAtEveryMessage() throws {
    var random = SplitMix64(for: "LastMessagesTests.randomPlaces")
    var traffic = RandomTraffic(random, topics: 40)
    let recorded = try recorded(traffic.messages(2_000), segmentSize: 512 << 10)
    var streams = 0
    for _ in 0..<300 {
      streams += try recorded.expectAgreement(
        recorded.selection(&random), before: recorded.place(&random))
      streams += try recorded.expectAgreement(
        recorded.selection(&random), before: recorded.limit(&random))
    }
    #expect(streams > 1_000)
  }

  /// Thousands of blocks, streams that were silent for long, a clock that was set.
  @Test func silentStreamsAreFoundInLongCaptures() throws {
    var random = SplitMix64(for: "LastMessagesTests.silentStreams")
    var time: Int64 = 1_000_000_000_000
    let messages = (0..<3_000).map { index -> TestMessage in
      time += Int64(random.int(50_000_000...300_000_000))
      if random.int(0...400) == 0 { time -= Int64(random.int(0...60_000_000_000)) }
      // Some all the time, some within a while, some once.
      let topic =
        switch random.int(0...9) {
        case 0: "once \(random.int(0...2_000))"
        case 1, 2: "while \(index / 300) \(random.int(0...20))"
        default: "often \(random.int(0...9))"
        }
      return TestMessage(endpoint: UInt16(random.int(0...2)), time: time, topic, "x")
    }
    let recorded = try recorded(messages)
    let stretches = try recorded.reader.read { try recorded.reader.stretches($0) }
    try #require(stretches.stretches.count > 4)
    for _ in 0..<60 {
      _ = try recorded.expectAgreement(
        recorded.selection(&random), before: recorded.place(&random))
      _ = try recorded.expectAgreement(
        recorded.selection(&random), before: recorded.limit(&random))
    }
    #expect(try recorded.expectAgreement(before: .max) > 300)
  }

  @Test func ofEqualTimesTheLastRecordedIsTheLast() throws {
    let times: [Int64] = [10, 20, 20, 20, 30]
    let recorded = try recorded(times.map { TestMessage(time: $0, "a", "\($0)") })
    let unix = recorded.all.map(\.unixNanoseconds)
    #expect(try recorded.sequences(before: unix[1]) == [0])
    #expect(try recorded.sequences(before: unix[1] + 1) == [3])
    #expect(try recorded.sequences(before: unix[4]) == [3])
  }

  @Test func whereTheClockWasSetBackTheLastRecordedIsTheLast() throws {
    let recorded = try recorded([10, 40, 20, 50].map { TestMessage(time: $0, "a", "\($0)") })
    let unix = recorded.all.map(\.unixNanoseconds)
    #expect(try recorded.sequences(before: unix[3]) == [2])
    #expect(try recorded.sequences(before: unix[1]) == [2])
    #expect(try recorded.sequences(before: unix[2]) == [0])
  }

  @Test func aBlockOnBothSidesOfThePlaceCountsUpToIt() throws {
    let second: Int64 = 1_000_000_000
    let recorded = try recorded([
      TestMessage(time: second, "a", "1"), TestMessage(time: second + 1, "b", "1"),
      TestMessage(time: 2 * second, "b", "2"), TestMessage(time: 2 * second + 1, "b", "3"),
      TestMessage(time: 2 * second + 2, "a", "2"), TestMessage(time: 2 * second + 3, "b", "4"),
    ])
    let unix = recorded.all.map(\.unixNanoseconds)
    #expect(try recorded.sequences(before: unix[4]) == [0, 3])
    #expect(try recorded.sequences(before: unix[3]) == [0, 2])
    #expect(try recorded.sequences(before: unix[2]) == [0, 1])
    #expect(try recorded.sequences(before: unix[5]) == [3, 4])
  }

  @Test func nothingIsBeforeTheBeginning() throws {
    let recorded = try recorded(Self.sparse(["a", "b", "c"]))
    #expect(try recorded.sequences(before: recorded.all[0].unixNanoseconds) == [])
    #expect(try recorded.sequences(before: .min) == [])
    var selection = Selection()
    selection.topicPrefixes = [Array("d".utf8)]
    #expect(try recorded.sequences(selection, before: .max) == [])
  }

  @Test func anEmptyCaptureHasNone() throws {
    #expect(try recorded([]).sequences(before: .max) == [])
  }

  /// In its body, in its frame table, in its header.
  @Test(arguments: [-1, 33, 5]) func aDamagedMessageIsPassedOver(place: Int) throws {
    // All in one block, and each in a block of its own.
    for step: Int64 in [1, 200_000_000] {
      let messages = (1...20).map {
        TestMessage(time: Int64($0) * step, $0 % 2 == 0 ? "even" : "odd", "text \($0)")
      }
      let directory = try TemporaryDirectory()
      let capture = try Capture.recorded(directory.file("c"), messages)
      _ = try Indexer.rebuild(capture, rule: .auto)
      let recorded = try Recorded(capture)
      #expect(try recorded.sequences(before: .max) == [18, 19])
      for victim in [19, 17] {
        let record = recorded.all[victim].record
        try flip(recorded.all[victim], at: place < 0 ? record.end + place : record.offset + place)
      }
      #expect(try recorded.sequences(before: .max) == [15, 18])
      var selection = Selection()
      selection.topicPrefixes = [Array("odd".utf8)]
      #expect(try recorded.sequences(selection, before: .max) == [18])
    }
  }

  @Test func aStreamOfDamagedMessagesHasNone() throws {
    let recorded = try recorded(Self.sparse((0..<40).map { $0 % 4 == 0 ? "a" : "b" }))
    for index in stride(from: 0, to: 40, by: 4) {
      try flip(recorded.all[index], at: recorded.all[index].record.end - 1)
    }
    #expect(try recorded.sequences(before: .max) == [39])
  }

  @Test func aTopicThatIsDamagedToAnotherIsNotTakenForIt() throws {
    // "c" and "b" differ in one bit.
    let recorded = try recorded(["b", "c", "c"].map { TestMessage(time: 5, $0, "text") })
    let frame = try #require(recorded.all[2].topicRange)
    try flip(recorded.all[2], at: frame.lowerBound)
    #expect(try recorded.sequences(before: .max) == [0, 1])
  }

  @Test func aSegmentThatCannotBeReadIsPassedOver() throws {
    let text = String(repeating: "x", count: 3_000)
    let messages = (1...200).map {
      TestMessage(time: Int64($0) * 50_000_000, $0 < 150 ? "a" : "b", text)
    }
    let recorded = try recorded(messages)
    let last = recorded.all[198].segment
    try #require(recorded.all[0].segment.header.number + 2 < last.header.number)
    let firstB = recorded.all[149].segment.header.number
    let number = last.header.number
    try flip(last, at: 40)
    let found = try recorded.reader.lastMessages(
      Selection(), before: .time(.max), pool: SegmentPool(recorded.reader.capture))
    #expect(found.map(\.record.sequence).first == 148)
    let before = recorded.all.last { $0.segment.header.number < number }
    if firstB < number {
      #expect(found.last?.record.sequence == before?.record.sequence)
    }
  }

  @Test func whatIsBeingRecordedIsFoundAsFarAsItIsIndexed() throws {
    let writer = try CaptureWriter(creating: directory.file("c"), manifest: .test())
    let capture = try Capture(path: writer.path)
    let indexer = try Indexer(creating: capture, rule: .auto, verifying: .header)
    let messages = Self.sparse((0..<900).map { "t\($0 % 7)" })
    for message in messages[..<300] { try writer.append(message) }
    while try indexer.advance() == .behind {}
    let reader = try IndexReader(capture)
    let pool = SegmentPool(capture)
    #expect(reader.isBeingRecorded)
    func sequences() throws -> [UInt64] {
      try reader.lastMessages(Selection(), before: .time(.max), pool: pool).map(\.record.sequence)
    }
    #expect(try sequences() == Array(293..<300))
    for message in messages[300...] { try writer.append(message) }
    #expect(try sequences() == Array(293..<300))
    while try indexer.advance() == .behind {}
    #expect(try sequences() == Array(893..<900))
    try writer.finish()
  }

  /// More topics than the index tells apart.
  @Test func topicsThatAreTooManyAreFoundInTheNewestBlocks() throws {
    let count = TopicTable.countMax + 700
    let recorded = try recorded(
      (0..<count + 50).map { number in
        let topic = number < count ? number : count - 1 - (number - count) * 7
        return TestMessage(time: Int64(number), "topic/\(topic)", "x")
      }, segmentSize: 16 << 20, isTagged: false)
    var selection = Selection()
    selection.topicPrefixes = [Array("topic/1003".utf8), Array("topic/77".utf8)]
    #expect(try recorded.expectAgreement(selection, before: .max) > 1_100)
    let place = recorded.all[count + 20].unixNanoseconds
    #expect(try recorded.expectAgreement(selection, before: place) > 1_100)
    selection.topicPrefixes = [Array("topic/1006".utf8)]
    #expect(try recorded.expectAgreement(selection, before: place) > 50)
  }
}
