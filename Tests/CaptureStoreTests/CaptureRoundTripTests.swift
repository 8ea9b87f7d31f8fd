import Foundation
import TestSupport
import Testing

@testable import CaptureStore

@Suite struct CaptureRoundTripTests {
  private func randomMessage(
    _ random: inout SplitMix64, framesMax: Int, sizeMax: Int
  ) -> TestMessage {
    let frameCount = random.int(0...9) == 0 ? random.int(0...framesMax) : random.int(0...5)
    return TestMessage(
      endpoint: UInt16(random.int(0...0xFFFF)), time: Int64(random.int(0...1 << 60)),
      (0..<frameCount).map { _ in random.bytes(random.size(max: sizeMax)) })
  }

  @Test(arguments: [64 << 10, 1 << 20])
  func whatWentInComesOut(segmentSize: Int) throws {
    var random = SplitMix64()
    let directory = try TemporaryDirectory()
    let messages = (0..<400).map { _ in
      randomMessage(&random, framesMax: 200, sizeMax: random.int(0...30) == 0 ? 1 << 20 : 9_000)
    }
    let capture = try Capture.recorded(
      directory.file("c"), messages, segmentSize: segmentSize)
    let walk = CaptureWalk(capture)
    #expect(walk.isClean)
    #expect(walk.order == Array(0..<UInt64(messages.count)))
    let isSame = walk.inOrder == messages  // megabytes: not shown where they differ
    #expect(isSame)
    #expect(walk.otherKinds.isEmpty)
    #expect(try capture.segmentFiles().count > 1)
  }

  @Test func sequencesAndNumbersGoOnFromSegmentToSegment() throws {
    let directory = try TemporaryDirectory()
    let messages = (0..<1000).map { TestMessage([[UInt8](repeating: UInt8($0 % 256), count: 999)]) }
    let capture = try Capture.recorded(directory.file("c"), messages)
    let files = try capture.segmentFiles()
    #expect(files.map(\.number) == Array(0..<UInt64(files.count)))
    var next: UInt64 = 0
    for file in files {
      let segment = try #require(try Segment(path: file.path))
      #expect(segment.isSealed)
      #expect(segment.size == file.size)
      #expect(segment.header.number == file.number)
      #expect(segment.header.firstSequence == next)
      #expect(segment.header.captureID == capture.manifest.captureID)
      var cursor = SegmentCursor(segment, verifying: .body)
      while case .record(let record) = cursor.next() {
        #expect(record.sequence == next)
        next += 1
      }
      #expect(cursor.footerNextSequence == next)
      #expect(cursor.offset == file.size)
    }
    #expect(next == 1000)
  }

  @Test func aMessageLargerThanASegmentGetsItsOwn() throws {
    let directory = try TemporaryDirectory()
    let small = TestMessage("small")
    let large = TestMessage([[UInt8](repeating: 1, count: 1_000_000), [], [2]])
    let capture = try Capture.recorded(
      directory.file("c"), [small, large, small, large, large, small])
    #expect(CaptureWalk(capture).inOrder == [small, large, small, large, large, small])
    // What is small may use the rest of the last page.
    let sizes = try capture.segmentFiles().map(\.size)
    #expect(sizes.map { $0 > 1_000_000 } == [false, true, true, true])
    #expect(sizes.allSatisfy { $0 < 1_000_000 + 3 * 4096 })
  }

  @Test func aLargeMessageAsTheFirstLeavesAnEmptySegmentBefore() throws {
    let directory = try TemporaryDirectory()
    let large = TestMessage([[UInt8](repeating: 1, count: 100_000)])
    let capture = try Capture.recorded(directory.file("c"), [large])
    let walk = CaptureWalk(capture)
    #expect(walk.isClean && walk.inOrder == [large])
  }

  @Test func nothingRecordedIsASealedCaptureOfNothing() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("c"), [])
    let walk = CaptureWalk(capture)
    #expect(walk.isClean && walk.order.isEmpty)
    let files = try capture.segmentFiles()
    #expect(files.map(\.size) == [4096 + 48])
  }

  @Test func aCursorGoesOnWhereAnotherStopped() throws {
    var random = SplitMix64()
    let directory = try TemporaryDirectory()
    let messages = (0..<300).map { _ in randomMessage(&random, framesMax: 3, sizeMax: 2_000) }
    let capture = try Capture.recorded(directory.file("c"), messages)
    var cursor = CaptureCursor(capture, verifying: .body)
    for taken in 0..<300 {
      var other = try CaptureCursor(capture, at: cursor.place, verifying: .body)
      guard case .record(let record) = cursor.next(), case .record(let same) = other.next() else {
        Issue.record("no record \(taken)")
        return
      }
      #expect(record == same && record.sequence == UInt64(taken))
      #expect(cursor.segment?.header == other.segment?.header)
      #expect(cursor.place == other.place)
    }
    var walk = CaptureWalk(capture)
    walk.order = []
    walk.advance(&cursor)
    #expect(walk.order.isEmpty && walk.isFinal)
  }
}
