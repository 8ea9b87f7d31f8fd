import Glibc
import Synchronization

/// Writes a capture: the directory, its manifest, and one segment after the other.
///
/// For one thread. `append` copies a message once, into the mapped segment, and publishes it; all
/// else is the keeper's work. A message that `append` returned from survives the process; one
/// before the last checkpoint survives the machine.
@safe public final class CaptureWriter {
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
  /// How long it took to go on in another segment, each time.
  public private(set) var rolls = RollTimes()

  // Stored apart from their public readers: exclusive access to a public stored property is
  // checked at run time, twice a message.
  private var sequence: UInt64
  private let firstSequence: UInt64
  private var bytesAppended: UInt64 = 0

  private var lock: CaptureLock?
  package let files: FileSystem
  private let segmentSize: Int
  /// Of a ring: when a segment is followed by the next one, though it has room.
  private let segmentNanosecondsMax: Int64
  private let segmentMessagesMax: UInt64
  private let sync: SyncPolicy
  private let keeper: SegmentKeeper
  private var segment: SegmentWriter {
    didSet { unsafe hotSegment = Unmanaged.passUnretained(segment) }
  }
  /// The same: what is used once a message is not counted.
  private var hotSegment: Unmanaged<SegmentWriter>

  // What was told of the keeper's news.
  private var newsSeen = 0
  private var checkpointed: RecordPlace?
  private var isSyncFailureTold = false
  private var isLastSegmentTold = false
  private var isShortageTold = false
  private var synchronizedEnd = 0
  /// A pin ends with the active segment: it is left as soon as there is another one.
  private var isRollDue = false

  /// 256 MiB: rolling is rare, and a spare of that size is no burden.
  public static let segmentSizeDefault = 256 << 20
  /// What a segment size may be.
  public static let segmentSizes = SegmentLayout.sizeMin...SegmentLayout.sizeMax

