import Glibc

/// Writes a new capture: the directory, its manifest, and one segment after the other.
///
/// For one thread. `append` copies a message once, into the mapped segment, and publishes it; all
/// else is the keeper's work. A message that `append` returned from survives the process.
public final class CaptureWriter {
  public let path: String
  public private(set) var manifest: Manifest
  /// Messages appended so far; the sequence of the next one.
  public var messageCount: UInt64 { messagesAppended }
  /// Bytes of their frames.
  public var frameBytes: UInt64 { bytesAppended }
  /// Segments begun.
  public private(set) var segmentCount = 1
  /// The longest that `append` waited for a segment, in nanoseconds.
  public private(set) var rollNanosecondsMax: Int64 = 0

  // Stored apart from their public readers: exclusive access to a public stored property is
  // checked at run time, twice a message.
  private var messagesAppended: UInt64 = 0
  private var bytesAppended: UInt64 = 0

  private var lock: CaptureLock?
  private let keeper: SegmentKeeper
  private var segment: SegmentWriter

  /// 256 MiB: rolling is rare, and a spare of that size is no burden.
  public static let segmentSizeDefault = 256 << 20
  /// What a segment size may be.
  public static let segmentSizes = SegmentLayout.sizeMin...SegmentLayout.sizeMax

  /// Creates a capture at a path where nothing is yet, with its first segment ready.
  ///
  /// On an error nothing is left behind. Throws `captureExists`, `captureInUse`, `segmentSize`,
  /// `system`.
  public init(
    creating path: String, manifest: Manifest,
    segmentSize: Int = CaptureWriter.segmentSizeDefault
  ) throws(StoreError) {
    guard Self.segmentSizes.contains(segmentSize) else {
      throw .segmentSize(bytes: segmentSize, allowed: Self.segmentSizes)
    }
    self.path = path
    self.manifest = manifest
    try Self.makeCaptureDirectory(path)
    do throws(StoreError) {
      lock = try CaptureLock(path)
      let segments = CapturePath.segments(path)
      try FileSystem.makeDirectory(segments)
      try manifest.save(capture: path)
      segment = try SegmentWriter(
        directory: segments, number: 0, size: aligned(segmentSize, to: 4096))
      try? segment.mapping.advise(0..<Self.firstPages, .populateForWriting)
      segment.start(captureID: manifest.captureID, firstSequence: 0)
      try FileSystem.synchronizeDirectory(segments)
      try FileSystem.synchronizeDirectory(path)
      keeper = SegmentKeeper(
        directory: segments, segmentSize: aligned(segmentSize, to: 4096), active: segment)
    } catch {
      Self.removeUnused(path)
      throw error
    }
  }

  /// Populated before the first message: what arrives until the keeper knows the rate.
  private static let firstPages = 64 << 10

  /// Appends one message. Throws `messageTooLarge`, or what keeps the store from going on; then
  /// nothing of the message is in the capture.
  public func append(
    endpoint: UInt16, monotonicNanoseconds: Int64, frames: Span<UnsafeRawBufferPointer>
  ) throws(StoreError) {
    let record = SegmentWriter.Description(
      kind: .data, endpoint: endpoint, sequence: messageCount,
      monotonicNanoseconds: monotonicNanoseconds)
    if !(unsafe segment.append(record, frames: frames)) {
      unsafe try roll(frames: frames)
      let isAppended = unsafe segment.append(record, frames: frames)
      precondition(isAppended, "a new segment has room for the message it was made for")
    }
    messagesAppended += 1
    for index in unsafe frames.indices { unsafe bytesAppended += UInt64(frames[index].count) }
  }

  /// Seals the capture. Nothing may be appended afterwards. Throws what kept a segment from being
  /// sealed and synced.
  public func finish() throws(StoreError) {
    try keeper.finish(nextSequence: messageCount)
  }

  /// Gives the lock back: from here on nobody records the capture. After `finish`.
  public func unlock() { lock = nil }

  private func roll(frames: Span<UnsafeRawBufferPointer>) throws(StoreError) {
    let first = SegmentLayout.headerSize
    let end = unsafe RecordLayout.recordEnd(startingAt: first, frames: frames)
    guard end - first <= RecordLayout.lengthMax else {
      throw .messageTooLarge(bytes: end - first, frames: unsafe frames.count)
    }
    let begun = CaptureClock.monotonicNanoseconds()
    let size = aligned(end + SegmentLayout.footerReserve, to: 4096)
    segment = try keeper.roll(nextSequence: messageCount, size: size)
    segment.start(captureID: manifest.captureID, firstSequence: messageCount)
    segmentCount += 1
    rollNanosecondsMax = max(rollNanosecondsMax, CaptureClock.monotonicNanoseconds() - begun)
  }

  private static func makeCaptureDirectory(_ path: String) throws(StoreError) {
    if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
      try FileSystem.makeDirectories(String(path[..<slash]))
    }
    do throws(StoreError) {
      try FileSystem.makeDirectory(path)
    } catch .system(_, _, EEXIST) {
      if (try? CaptureLock.isHeld(path)) == true { throw .captureInUse(path: path) }
      throw .captureExists(path: path)
    }
  }

  /// Takes back what a failed start made.
  private static func removeUnused(_ path: String) {
    let segments = CapturePath.segments(path)
    for name in (try? FileSystem.names(in: segments)) ?? [] {
      try? FileSystem.remove("\(segments)/\(name)")
    }
    try? FileSystem.removeDirectory(segments)
    try? FileSystem.remove(CapturePath.manifest(path))
    try? FileSystem.removeDirectory(path)
  }
}
