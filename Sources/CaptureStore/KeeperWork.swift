import Glibc
import Synchronization
import Threads

/// The work of a segment keeper, a step at a time, and the state that its threads share.
final class KeeperWork: Sendable {
  let state: Guarded<KeeperState>
  let settings: KeeperSettings
  let news = Atomic<Int>(0)

  private static let second: Int64 = 1_000_000_000

  init(_ settings: KeeperSettings, active: SegmentWriter) {
    self.settings = settings
    state = Guarded(
      KeeperState(
        active: active, ring: settings.ring, goneUntil: settings.ring?.goneUntil,
        nextNumber: active.number + 1))
  }

  var newsCount: Int { news.load(ordering: .relaxed) }

  /// Changes what the writer should hear of.
  private func tell(_ change: (inout KeeperState) -> Void) {
    state.withLock(change)
    news.wrappingAdd(1, ordering: .relaxed)
  }

  // MARK: - Ahead of the writer

  enum AheadWork {
    /// `isShort`: the disk has no room for a new file.
    case prepare(number: UInt64, recycling: SegmentRing.Entry?, isShort: Bool)
    case remove(SegmentRing.Entry)
    case grow(SegmentWriter, size: Int)
    case begin(Pin, with: Manifest.Beginning, isLate: Bool)
    case link([SegmentRing.Entry], Pin)
    case end(Pin, recordedUntil: Int64)
    case stop(unused: [SegmentWriter])
  }

  func runAhead() {
    var readAhead = PageReadAhead()
    var nextSecond = CaptureClock.monotonicNanoseconds() + Self.second
    while !state.withLock({ $0.isAheadDone }) {
      if let work = state.wait(nanoseconds: readAhead.intervalNanoseconds, until: aheadWork) {
        perform(work)
      } else {
        populate(&readAhead)
      }
      // In any case: a ring at full rate has work without end.
      let now = CaptureClock.monotonicNanoseconds()
      if now >= nextSecond {
        nextSecond = now + Self.second
        watchSpace()
      }
    }
  }

  func stepAhead() -> Bool {
    guard let work = state.withLock(aheadWork) else { return false }
    perform(work)
    return true
  }

  private func aheadWork(_ state: inout KeeperState) -> AheadWork? {
    // Before anything can make room.
    if let work = pinWork(&state) { return work }
    if state.isStopping {
      if state.isAheadDone { return nil }
      defer { state.spares = [] }
      return .stop(unused: state.spares)
    }
    let isSpareMissing = state.spares.count < settings.sparesWanted && !isDiskBehind(state)
    let isGrowthDue = state.isGrowthDue
    // The writer waits for the growth: it comes first, but where there is no room for it on the
    // disk, or no room was made yet for the one before.
    let isShort = state.ring?.isShort == true
    let isOver = state.ring?.isOver(state.bytes) == true
    if !isGrowthDue || isShort || isOver,
      isSurplus(state, forOneMore: isSpareMissing && !isGrowthDue), let oldest = state.takeOldest()
    {
      // Where more than one must go, the last of them is used again.
      let isUsedAgain = isSpareMissing && !isGrowthDue && !isSurplus(state, forOneMore: true)
      return isUsedAgain
        ? .prepare(number: state.nextNumber, recycling: oldest, isShort: isShort)
        : .remove(oldest)
    }
    if state.isAwaitingRoom { return nil }
    if isGrowthDue {
      state.isGrowing = true
      return .grow(state.spares.removeFirst(), size: state.roomNeeded)
    }
    return isSpareMissing && state.prepareFailure == nil
      ? .prepare(number: state.nextNumber, recycling: nil, isShort: isShort) : nil
  }

  /// Whether so many segments wait to be sealed that no more files are to be open: then the writer
  /// waits for the disk.
  private func isDiskBehind(_ state: KeeperState) -> Bool {
    state.unsealedCount >= settings.writersMax
  }

