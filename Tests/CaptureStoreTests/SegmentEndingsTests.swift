import Foundation
import TestSupport
import Testing

@testable import CaptureStore

/// What the ends of segments tell without mapping them, held against what their mappings say.
@Suite struct SegmentEndingsTests {
  private let directory: TemporaryDirectory
  private let capture: Capture

  /// Five sealed segments.
  init() throws {
    directory = try TemporaryDirectory()
    let frame = [UInt8](repeating: 1, count: 50_000)
    capture = try Capture.recorded(
      directory.file("c"), (0..<5).map { _ in TestMessage([frame]) })
    try #require(try capture.segmentFiles().count == 5)
  }

  private func path(_ number: UInt64) -> String { CapturePath.segment(capture.path, number) }

  private func put(
    _ bytes: [UInt8], as number: UInt64
  ) throws { try Data(bytes).write(to: URL(filePath: path(number))) }

  /// A segment without a footer, as large as it was reserved; of another boot where none is given.
  private func unsealed(
    _ number: UInt64, boot: UInt128? = nil, capture id: UInt128? = nil
  ) -> [UInt8] {
    var page = SegmentBytes.Page(
      capture: SegmentBytes.littleEndian(id ?? capture.manifest.captureID), number: number)
    if let boot { page.boot = boot }
    let bytes = SegmentBytes(page).bytes
    return bytes + [UInt8](repeating: 0, count: Int(page.allocatedSize) - bytes.count)
  }

  @Test func sealedSegmentsAreSealed() throws {
    let endings = try capture.segmentEndings()
    #expect(endings.count == 5 && endings.areSealed && endings.cut == 0)
    #expect(try !endings.mayHaveLostPower)
    for file in try capture.segmentFiles() {
      #expect(try capture.openSegment(file.path)?.isSealed == true)
    }
  }

  @Test(arguments: [0, 2, 4] as [UInt64])
  func oneThatAnEarlierBootLeftIsFoundAlsoBehindSealedOnes(number: UInt64) throws {
    try put(unsealed(number), as: number)
    let endings = try capture.segmentEndings()
    #expect(endings.sealed == 4 && !endings.areSealed && endings.cut == 0)
    #expect(try endings.mayHaveLostPower && capture.mayHaveLostPower)
  }

  @Test func whatThisBootLeftHasNotLostPower() throws {
    try put(unsealed(2, boot: ClockPair.now().bootID), as: 2)
    let endings = try capture.segmentEndings()
    #expect(endings.sealed == 4 && endings.cut == 0)
    #expect(try !endings.mayHaveLostPower)
  }

  @Test func whatBelongsElsewhereTellsNothingOfThisCapture() throws {
    try put(unsealed(2, capture: 7), as: 2)
    try put(unsealed(9), as: 3)
    let endings = try capture.segmentEndings()
    #expect(endings.sealed == 3)
    #expect(try !endings.mayHaveLostPower)
  }

  @Test func oneThatIsReservedOrDamagedIsNotSealed() throws {
    var damaged = try Array(Data(contentsOf: URL(filePath: path(3))))
    damaged[40] ^= 1
    try put(damaged, as: 3)
    try put([], as: 5)
    try put([UInt8](repeating: 0, count: 65_536), as: 6)
    try put([1, 2, 3], as: 7)
    let endings = try capture.segmentEndings()
    #expect(endings.count == 8 && endings.sealed == 4 && endings.cut == 0)
    #expect(try !endings.mayHaveLostPower)
  }

  /// Wherever a file is cut it is not sealed any more, and shorter than it was.
  @Test(arguments: [1, 8, 47, 48, 49, 1_000])
  func oneThatIsCutIsCounted(bytes: Int) throws {
    let size = try Data(contentsOf: URL(filePath: path(2))).count
    #expect(truncate(path(2), off_t(size - bytes)) == 0)
    let endings = try capture.segmentEndings()
    #expect(endings.sealed == 4 && endings.cut == 1)
  }

  @Test func whatALaterVersionWroteIsAnError() throws {
    var page = SegmentBytes.Page(
      capture: SegmentBytes.littleEndian(capture.manifest.captureID), number: 1)
    page.version = 2
    try put(SegmentBytes(page).bytes, as: 1)
    let endings = try capture.segmentEndings()
    #expect(endings.sealed == 4)
    #expect(throws: StoreError.newerFormat(path: path(1), version: 2)) {
      _ = try endings.mayHaveLostPower
    }
  }
}
