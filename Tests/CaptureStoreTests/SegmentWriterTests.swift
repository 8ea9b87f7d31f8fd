import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CaptureStore

@Suite struct SegmentWriterTests {
  private func append(
    _ writer: SegmentWriter, _ sequence: UInt64, _ frames: [[UInt8]]
  ) -> Bool {
    withFrames(frames) {
      writer.append(
        SegmentWriter.Description(kind: .data, sequence: sequence, monotonicNanoseconds: 0),
        frames: $0)
    }
  }

  private func started(_ directory: TemporaryDirectory, size: Int) throws -> SegmentWriter {
    let writer = try SegmentWriter(directory: directory.path, number: 0, size: size)
    writer.start(captureID: 1, firstSequence: 0)
    return writer
  }

  /// A page of a used file may hold anything: every byte of a record has to be written.
  @Test func everyByteThatIsNoFrameIsZeroAlsoWhereTheFileWasNot() throws {
    var random = SplitMix64()
    let directory = try TemporaryDirectory()
    let writer = try SegmentWriter(directory: directory.path, number: 0, size: 1 << 20)
    memset(writer.mapping.buffer.baseAddress! + 4096, 0xEE, writer.mapping.count - 4096)
    writer.start(captureID: 1, firstSequence: 0)
    var count: UInt64 = 0
    while true {
      let frames = (0..<random.int(0...6)).map { _ in random.bytes(random.size(max: 5_000)) }
      guard append(writer, count, frames) else { break }
      count += 1
    }
    let segment = try #require(try Segment(path: writer.path))
    var cursor = SegmentCursor(segment, verifying: .body)
    for _ in 0..<count {
      guard case .record(let record) = cursor.next() else {
        Issue.record("a record is missing")
        return
      }
      expectPaddingIsZero(record, in: segment)
    }
    #expect(cursor.next() == .end(isSealed: false))
    #expect(count > 100)
  }

  private func expectPaddingIsZero(_ record: RecordHeader, in segment: Segment) {
    var end = record.offset + 32 + 8 * record.frameCount
    let ranges = (0..<record.frameCount).compactMap { segment.frameRange($0, of: record) }
    #expect(ranges.count == record.frameCount)
    for range in ranges + [record.end..<record.end] {
      #expect(range.lowerBound >= end && range.lowerBound - end < 64)
      for offset in end..<max(end, range.lowerBound) {
        #expect(segment.load(UInt8.self, at: offset) == 0, "offset \(offset)")
      }
      end = range.upperBound
    }
  }

  @Test func framesStartOnEightAndLargeOnesOnSixtyFour() throws {
    var random = SplitMix64()
    let directory = try TemporaryDirectory()
    let writer = try started(directory, size: 4 << 20)
    var sizes = [1023, 1024, 1025, 0, 1, 7, 8, 9, 4096]
    var count: UInt64 = 0
    for _ in 0..<300 {
      sizes.shuffle(using: &random)
      guard append(writer, count, sizes.map { [UInt8](repeating: 1, count: $0) }) else { break }
      count += 1
      sizes[0] = random.int(0...3_000)
    }
    let segment = try #require(try Segment(path: writer.path))
    var cursor = SegmentCursor(segment, verifying: .header)
    for _ in 0..<count {
      guard case .record(let record) = cursor.next() else { break }
      #expect(record.offset % 8 == 0 && record.length % 8 == 0)
      for index in 0..<record.frameCount {
        let frame = try #require(segment.frameRange(index, of: record))
        #expect(frame.lowerBound % (frame.count >= 1024 ? 64 : 8) == 0)
      }
    }
    #expect(cursor.next() == .end(isSealed: false))
  }

  @Test func aFullSegmentRefusesAndStaysAsItWas() throws {
    let directory = try TemporaryDirectory()
    let writer = try started(directory, size: 65_536)
    var count: UInt64 = 0
    while append(writer, count, [[UInt8](repeating: 7, count: 100)]) { count += 1 }
    let end = writer.committedSize
    // 32 + 8 + 104 bytes a record, and 128 bytes are kept for the footer.
    #expect(count == UInt64((65_536 - 1024 - 4096) / 144))
    #expect(!append(writer, count, [[UInt8](repeating: 7, count: 60_000)]))
    #expect(writer.committedSize == end)
    #expect(writer.committedEnd.load(ordering: .relaxed) == end)
    #expect(append(writer, count, [[]]) == (65_536 - 128 - end >= 40))
  }

  @Test func aSealedFileEndsBehindItsFooter() throws {
    let directory = try TemporaryDirectory()
    let writer = try started(directory, size: 1 << 20)
    #expect(append(writer, 0, [Array("topic".utf8), [1, 2, 3]]))
    #expect(try FileSystem.system.metadata(writer.path)?.size == 1 << 20)
    #expect(try Segment(path: writer.path)?.isSealed == false)
    try writer.seal(nextSequence: 1)
    // Header page; header, two table entries, 5 bytes on 8, 3 bytes on 8; footer.
    #expect(try FileSystem.system.metadata(writer.path)?.size == 4096 + (32 + 16 + 8 + 8) + 48)
    #expect(try Segment(path: writer.path)?.isSealed == true)
  }

  @Test func aFooterCanTellWhatFollowsTheLastSequence() throws {
    let directory = try TemporaryDirectory()
    let writer = try started(directory, size: 65_536)
    #expect(append(writer, 4_294_967_294, []))
    #expect(!append(writer, 4_294_967_295, []))
    try writer.seal(nextSequence: 4_294_967_295)
    #expect(try Segment(path: writer.path)?.footerNextSequence == 4_294_967_295)
  }

  @Test func aFooterFitsIntoTheFullestSegment() throws {
    let directory = try TemporaryDirectory()
    let writer = try started(directory, size: 65_536)
    // One record up to the last byte that messages may take.
    #expect(append(writer, 0, [[UInt8](repeating: 7, count: 65_536 - 1024 - 4096 - 64)]))
    #expect(writer.committedSize == 65_536 - 1024)
    #expect(!append(writer, 1, []))
    try writer.seal(nextSequence: 1)
    #expect(try Segment(path: writer.path)?.isSealed == true)
  }

  @Test func aReservedSegmentIsNotOneYet() throws {
    let directory = try TemporaryDirectory()
    let writer = try SegmentWriter(directory: directory.path, number: 3, size: 65_536)
    #expect(try Segment(path: writer.path) == nil)
    try writer.discard()
    #expect(try FileSystem.system.metadata(writer.path) == nil)
  }

  @Test func growingKeepsTheNumberAndGivesRoom() throws {
    let directory = try TemporaryDirectory()
    let writer = try SegmentWriter(directory: directory.path, number: 0, size: 65_536)
    try writer.grow(to: 1 << 20)
    writer.start(captureID: 1, firstSequence: 0)
    #expect(append(writer, 0, [[UInt8](repeating: 7, count: 900_000)]))
    #expect(try Segment(path: writer.path)?.header.allocatedSize == 1 << 20)
  }

  @Test func anExistingFileIsNotOverwritten() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("000000000000.zseg")
    try Data("precious".utf8).write(to: URL(filePath: path))
    #expect(throws: StoreError.system(operation: "create", path: path, code: EEXIST)) {
      _ = try SegmentWriter(directory: directory.path, number: 0, size: 65_536)
    }
    #expect(try Data(contentsOf: URL(filePath: path)) == Data("precious".utf8))
  }
}
