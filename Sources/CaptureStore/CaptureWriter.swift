import Glibc
import Synchronization

/// Writes a capture: the directory, its manifest, and one segment after the other.
///
/// For one thread. `append` copies a message once, into the mapped segment, and publishes it; all
/// else is the keeper's work. A message that `append` returned from survives the process; one
/// before the last checkpoint survives the machine.
public final class CaptureWriter {
  public let path: String
  public private(set) var manifest: Manifest
  /// The ids of the endpoints that it was made for, in their order.
  public let endpointIDs: [UInt16]
  /// The sequence of the next message: the messages of the capture, those of earlier recordings
  /// and those that were lost included.
  public var nextSequence: UInt64 { sequence }
  /// Messages appended so far.
  public var messageCount: UInt64 { sequence - firstSequence }
  /// Bytes of their frames.
  public var frameBytes: UInt64 { bytesAppended }
  /// What was recovered before this recording went on; nil for a new capture.
  public let recovery: Recovery?
  /// Segments begun.
  public private(set) var segmentCount = 1
  /// The longest that `append` waited for a segment, in nanoseconds.
  public private(set) var rollNanosecondsMax: Int64 = 0
  /// All that it waited for segments.
  public private(set) var rollNanoseconds: Int64 = 0

  // Stored apart from their public readers: exclusive access to a public stored property is
  // checked at run time, twice a message.
  private var sequence: UInt64
  private let firstSequence: UInt64
  private var bytesAppended: UInt64 = 0

  private var lock: CaptureLock?
  package let files: FileSystem
  private let segmentSize: Int
  private let sync: SyncPolicy
  private let keeper: SegmentKeeper
  private var segment: SegmentWriter

  // What was told of the keeper's news.
  private var newsSeen = 0
  private var checkpointed: RecordPlace?
  private var isSyncFailureTold = false
  private var isLastSegmentTold = false
  private var synchronizedEnd = 0

  /// 256 MiB: rolling is rare, and a spare of that size is no burden.
  public static let segmentSizeDefault = 256 << 20
  /// What a segment size may be.
  public static let segmentSizes = SegmentLayout.sizeMin...SegmentLayout.sizeMax

  /// Creates a capture at a path where nothing is yet, with its first segment ready.
  ///
  /// On an error nothing is left behind. Throws `captureExists`, `captureInUse`, `segmentSize`,
  /// `freeSpace`, `system`.
  public convenience init(
    creating path: String, manifest: Manifest,
    segmentSize: Int = CaptureWriter.segmentSizeDefault, sync: SyncPolicy = .standard,
    freeSpaceMin: FreeSpaceMin = .none
  ) throws(StoreError) {
    try self.init(
      creating: path, manifest: manifest, segmentSize: segmentSize, sync: sync,
      freeSpaceMin: freeSpaceMin, schedule: .threads, files: .system)
  }

  package init(
    creating path: String, manifest: Manifest, segmentSize: Int, sync: SyncPolicy,
    freeSpaceMin: FreeSpaceMin = .none, schedule: KeeperSchedule, files: FileSystem
  ) throws(StoreError) {
    guard Self.segmentSizes.contains(segmentSize) else {
      throw .segmentSize(bytes: segmentSize, allowed: Self.segmentSizes)
    }
    self.path = path
    self.manifest = manifest
    endpointIDs = manifest.endpoints.indices.map { UInt16(truncatingIfNeeded: $0) }
    self.files = files
    self.sync = sync
    self.segmentSize = aligned(segmentSize, to: 4096)
    sequence = 0
    firstSequence = 0
    recovery = nil
    try Self.makeCaptureDirectory(path, files)
    do throws(StoreError) {
      lock = try CaptureLock(path, files)
      let segments = CapturePath.segments(path)
      try files.makeDirectory(segments)
      try manifest.save(capture: path, files: files)
      try freeSpaceMin.check(path, taking: self.segmentSize, files)
      segment = try SegmentWriter(
        directory: segments, number: 0, size: self.segmentSize, files: files)
      try? segment.mapping.advise(0..<Self.firstPages, .populateForWriting)
      segment.start(captureID: manifest.captureID, firstSequence: 0)
      try files.synchronizeDirectory(segments)
      try files.synchronizeDirectory(path)
      try files.synchronizeDirectory(FileSystem.parent(of: path))
      keeper = SegmentKeeper(
        KeeperSettings(
          directory: segments, segmentSize: self.segmentSize, sync: sync,
          freeSpaceMin: freeSpaceMin, schedule: schedule, files: files),
        active: segment)
    } catch {
      Self.removeUnused(path, files)
      throw error
    }
  }

