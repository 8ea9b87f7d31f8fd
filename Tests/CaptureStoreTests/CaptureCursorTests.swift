import Foundation
import TestSupport
import Testing

@testable import CaptureStore

@Suite struct CaptureCursorTests {
  private let directory: TemporaryDirectory
  private let capture: Capture
  private let captureID: [UInt8]

  /// An empty capture; each test puts segments into it.
  init() throws {
    directory = try TemporaryDirectory()
    capture = try Capture.recorded(directory.file("c"), [])
    captureID = SegmentBytes.littleEndian(capture.manifest.captureID)
    try FileManager.default.removeItem(atPath: CapturePath.segment(capture.path, 0))
  }

  /// A segment of two messages and a footer.
  private func segment(
    _ change: (inout SegmentBytes.Page) -> Void = { _ in }, number: UInt64 = 0, first: UInt64 = 0
  ) -> SegmentBytes {
    var page = SegmentBytes.Page(capture: captureID, number: number, firstSequence: first)
    change(&page)
    var segment = SegmentBytes(page)
    segment.append(sequence: 0, ["first"].map { Array($0.utf8) })
    segment.append(sequence: 1, ["second"].map { Array($0.utf8) })
    segment.appendFooter(sequence: 2, firstSequence: page.firstSequence)
    return segment
  }

  private func put(_ bytes: [UInt8], as number: UInt64) throws {
    try Data(bytes).write(to: URL(filePath: CapturePath.segment(capture.path, number)))
  }

  @Test func deletedMiddleSegmentsAreMissing() throws {
    try put(segment().bytes, as: 0)
    try put(segment(number: 5, first: 10).bytes, as: 5)
    let walk = CaptureWalk(capture)
    #expect(walk.order == [0, 1, 10, 11])
    #expect(walk.missing == [2..<10])
    #expect(walk.damages.isEmpty && walk.unreadable.isEmpty && walk.isFinal)
  }

  @Test func aDeletedFirstSegmentIsMissing() throws {
    try put(segment(number: 1, first: 7).bytes, as: 1)
    let walk = CaptureWalk(capture)
    #expect(walk.order == [7, 8])
    #expect(walk.missing == [0..<7])
  }

  @Test func unknownKindsArePassedOver() throws {
    var bytes = SegmentBytes(SegmentBytes.Page(capture: captureID))
    for kind in UInt8.min...UInt8.max where kind != 5 {
      let sequence: UInt32 = kind <= 1 ? 0 : 1
      bytes.append(kind: kind, sequence: sequence, flags: kind, kind == 1 ? [[1]] : [[2], []])
    }
    bytes.append(kind: 1, sequence: 1, flags: 0xFF, [[4]])
    bytes.appendFooter(sequence: 2)
    try put(bytes.bytes, as: 0)
    let walk = CaptureWalk(capture)
    #expect(walk.inOrder == [TestMessage([[1]]), TestMessage([[4]])])
    #expect(walk.otherKinds.count == 254)
    #expect(walk.missing.isEmpty && walk.damages.isEmpty && walk.unreadable.isEmpty)
  }