  /// Creates a capture at a path where nothing is yet, with its first segment ready: a ring where
  /// the manifest says what to keep.
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
    try Self.check(segmentSize, manifest.keep)
    self.path = path
    self.manifest = manifest
    endpointIDs = manifest.endpoints.indices.map { UInt16(truncatingIfNeeded: $0) }
    self.files = files
    self.sync = sync
    self.segmentSize = aligned(segmentSize, to: 4096)
    (segmentNanosecondsMax, segmentMessagesMax) = Self.segmentLimits(manifest.keep)
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
      unsafe hotSegment = Unmanaged.passUnretained(segment)
      try? segment.populate(0..<KeeperWork.firstPages)
      segment.start(captureID: manifest.captureID, firstSequence: 0)
      try files.synchronizeDirectory(segments)
      try files.synchronizeDirectory(path)
      try files.synchronizeDirectory(FileSystem.parent(of: path))
      keeper = SegmentKeeper(
        KeeperSettings(
          capture: path, segmentSize: self.segmentSize,
          ring: manifest.keep.map { SegmentRing(retention: $0) }, sync: sync,
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
  /// which. `known`: where its index stands, as for `Recovery.recover`. `keep`: what a ring keeps
  /// from here on; nil for what it kept so far.
  ///
  /// Throws `noSuchCapture`, `captureInUse`, `keepsEverything`, `noNumbersLeft`, `freeSpace`,
  /// `system`, and what says that it cannot be understood; then the capture is as it was, or
  /// recovered.
  public convenience init(
    appendingTo path: String, endpoints: [RecordedEndpoint],
    known: RecordPlace? = nil, keep: Retention? = nil,
    segmentSize: Int = CaptureWriter.segmentSizeDefault,
    sync: SyncPolicy = .standard, freeSpaceMin: FreeSpaceMin = .none
  ) throws(StoreError) {
    try self.init(
      appendingTo: Capture(path: path), endpoints: endpoints, known: known, keep: keep,
      segmentSize: segmentSize, sync: sync, freeSpaceMin: freeSpaceMin, schedule: .threads)
  }

  package init(
    appendingTo capture: Capture, endpoints: [RecordedEndpoint], known: RecordPlace? = nil,
    keep: Retention? = nil, segmentSize: Int, sync: SyncPolicy, freeSpaceMin: FreeSpaceMin = .none,
    schedule: KeeperSchedule
  ) throws(StoreError) {
    path = capture.path
    files = capture.files
    self.sync = sync
    self.segmentSize = aligned(segmentSize, to: 4096)
    lock = try CaptureLock(path, files)
    // Under the lock the manifest is the newest.
    manifest = try Manifest.load(capture: path, files: files)
    if let keep {
      guard manifest.keep != nil else { throw .keepsEverything(path: path) }
      manifest.keep = keep
    }
    try Self.check(segmentSize, manifest.keep)
    (segmentNanosecondsMax, segmentMessagesMax) = Self.segmentLimits(manifest.keep)
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
    unsafe hotSegment = Unmanaged.passUnretained(segment)
    try? segment.populate(0..<KeeperWork.firstPages)
    segment.start(captureID: manifest.captureID, firstSequence: sequence)
    try files.synchronizeDirectory(segments)
    var ring: SegmentRing?
    if let keep = manifest.keep {
      ring = try SegmentRing(keep, of: capture, activeNumber: recovery.nextNumber)
    }
    keeper = SegmentKeeper(
      KeeperSettings(
        capture: path, segmentSize: self.segmentSize, ring: ring, sync: sync,
        freeSpaceMin: freeSpaceMin, schedule: schedule, files: files),
      active: segment)
  }

  private static func check(
    _ segmentSize: Int, _ keep: Retention?
  ) throws(StoreError) {
    let sizeMax = min(Self.segmentSizes.upperBound, keep?.segmentSizeMax ?? .max)
    guard segmentSize >= Self.segmentSizes.lowerBound, segmentSize <= sizeMax else {
      throw .segmentSize(
        bytes: segmentSize,
        allowed: Self.segmentSizes.lowerBound...max(sizeMax, Self.segmentSizes.lowerBound))
    }
  }

  private static func segmentLimits(_ keep: Retention?) -> (Int64, UInt64) {
    (keep?.segmentNanosecondsMax ?? .max, keep?.segmentMessagesMax ?? .max)
  }

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
    let isStored = unsafe hotSegment._withUnsafeGuaranteedRef {
      unsafe $0.append(record, frames: frames)
    }
    if isStored { return }
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
    if (isRollDue || isSegmentOld) && keeper.hasSpare { try? roll(size: 0) }
    let newsCount = keeper.newsCount
    guard newsCount != newsSeen else { return [] }
    newsSeen = newsCount
    let outlook = keeper.takeOutlook()
    if let failure = outlook.activeFailure { throw failure }

    var notices: [StorageNotice] = outlook.pinOutcomes.map { .pinned($0) }
    if outlook.isRollAsked { isRollDue = true }
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
    if let shortage = outlook.shortage, !isShortageTold {
      isShortageTold = true
      notices.append(.ringIsShort(shortage))
    }
    if let failure = outlook.prepareFailure, !isLastSegmentTold {
      isLastSegmentTold = true
      notices.append(.lastSegment(failure))
    }
    return notices
  }

  /// Whether it has been in use for as long, or has as many messages, as a ring wants of one.
  private var isSegmentOld: Bool {
    let messages = sequence - segment.firstSequence
    guard manifest.keep != nil, messages > 0 else { return false }
    return messages >= segmentMessagesMax
      || CaptureClock.monotonicNanoseconds() - segment.startTime >= segmentNanosecondsMax
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

  /// Pins that ended with the recording, after `finish`; `tend` tells of the others.
  public func takePinOutcomes() -> [PinOutcome] { keeper.takePinOutcomes() }

  /// Makes a capture of its own of a part of a ring, in the background. From any thread.
  /// False: the recording has ended, and nothing is made.
  public var pinner: @Sendable (PinRequest) -> Bool {
    { [keeper] in keeper.pin($0) }
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
    segment = try keeper.roll(
      captureID: manifest.captureID, nextSequence: sequence, size: size)
    segmentCount += 1
    isRollDue = false
    isLastSegmentTold = false
    synchronizedEnd = 0
    rolls.add(CaptureClock.monotonicNanoseconds() - begun)
  }

  // MARK: - Stepped

  /// Does a piece of the keeper's work ahead of the writer; false when none is due. For a writer
  /// whose schedule is `.stepped`.
  package func stepAhead() -> Bool { keeper.stepAhead() }

  /// The same behind the writer: seals a full segment, else syncs the one being written.
  package func stepBehind() { keeper.stepBehind() }

  /// What the keeper knows to be on stable storage.
  package var durable: RecordPlace? { keeper.durable }

  // MARK: - Beginnings

  static func makeCaptureDirectory(
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

/// How long it took a writer to go on in another segment.
public struct RollTimes: Sendable {
  public private(set) var count = 0
  /// All of them together.
  public private(set) var nanoseconds: Int64 = 0
  public private(set) var nanosecondsMax: Int64 = 0
  private var recent: [Int64] = []

  /// Many enough for a median; a recording may last for years.
  private static let recentMax = 1023

  /// Of the last thousand or so; 0 where there was none.
  public var nanosecondsMedian: Int64 { recent.isEmpty ? 0 : recent.sorted()[recent.count / 2] }

  mutating func add(_ nanoseconds: Int64) {
    if count < Self.recentMax {
      recent.append(nanoseconds)
    } else {
      recent[count % Self.recentMax] = nanoseconds
    }
    count += 1
    self.nanoseconds += nanoseconds
    nanosecondsMax = max(nanosecondsMax, nanoseconds)
  }
}
