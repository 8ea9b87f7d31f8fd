import Glibc

/// How the segments of a capture end, for one that nobody is writing.
///
/// One pass over their first pages and last bytes, and nothing is mapped: so it is cheap for
/// thousands of them. All are looked at, since one whose sync failed is left behind sealed ones.
public struct SegmentEndings: Sendable {
  /// Segments, those included that are reserved and not in use.
  public private(set) var count = 0
  /// Those that end with their footer.
  public private(set) var sealed = 0
  /// Those that lost bytes at the end of their files after their recorder had left them: one that
  /// is not sealed is as large as it was reserved.
  public private(set) var cut = 0
  /// Bytes of the files, by number, of those that can be read and are what their names say.
  package private(set) var sizes: [UInt64: Int] = [:]
  /// An earlier boot left one without an end.
  private var isLeftByEarlierBoot = false
  /// What kept one from being read, other than that it is damaged.
  private var failure: StoreError?

  /// Whether each segment ends with its footer: nothing was torn off, nothing will be added.
  public var areSealed: Bool { count > 0 && sealed == count }

  /// Whether segments are there that an earlier boot left without an end. What had not reached
  /// stable storage may be gone from them, anywhere, and an index may know more than they do.
  package var mayHaveLostPower: Bool {
    get throws(StoreError) {
      if let failure { throw failure }
      return isLeftByEarlierBoot
    }
  }

  init(_ capture: Capture) throws(StoreError) {
    let boot = ClockPair.now().bootID
    for file in try capture.segmentFiles() {
      count += 1
      do throws(StoreError) {
        try look(at: file, of: capture, boot: boot)
      } catch .damagedSegment {
        continue
      } catch  where error.isVanished && capture.isRing {
        count -= 1
      } catch {
        failure = failure ?? error
      }
    }
  }

  private mutating func look(
    at segment: Capture.SegmentFile, of capture: Capture, boot: UInt128
  ) throws(StoreError) {
    let files = capture.files
    let file = try files.open(segment.path, O_RDONLY)
    defer { files.close(file) }
    let size = try files.size(file, segment.path)
    if size == 0 { return }
    try SegmentHeader.checkRoom(size, segment.path)
    var page = [UInt8](repeating: 0, count: SegmentLayout.headerSize)
    _ = try files.read(file, segment.path, at: 0, into: &page)
    let read = unsafe page.withUnsafeBytes { bytes in
      Result { () throws(StoreError) in unsafe try SegmentHeader(page: bytes, of: segment.path) }
    }
    guard let header = try read.get(), header.number == segment.number,
      header.captureID == capture.manifest.captureID
    else { return }
    sizes[segment.number] = size
    if try files.footer(file, segment.path, of: header) != nil {
      sealed += 1
      return
    }
    if UInt64(size) < header.allocatedSize { cut += 1 }
    if header.clock.bootID != boot { isLeftByEarlierBoot = true }
  }
}

extension Capture {
  /// How the segments end. For a capture that nobody is writing.
  public func segmentEndings() throws(StoreError) -> SegmentEndings { try SegmentEndings(self) }
}

extension FileSystem {
  /// The footer at the end of a segment's file as it is now; nil where none is.
  func footer(
    _ file: File, _ path: String, of segment: SegmentHeader
  ) throws(StoreError) -> SegmentFooter? {
    var bytes = [UInt8](repeating: 0, count: SegmentFooter.recordSize)
    let start = try max(SegmentLayout.headerSize, size(file, path) - bytes.count)
    let found = try read(file, path, at: start, into: &bytes)
    bytes.removeLast(bytes.count - found)
    return SegmentFooter(record: bytes, of: segment)
  }
}