  /// Goes on with a capture that is there, after recovering it, in a new segment.
  ///
  /// Endpoints that it does not have yet are added to its manifest; `endpointIDs` says which is
  /// which. `known`: where its index stands, as for `Recovery.recover`. Throws `noSuchCapture`,
  /// `captureInUse`, `noNumbersLeft`, `freeSpace`, `system`, and what says that it cannot be
  /// understood; then the capture is as it was, or recovered.
  public convenience init(
    appendingTo path: String, endpoints: [RecordedEndpoint],
    known: RecordPlace? = nil, segmentSize: Int = CaptureWriter.segmentSizeDefault,
    sync: SyncPolicy = .standard, freeSpaceMin: FreeSpaceMin = .none
  ) throws(StoreError) {
    try self.init(
      appendingTo: Capture(path: path), endpoints: endpoints, known: known,
      segmentSize: segmentSize, sync: sync, freeSpaceMin: freeSpaceMin, schedule: .threads)
  }

  package init(
    appendingTo capture: Capture, endpoints: [RecordedEndpoint], known: RecordPlace? = nil,
    segmentSize: Int, sync: SyncPolicy, freeSpaceMin: FreeSpaceMin = .none, schedule: KeeperSchedule
  ) throws(StoreError) {
    guard Self.segmentSizes.contains(segmentSize) else {
      throw .segmentSize(bytes: segmentSize, allowed: Self.segmentSizes)
    }
    path = capture.path
    files = capture.files
    self.sync = sync
    self.segmentSize = aligned(segmentSize, to: 4096)
    lock = try CaptureLock(path, files)
    // Under the lock the manifest is the newest.
    manifest = try Manifest.load(capture: path, files: files)
    let recovery = try Recovery.recoverLocked(capture, known: known)
    guard max(recovery.nextNumber, recovery.nextSequence) <= FormatLimits.countMaxToGoOn else {
      throw .noNumbersLeft(path: path)
    }
    self.recovery = recovery
    sequence = recovery.nextSequence
    firstSequence = recovery.nextSequence
    let segments = CapturePath.segments(path)
    endpointIDs = manifest.add(endpoints)
    guard manifest.endpoints.count <= Int(UInt16.max) + 1 else {
      throw .tooManyEndpoints(path: path, count: manifest.endpoints.count)
    }
    if manifest != capture.manifest {
      try manifest.save(capture: path, files: files)
      try files.synchronizeDirectory(path)
    }
    try freeSpaceMin.check(path, taking: self.segmentSize, files)
    try files.makeDirectories(segments)
    segment = try SegmentWriter(
      directory: segments, number: recovery.nextNumber, size: self.segmentSize, files: files)
    try? segment.mapping.advise(0..<Self.firstPages, .populateForWriting)
    segment.start(captureID: manifest.captureID, firstSequence: sequence)
    try files.synchronizeDirectory(segments)
    keeper = SegmentKeeper(
      KeeperSettings(
        directory: segments, segmentSize: self.segmentSize, sync: sync,
        freeSpaceMin: freeSpaceMin, schedule: schedule, files: files),
      active: segment)
  }

  /// Populated before the first message: what arrives until the keeper knows the rate.
  private static let firstPages = 64 << 10

  /// Appends one message. Throws `messageTooLarge`, or what keeps the store from going on; then
  /// nothing of the message is in the capture.
  public func append(
    endpoint: UInt16, monotonicNanoseconds: Int64, frames: Span<UnsafeRawBufferPointer>
  ) throws(StoreError) {
    let record = SegmentWriter.Description(
      kind: .data, endpoint: endpoint, sequence: sequence,
      monotonicNanoseconds: monotonicNanoseconds)
    unsafe try append(record, frames: frames)
    sequence += 1
    for index in unsafe frames.indices { unsafe bytesAppended += UInt64(frames[index].count) }
  }

  /// Appends something that happened, at its place among the messages. It takes no sequence.
  public func append(event: StoredEvent, endpoint: UInt16 = 0) throws(StoreError) {
    let record = SegmentWriter.Description(
      kind: .event, endpoint: endpoint, sequence: sequence,
      monotonicNanoseconds: event.monotonicNanoseconds)
    let text = event.json
    let result = unsafe text.withUnsafeBytes { bytes in
      let frames = unsafe [bytes]
      return Result { () throws(StoreError) in unsafe try append(record, frames: frames.span) }
    }
    try result.get()
  }

  private func append(
    _ record: SegmentWriter.Description, frames: Span<UnsafeRawBufferPointer>
  ) throws(StoreError) {
    if unsafe segment.append(record, frames: frames) { return }
    unsafe try roll(frames: frames)
    let isAppended = unsafe segment.append(record, frames: frames)
    precondition(isAppended, "a new segment has room for the message it was made for")
  }