  func perform(_ work: AheadWork) {
    switch work {
    case .prepare(let number, let old, let isShort):
      do throws(StoreError) {
        guard let segment = try prepare(number, recycling: old, isShort) else { return }
        state.withLock {
          $0.spares.append(segment)
          $0.nextNumber += 1
        }
      } catch {
        let isHelped = error.isShortOfSpace && canRingMakeRoom(of: 1)
        tell { state in
          if !awaitRoom(&state, error, isHelped) { state.prepareFailure = error }
        }
      }
    case .remove(let old):
      makeRoom(of: old)
    case .grow(let spare, let size):
      grow(spare, to: size)
    case .begin(let pin, let first, let isLate):
      pin.begin(with: first, isLate: isLate, ofCapture: settings.capture)
    case .link(let segments, let pin):
      for segment in segments { pin.link(segment) }
    case .end(let pin, let recordedUntil):
      let outcome = pin.end(recordedUntil: recordedUntil)
      tell { $0.pinOutcomes.append(outcome) }
    case .stop(let unused):
      for segment in unused { remove(segment.path) }
      synchronizeDirectory()
      state.withLock { $0.isAheadDone = true }
    }
  }

  private func grow(_ spare: SegmentWriter, to size: Int) {
    do throws(StoreError) {
      try checkFreeSpace(for: size - spare.capacity)
      try spare.grow(to: size)
      state.withLock { state in
        state.spares.insert(spare, at: 0)
        state.isGrowing = false
      }
    } catch {
      let isHelped =
        error.isShortOfSpace
        && canRingMakeRoom(of: missingSpace(error, for: size - spare.capacity))
      tell { state in
        state.spares.insert(spare, at: 0)
        state.isGrowing = false
        if !awaitRoom(&state, error, isHelped) {
          state.growFailure = error
          state.roomNeeded = 0
        }
      }
    }
  }

  /// What the want of room leads to: the room that was made last is waited for, since who reads it has it
  /// still, then the next segment makes some. False: there will be none.
  private func awaitRoom(
    _ state: inout KeeperState, _ error: StoreError, _ canMakeRoom: Bool
  ) -> Bool {
    guard error.isShortOfSpace else { return false }
    let isUrgent = state.spares.isEmpty || state.roomNeeded > 0
    let span = canMakeRoom && isUrgent ? min(patience, Self.patienceMin) : patience
    if state.isRoomComing(within: span) {
      state.retryTime = CaptureClock.monotonicNanoseconds() + Self.retryInterval
    } else if canMakeRoom {
      state.makeRoom(for: error)
    } else {
      return false
    }
    return true
  }

  /// While the writer may need the next segment at any time, no longer than its queues hold out.
  private static let patienceMin: Int64 = 100_000_000

  /// How long the room that a ring made is waited for, and how often it is looked for. Without
  /// threads nobody else has its file.
  private var patience: Int64 { settings.schedule == .threads ? 5 * Self.second : 0 }
  private static let retryInterval: Int64 = 5_000_000

  /// Whether segments of the ring leave so much room where they go: one of a pin, too, stays.
  private func canRingMakeRoom(of size: Int) -> Bool {
    let segments = state.withLock { $0.ring == nil ? [] : $0.segmentsLeft }
    var room = 0
    return segments.contains { entry in
      if ((try? settings.files.metadata(entry.path)) ?? nil)?.links == 1 { room += entry.size }
      return room >= size
    }
  }

  /// How much room has to be made for `size` bytes that there was none for; 1 where a quota hides
  /// it. A ring that has less than that is not emptied for nothing.
  private func missingSpace(_ error: StoreError, for size: Int) -> Int {
    if case .freeSpace(_, let free, let needed, let least) = error { return least + needed - free }
    let free = (try? settings.files.space(settings.directory))?.free ?? 0
    return max(1, size - free)
  }

