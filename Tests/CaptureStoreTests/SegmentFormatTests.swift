import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// The format as bytes. A failure here means that captures of yesterday cannot be read any more.
@Suite struct SegmentFormatTests {
  private let page = SegmentBytes.Page(number: 7, firstSequence: 1000)
  private let header = SegmentHeader(
    captureID: 0x1F1E_1D1C_1B1A_1918_1716_1514_1312_1110,
    segmentID: 0xAFAE_ADAC_ABAA_A9A8_A7A6_A5A4_A3A2_A1A0,
    number: 7, firstSequence: 1000,
    clock: ClockPair(
      unixNanoseconds: 1_700_000_000_000_000_000, monotonicNanoseconds: 5_000_000_000,
      bootID: 0x0102_0304_0506_0708_090A_0B0C_0D0E_0F10),
    allocatedSize: 65_536)

  private static let messages: [(sequence: UInt64, message: TestMessage)] = [
    (1000, TestMessage(endpoint: 0, time: 5_000_000_001, "")),
    (1001, TestMessage(endpoint: 1, time: 5_000_000_002, "topic", "payload!!")),
    (
      1002,
      TestMessage(
        endpoint: 0xFFFF, time: 1 << 60,
        [Array("k".utf8), Array(ChecksumTests.pattern[..<1500]), []])
    ),
    (1003, TestMessage(endpoint: 0, time: 5_000_000_004, [])),
  ]

  /// Length, header check and body check of each record, and the hash of the whole file.
  ///
  /// Source: the tables of Format.md in Python's `struct`, checks by its package xxhash 3.
  private static let golden: [(length: UInt32, header: UInt32, body: UInt32)] = [
    (40, 0x9749_650C, 0xAE0F_EA8D),
    (72, 0x48AE_6E0A, 0xBCE2_7868),
    (1584, 0x311D_88E9, 0xCA42_D0B1),
    (32, 0xE407_1F4F, 0xAB63_2DB0),
    (48, 0x170F_1182, 0x2272_249C),
  ]
  private static let goldenHash: UInt64 = 0x0016_A3D3_DF9B_85E6
  private static let goldenPageCheck: UInt32 = 0x9787_EBD6

  private var segment: SegmentBytes {
    var segment = SegmentBytes(page)
    for (sequence, message) in Self.messages {
      segment.append(
        sequence: UInt32(sequence - 1000), time: message.time, endpoint: message.endpoint,
        message.frames)
    }
    segment.appendFooter(sequence: 4, firstSequence: 1000, time: 5_000_000_005)
    return segment
  }

  @Test func theGoldenSegmentIsTheOneThatPythonMade() {
    let bytes = segment.bytes
    #expect(bytes.count == 5872)
    #expect(bytes.withUnsafeBytes { contentHash($0) } == Self.goldenHash)
    #expect(SegmentBytes.number(UInt32.self, bytes, at: 12) == Self.goldenPageCheck)
    var offset = 4096
    for record in Self.golden {
      #expect(SegmentBytes.number(UInt32.self, bytes, at: offset) == record.length)
      #expect(SegmentBytes.number(UInt32.self, bytes, at: offset + 4) == record.header)
      #expect(SegmentBytes.number(UInt32.self, bytes, at: offset + 8) == record.body)
      offset += Int(record.length)
    }
    #expect(offset == bytes.count)
  }

  @Test func theGoldenSegmentIsRead() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("golden.zseg")
    try Data(segment.bytes).write(to: URL(filePath: path))
    let opened = try #require(try Segment(path: path))
    #expect(opened.header == header)
    #expect(opened.isSealed)
    var cursor = SegmentCursor(opened, verifying: .body)
    for (sequence, message) in Self.messages {
      guard case .record(let record) = cursor.next() else {
        Issue.record("no record \(sequence)")
        return
      }
      #expect(record.sequence == sequence)
      #expect(record.kind == .data && record.flags == 0)
      #expect(TestMessage(record, in: opened) == message)
    }
    #expect(cursor.next() == .end(isSealed: true))
    #expect(cursor.footerNextSequence == 1004)
    #expect(cursor.offset == opened.size)
  }

  @Test func theHeaderPageIsWrittenToTheByte() {
    var written = [UInt8](repeating: 0xEE, count: 4096)
    written.withUnsafeMutableBytes { header.write(to: $0) }
    #expect(written == SegmentBytes(page).bytes)
  }

  /// The salt is random, so the writer's own one goes into what is expected.
  @Test func aWriterWritesTheBytesOfTheFormat() throws {
    let directory = try TemporaryDirectory()
    let writer = try SegmentWriter(directory: directory.path, number: 7, size: 65_536)
    writer.start(captureID: header.captureID, firstSequence: 1000)
    for (sequence, message) in Self.messages {
      let description = SegmentWriter.Description(
        kind: .data, endpoint: message.endpoint, sequence: sequence,
        monotonicNanoseconds: message.time)
      let isAppended = withFrames(message.frames) { writer.append(description, frames: $0) }
      #expect(isAppended)
    }
    try writer.seal(nextSequence: 1004)
    let written = try Array(Data(contentsOf: URL(filePath: writer.path)))

    let started = try #require(writer.header)
    #expect(started.segmentID != 0)
    let footerTime = SegmentBytes.number(Int64.self, written, at: written.count - 48 + 16)
    var expected = SegmentBytes(
      SegmentBytes.Page(
        segment: SegmentBytes.littleEndian(started.segmentID), number: 7, firstSequence: 1000,
        unixTime: started.clock.unixNanoseconds,
        monotonicTime: started.clock.monotonicNanoseconds, boot: started.clock.bootID))
    for (sequence, message) in Self.messages {
      expected.append(
        sequence: UInt32(sequence - 1000), time: message.time, endpoint: message.endpoint,
        message.frames)
    }
    expected.appendFooter(sequence: 4, firstSequence: 1000, time: footerTime)
    #expect(written == expected.bytes)
  }

  @Test func twoSegmentsHaveTwoSalts() throws {
    let directory = try TemporaryDirectory()
    let headers = try (0..<8).map { number in
      let writer = try SegmentWriter(
        directory: directory.path, number: UInt64(number), size: 65_536)
      writer.start(captureID: 1, firstSequence: 0)
      return try #require(writer.header)
    }
    #expect(Set(headers.map(\.salt)).count == 8)
  }
}
