import CaptureStore
import Foundation
import TestSupport
import Testing

@testable import CaptureIndex

@Suite struct IndexWalkTests {
  private func blocks(_ capture: Capture, steps: () -> Int) throws -> [IndexWalk.Block] {
    var walk = IndexWalk(capture, rule: .auto, verifying: .body)
    var blocks: [IndexWalk.Block] = []
    while try walk.advance(steps: steps()) == .more { blocks += walk.takeNews().blocks }
    blocks += walk.takeNews().blocks
    if let open = walk.openBlock { blocks.append(open) }
    return blocks
  }

  @Test func blocksKeepTheirLimitsAndCoverEveryMessage() throws {
    var traffic = RandomTraffic(SplitMix64())
    let directory = try TemporaryDirectory()
    var messages = traffic.messages(2_500)
    // Runs that reach each limit: many messages, many bytes, a single one that is too large.
    let start = messages.last!.time
    messages += (0..<2_500).map { TestMessage(time: start + Int64($0), "quick", "") }
    messages += (0..<40).map {
      TestMessage(time: start + Int64($0), [[1], [UInt8](repeating: 0, count: 20_000)])
    }
    messages.append(TestMessage(time: start, [[1], [UInt8](repeating: 0, count: 400_000)]))
    let capture = try Capture.recorded(
      directory.file("c"), messages, manifest: .test(endpoints: 3), segmentSize: 1 << 20)

    let blocks = try blocks(capture) { traffic.random.int(1...100) }
    var sequence: UInt64 = 0
    for block in blocks {
      #expect(block.firstSequence == sequence)
      sequence += UInt64(block.tally.messages)
      #expect(block.tally.messages > 0 && block.tally.messages <= 1024)
      #expect(block.endOffset - block.offset <= 256 << 10 || block.tally.messages == 1)
      #expect(block.summaries.reduce(0) { $0 + $1.tally.messages } == block.tally.messages)
      #expect(block.summaries.reduce(0) { $0 + $1.tally.bytes } == block.tally.bytes)
      #expect(block.summaries.allSatisfy { $0.tally.firstTime >= block.tally.firstTime })
      #expect(block.summaries.allSatisfy { $0.tally.lastTime <= block.tally.lastTime })
      let times = messages[Int(block.firstSequence)..<Int(sequence)].map(\.time)
      #expect(block.tally.lastTime - block.tally.firstTime == times.max()! - times.min()!)
      #expect(times.max()! - times.first! <= 100_000_000)
    }
    #expect(sequence == UInt64(messages.count))
    #expect(blocks.contains { $0.tally.messages == 1024 })
  }

  @Test func blocksDoNotDependOnHowOftenTheWalkIsCalled() throws {
    var traffic = RandomTraffic(SplitMix64())
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(
      directory.file("c"), traffic.messages(1_500), manifest: .test(endpoints: 3),
      segmentSize: 128 << 10)
    func ends(_ blocks: [IndexWalk.Block]) -> [[Int]] {
      blocks.map { [Int($0.segment), $0.offset, $0.endOffset, Int($0.tally.messages)] }
    }
    let whole = ends(try blocks(capture) { .max })
    #expect(ends(try blocks(capture) { 1 }) == whole)
    #expect(ends(try blocks(capture) { traffic.random.int(1...300) }) == whole)
  }

  @Test func timesAtTheEndsOfTheirRangeDoNotTrap() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let times: [Int64] = [0, 1 << 60, 1, .max, 1 << 60, .min, 1 << 60, 0]
      let capture = try Capture.recorded(
        directory.file("c"), times.map { TestMessage(time: $0, "t", "x") })
      let reader = try IndexReader(capture)
      // Times that no clock of a boot can reach are damage.
      #expect(try reader.overview().messages == 6)
      #expect(try reader.overview().lost == 2)
      #expect(try IndexContent.messages(reader).count == 6)
      var selection = Selection()
      selection.from = .max
      _ = try IndexContent.messages(reader, selection)
      selection.until = .min
      #expect(try IndexContent.messages(reader, selection).isEmpty)
    }
  }

  @Test func impossibleFramesAreNotCountedAsBytes() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("c"), [TestMessage("topic", "x")])
    // The table's check is part of the body's: only a walk by headers gets to see it.
    let path = CapturePath.segment(capture.path, 0)
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes.replaceSubrange(4096 + 32..<4096 + 40, with: [UInt8](repeating: 0xFF, count: 8))
    try bytes.write(to: URL(filePath: path))
    var walk = IndexWalk(capture, rule: .auto, verifying: .header)
    #expect(try walk.advance(steps: 100) == .final)
    #expect(walk.summaries.map(\.total.bytes) == [1])
    #expect(walk.topics.count == 0)
  }
}