  /// Sees to what was written so far: a checkpoint where more of it has become durable; under
  /// `.always`, waits for that. To be called after each burst of messages, and now and then.
  ///
  /// Throws what makes it impossible to write on.
  public func tend() throws(StoreError) -> [StorageNotice] {
    if sync == .always, segment.contentEnd.load(ordering: .relaxed) != synchronizedEnd {
      keeper.synchronize()
      synchronizedEnd = segment.contentEnd.load(ordering: .relaxed)
    }
    let newsCount = keeper.newsCount
    guard newsCount != newsSeen else { return [] }
    newsSeen = newsCount
    let outlook = keeper.outlook
    if let failure = outlook.activeFailure { throw failure }

    var notices: [StorageNotice] = []
    if let failure = outlook.syncFailure {
      if !isSyncFailureTold {
        isSyncFailureTold = true
        notices.append(.syncFailed(failure))
        // What follows is better off elsewhere; where there is nothing else, it stays here.
        try? roll(size: 0)
      }
    } else if let durable = outlook.durable, durable != checkpointed {
      checkpointed = durable
      appendCheckpoint(durable)
    }
    if let failure = outlook.prepareFailure, !isLastSegmentTold {
      isLastSegmentTold = true
      notices.append(.lastSegment(failure))
    }
    return notices
  }

  /// Where there is no room, the footer says the same soon.
  private func appendCheckpoint(_ place: RecordPlace) {
    let record = SegmentWriter.Description(
      kind: .checkpoint, sequence: sequence,
      monotonicNanoseconds: CaptureClock.monotonicNanoseconds())
    _ = unsafe Checkpoint(place).withFrames { unsafe segment.append(record, frames: $0) }
  }

  /// Seals the capture. Nothing may be appended afterwards. Throws what kept a segment from being
  /// sealed and synced.
  public func finish() throws(StoreError) {
    try keeper.finish(nextSequence: sequence)
  }

  /// Gives the lock back: from here on nobody records the capture. After `finish`.
  public func unlock() { lock = nil }

  /// Takes back the capture that it created and that nothing was recorded into; not after `finish`.
  package func discard() {
    try? finish()
    Self.removeUnused(path, files)
    unlock()
  }

  private func roll(frames: Span<UnsafeRawBufferPointer>) throws(StoreError) {
    let first = SegmentLayout.headerSize
    let end = unsafe RecordLayout.recordEnd(startingAt: first, frames: frames)
    guard end - first <= RecordLayout.lengthMax else {
      throw .messageTooLarge(bytes: end - first, frames: unsafe frames.count)
    }
    try roll(size: aligned(end + SegmentLayout.endReserve, to: 4096))
  }

  /// Goes on in a segment of at least `size` bytes.
  private func roll(size: Int) throws(StoreError) {
    let begun = CaptureClock.monotonicNanoseconds()
    segment = try keeper.roll(nextSequence: sequence, size: size)
    segment.start(captureID: manifest.captureID, firstSequence: sequence)
    segmentCount += 1
    isLastSegmentTold = false
    synchronizedEnd = 0
    let waited = CaptureClock.monotonicNanoseconds() - begun
    rollNanosecondsMax = max(rollNanosecondsMax, waited)
    rollNanoseconds += waited
  }

  // MARK: - Stepped

  /// Does a piece of the keeper's work ahead of the writer; false when none is due. For a writer
  /// whose schedule is `.stepped`.
  package func stepAhead() -> Bool { keeper.stepAhead() }

  /// The same behind the writer: seals a full segment, else syncs the one being written.
  package func stepBehind() { keeper.stepBehind() }

  /// What the keeper knows to be on stable storage.
  package var durable: RecordPlace? { keeper.outlook.durable }

  // MARK: - Beginnings

  private static func makeCaptureDirectory(
    _ path: String, _ files: FileSystem
  ) throws(StoreError) {
    try files.makeDirectories(FileSystem.parent(of: path))
    do throws(StoreError) {
      try files.makeDirectory(path)
    } catch .system(_, _, EEXIST) {
      if (try? CaptureLock.isHeld(path, files)) == true { throw .captureInUse(path: path) }
      throw .captureExists(path: path)
    }
  }

  /// Takes back what a failed start made.
  private static func removeUnused(_ path: String, _ files: FileSystem) {
    let segments = CapturePath.segments(path)
    for name in (try? files.names(in: segments)) ?? [] {
      try? files.remove("\(segments)/\(name)")
    }
    try? files.removeDirectory(segments)
    try? files.remove(CapturePath.manifest(path))
    try? files.removeDirectory(path)
  }
}