  @Test func aNewerSegmentIsRefusedByVersion() throws {
    try put(segment { $0.version = 2 }.bytes, as: 0)
    let path = CapturePath.segment(capture.path, 0)
    #expect(throws: StoreError.newerFormat(path: path, version: 2)) {
      _ = try Segment(path: path)
    }
    try put(segment(number: 1, first: 2).bytes, as: 1)
    let walk = CaptureWalk(capture)
    #expect(walk.unreadable == [.newerFormat(path: path, version: 2)])
    #expect(walk.missing == [0..<2])
    #expect(walk.order == [2, 3])
  }

  @Test func unknownIncompatibleFeaturesAreRefusedWithTheirBits() throws {
    try put(segment { $0.incompatibleFeatures = 1 << 63 | 4 }.bytes, as: 0)
    let path = CapturePath.segment(capture.path, 0)
    #expect(throws: StoreError.unknownFeatures(path: path, bits: 1 << 63 | 4)) {
      _ = try Segment(path: path)
    }
    #expect(
      "\(StoreError.unknownFeatures(path: path, bits: 1 << 63 | 4))"
        .contains("0x8000000000000004"))
  }

  @Test func unknownCompatibleFeaturesAreIgnored() throws {
    try put(segment { $0.compatibleFeatures = .max }.bytes, as: 0)
    #expect(CaptureWalk(capture).order == [0, 1])
  }

  @Test func aSegmentOfAnotherCaptureIsPassedOver() throws {
    try put(segment { $0.capture = [UInt8](repeating: 3, count: 16) }.bytes, as: 0)
    try put(segment(number: 1, first: 2).bytes, as: 1)
    let walk = CaptureWalk(capture)
    #expect(walk.order == [2, 3])
    #expect(walk.missing == [0..<2])
    #expect(
      walk.unreadable == [
        .damagedSegment(
          path: CapturePath.segment(capture.path, 0), reason: "it belongs to another capture")
      ])
  }

  @Test func aFileThatIsNoSegmentIsPassedOver() throws {
    try put(Array("PK".utf8) + [UInt8](repeating: 1, count: 5_000), as: 0)
    try put(Array("short".utf8), as: 1)
    try put(segment(number: 2, first: 0).bytes, as: 2)
    try Data("x".utf8).write(to: URL(filePath: CapturePath.segments(capture.path) + "/notes.txt"))
    let walk = CaptureWalk(capture)
    #expect(walk.order == [0, 1] && walk.missing.isEmpty)
    #expect(walk.unreadable.count == 2)
  }

  @Test func aCopyOfASegmentIsNotPlayedTwice() throws {
    try put(segment().bytes, as: 0)
    try put(segment().bytes, as: 1)
    let walk = CaptureWalk(capture)
    #expect(walk.order == [0, 1] && walk.missing.isEmpty && walk.isFinal)
    #expect(walk.unreadable.count == 1)
  }

  @Test func sequencesThatRunBackwardsAreDamage() throws {
    var bytes = SegmentBytes(SegmentBytes.Page(capture: captureID))
    bytes.append(sequence: 0, [[0]])
    bytes.append(sequence: 1, [[1]])
    let again = bytes.append(sequence: 0, [[2]])
    bytes.append(sequence: 2, [[3]])
    bytes.appendFooter(sequence: 3)
    try put(bytes.bytes, as: 0)
    let walk = CaptureWalk(capture)
    #expect(walk.inOrder.map(\.frames) == [[[0]], [[1]], [[3]]])
    #expect(walk.damages == [Damage(reason: .order, range: again..<again + 48)])
  }

  @Test func impossibleFrameTablesGiveNoFrame() throws {
    var bytes = SegmentBytes(SegmentBytes.Page(capture: captureID))
    let entries: [(UInt32, UInt32)] = [
      (0, .max), (.max, 0), (.max, .max), (48, 1), (49, 0), (40, 9), (.max, 1), (1 << 31, 1 << 31),
    ]
    for (index, entry) in entries.enumerated() {
      let table = SegmentBytes.littleEndian(entry.0) + SegmentBytes.littleEndian(entry.1)
      bytes.append(sequence: UInt32(index), frameCount: 1, body: table + [1, 2, 3, 4, 5, 6, 7, 8])
    }
    // A table that is longer than the record is no header at all.
    bytes.append(sequence: 8, frameCount: 3, body: [UInt8](repeating: 0, count: 16))
    bytes.append(sequence: 9, frameCount: .max, body: [UInt8](repeating: 0, count: 16))
    bytes.append(sequence: 10, [[1]])
    bytes.appendFooter(sequence: 11)
    try put(bytes.bytes, as: 0)
    let walk = CaptureWalk(capture)
    #expect(walk.unframed == Array(0..<8))
    #expect(walk.messages[10] == TestMessage([[1]]))
    #expect(walk.missing == [8..<10])
  }

  @Test func dataBehindAFooterIsNotRead() throws {
    var bytes = segment()
    bytes.append(sequence: 2, [[9]])
    try put(bytes.bytes, as: 0)
    #expect(CaptureWalk(capture).order == [0, 1])
  }
}