  /// nil where the old one cannot be used again, or is better not: then it made room for a new one.
  private func prepare(
    _ number: UInt64, recycling old: SegmentRing.Entry?, _ isShort: Bool
  ) throws(StoreError) -> SegmentWriter? {
    var recycled: SegmentWriter?
    if let old {
      if let segment = old.segment, isShort || segment.isInMemory {
        recycled = segment.recycled(
          in: settings.directory, number: number, size: settings.segmentSize)
      }
      if recycled == nil {
        makeRoom(of: old)
        return nil
      }
    }
    let segment: SegmentWriter
    if let recycled {
      segment = recycled
    } else {
      try checkFreeSpace(for: settings.segmentSize)
      segment = try SegmentWriter(
        directory: settings.directory, number: number, size: settings.segmentSize,
        files: settings.files)
    }
    do throws(StoreError) {
      try settings.files.synchronizeDirectory(settings.directory)
    } catch {
      try? segment.discard()
      throw error
    }
    do throws(StoreError) {
      try segment.populate(0..<Self.firstPages)
    } catch {
      remove(segment.path)
      throw error
    }
    return segment
  }

  /// Populated when a segment is made: what is written there until `PageReadAhead` sees that it is
  /// the active one.
  static let firstPages = 64 << 10

  private func remove(_ path: String) {
    do throws(StoreError) {
      try settings.files.remove(path)
    } catch {
      if !error.isVanished { failToTidy(error) }
    }
  }

  /// Removes the oldest segment, for good before the next one goes: else a power loss could bring
  /// it back in front of a gap.
  private func makeRoom(of old: SegmentRing.Entry) {
    remove(old.path)
    synchronizeDirectory()
  }

  private func synchronizeDirectory() {
    do throws(StoreError) {
      try settings.files.synchronizeDirectory(settings.directory)
    } catch {
      failToTidy(error)
    }
  }

  private func failToTidy(_ error: StoreError) {
    state.withLock { $0.tidyFailure = $0.tidyFailure ?? error }
  }

  private func checkFreeSpace(for size: Int) throws(StoreError) {
    try settings.freeSpaceMin.check(settings.directory, taking: size, settings.files)
  }

  /// A failed preparation is tried again: somebody may have made room. Where a reservation is no
  /// promise, room is watched for what is being written, too.
  private func watchSpace() {
    state.withLock { state in
      if !state.isStopping { state.prepareFailure = nil }
    }
    do throws(StoreError) {
      try settings.freeSpaceMin.checkWeakReservation(settings.directory, settings.files)
    } catch {
      tell { $0.activeFailure = error }
    }
  }

  /// One look at how far the writer is. Where there are no threads, a test looks.
  func populate(_ readAhead: inout PageReadAhead) {
    let (active, spare) = state.withLock { ($0.active, $0.spares.first) }
    do throws(StoreError) {
      try readAhead.advance(active, next: spare)
    } catch {
      failToPopulate(error)
    }
  }

  /// A segment that was retired meanwhile may be cut at its end, and nobody writes there any more.
  /// The active one cannot be written to any further. A spare goes, and those behind it, whose
  /// numbers would follow on nothing: recording ends only where there is no other in time.
  private func failToPopulate(_ error: StoreError) {
    var unused: [SegmentWriter] = []
    tell { state in
      if state.active.lacksPages.load(ordering: .relaxed) { state.activeFailure = error }
      guard state.spares.contains(where: { $0.lacksPages.load(ordering: .relaxed) }) else { return }
      unused = state.spares
      state.spares = []
      state.nextNumber -= UInt64(unused.count)
      state.prepareFailure = error
    }
    guard !unused.isEmpty else { return }
    for segment in unused { remove(segment.path) }
    synchronizeDirectory()
  }

  // MARK: - Room in a ring

  /// Whether the oldest segment is not to be kept, or not when there is one spare more.
  ///
  /// It expires at any moment, mostly when no spare is missing. Then it waits for the next roll, to
  /// be used again, unless another one has expired behind it: so there is one of those at most.
  private func isSurplus(_ state: KeeperState, forOneMore isOneMore: Bool) -> Bool {
    guard let ring = state.ring else { return false }
    let bytes = state.bytes + (isOneMore ? settings.segmentSize : 0)
    let isUrgent = isOneMore || ring.isShort || ring.isOver(bytes)
    guard let segment = state.segmentsLeft.dropFirst(isUrgent ? 0 : 1).first else { return false }
    return ring.isSurplus(
      segment, bytes: bytes,
      nextSequence: state.active.committedSequence.load(ordering: .relaxed),
      now: CaptureClock.monotonicNanoseconds())
  }

