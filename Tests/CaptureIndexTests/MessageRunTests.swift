import CaptureStore
import Foundation
import TestSupport
import Testing

@testable import CaptureIndex

/// Runs of messages, mixed with single ones, are the messages that `next` alone finds.
@Suite struct MessageRunTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// What a reader finds, and what it says is lost.
  private struct Found: Equatable {
    var sequences: [UInt64] = []
    var damages = 0
    var missing: Int64 = 0
  }

  private func one(_ reader: IndexReader, _ selection: Selection) throws -> Found {
    var found = Found()
    var messages = try reader.messages(selection, pool: SegmentPool(reader.capture))
    while let message = try messages.next() { found.sequences.append(message.record.sequence) }
    (found.damages, found.missing) = (messages.damages, messages.messagesMissing)
    return found
  }

  private func runs(
    _ reader: IndexReader, _ selection: Selection, _ random: inout SplitMix64
  ) throws -> Found {
    var found = Found()
    var messages = try reader.messages(selection, pool: SegmentPool(reader.capture))
    var records: [RecordHeader] = []
    while true {
      if random.int(0...3) > 0 {
        records.removeAll(keepingCapacity: true)
        let segment = messages.takeRun(
          random.int(1...400), bytes: random.int(1...100_000), into: &records)
        #expect((segment == nil) == records.isEmpty)
        found.sequences += records.map(\.sequence)
      }
      guard let message = try messages.next() else { break }
      found.sequences.append(message.record.sequence)
    }
    (found.damages, found.missing) = (messages.damages, messages.messagesMissing)
    return found
  }

  @Test func runsAreWhatThereIsOneByOne() throws {
    var random = SplitMix64(for: "MessageRunTests")
    let messages = (0..<1_500).map {
      TestMessage(time: Int64($0) * 1_000_000, "t\($0 % 3)", "\($0)")
    }
    let capture = try Capture.recorded(directory.file("c"), messages)
    _ = try Indexer.rebuild(capture, rule: .auto)
    // Bytes of bodies and of headers, behind the index's back.
    let path = CapturePath.segment(capture.path, 0)
    var bytes = try Data(contentsOf: URL(filePath: path))
    for _ in 0..<12 { bytes[random.int(4096...bytes.count - 200)] ^= 1 }
    try bytes.write(to: URL(filePath: path))
    let reader = try IndexReader(capture)
    let times = try IndexContent.messages(reader).map(\.unixNanoseconds)
    var isDamaged = false
    for round in 0..<20 {
      var selection = Selection()
      if round % 3 == 1 { selection.from = times[random.int(0...times.count - 1)] }
      if round % 3 == 2 { selection.until = times[random.int(0...times.count - 1)] }
      if round % 10 == 9 { selection.topicPrefixes = [Array("t1".utf8)] }
      let expected = try one(reader, selection)
      isDamaged = isDamaged || expected.damages > 0
      let found = try runs(reader, selection, &random)
      // Told in a line: they are thousands.
      let isSame = found == expected
      let counts = "\(found.sequences.count) of \(expected.sequences.count)"
      #expect(isSame, "\(counts), from and until \(selection)")
    }
    #expect(isDamaged)
  }
}