  // MARK: - Behind the writer

  private enum BehindWork {
    case seal(RetiredSegment)
    case synchronize(SegmentWriter, asked: Int)
    case stop
  }

  func runBehind() {
    var due = CaptureClock.monotonicNanoseconds()
    while !state.withLock({ $0.isBehindDone }) {
      let now = CaptureClock.monotonicNanoseconds()
      if case .every(let interval) = settings.sync, now >= due {
        due = now + interval
        state.withLock { $0.syncsAsked += 1 }
      }
      let wait = settings.sync.isTimed ? due - now : Self.second
      if let work = state.wait(nanoseconds: max(0, wait), until: behindWork) { perform(work) }
    }
  }

  func stepBehind() -> Bool {
    guard let work = state.withLock(behindWork) else { return false }
    perform(work)
    return true
  }

  /// In the order of the capture, so that a durable place says something of all before it.
  private func behindWork(_ state: inout KeeperState) -> BehindWork? {
    if isRacing(state) { return nil }
    if !state.retired.isEmpty {
      let retired = state.retired.removeFirst()
      state.sealing = retired
      return .seal(retired)
    }
    if state.isStopping { return state.isBehindDone ? nil : .stop }
    return state.syncsAsked > state.syncsMade
      ? .synchronize(state.active, asked: state.syncsAsked) : nil
  }

  /// Whether a ring goes around so fast that nothing would be left of what is synced when the disk
  /// has it: then the disk's work is the recording's loss.
  private func isRacing(_ state: KeeperState) -> Bool {
    guard settings.ring != nil, settings.sync != .always, settings.schedule == .threads,
      !state.isStopping, state.pins.isEmpty, !isDiskBehind(state)
    else { return false }
    guard let (time, age) = state.lastRoom else { return false }
    return age < Self.lapMin && CaptureClock.monotonicNanoseconds() - time < Self.lapMin
  }

  /// A ring that takes longer than this is synced.
  private static let lapMin = 4 * second

  private func perform(_ work: BehindWork) {
    switch work {
    case .seal(let retired):
      seal(retired)
    case .synchronize(let segment, let asked):
      do throws(StoreError) {
        if let place = try segment.synchronize() {
          tell { if $0.syncFailure == nil { $0.durable = place } }
        }
      } catch {
        fail(segment, error)
      }
      state.withLock { $0.syncsMade = asked }
    case .stop:
      state.withLock { $0.isBehindDone = true }
    }
  }

  private func seal(_ retired: RetiredSegment) {
    let segment = retired.segment
    if state.withLock({ $0.abandoned[segment.number] }) == nil {
      do throws(StoreError) {
        if try segment.seal(nextSequence: retired.nextSequence) {
          let end = RecordPlace(
            segment: segment.number, offset: segment.committedSize, sequence: retired.nextSequence)
          state.withLock { if $0.syncFailure == nil { $0.durable = end } }
        }
      } catch {
        fail(segment, error)
      }
    }
    let tooMuch = state.withLock { state -> SegmentWriter? in
      let isGone = state.sealing?.isGone == true
      state.sealing = nil
      if isGone { return nil }
      var entry = SegmentRing.Entry(retired)
      entry.size = segment.fileSize
      return state.ring?.append(entry, writersMax: settings.writersMax)
    }
    withExtendedLifetime(tooMuch) {}
  }

  /// After a failed sync its pages count as clean: another one would succeed and mean nothing. So
  /// the segment gets no footer, and the durable place stays where it is.
  private func fail(_ segment: SegmentWriter, _ error: StoreError) {
    tell {
      $0.abandoned[segment.number] = $0.abandoned[segment.number] ?? error
      $0.syncFailure = $0.syncFailure ?? error
    }
  }
}

extension StoreError {
  /// Whether room on the disk would help.
  fileprivate var isShortOfSpace: Bool {
    switch self {
    case .freeSpace: true
    case .system(_, _, ENOSPC), .system(_, _, EDQUOT): true
    default: false
    }
  }
}
