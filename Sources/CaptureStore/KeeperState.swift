import Synchronization

/// What the threads of a segment keeper and its writer share.
struct KeeperState {
  var active: SegmentWriter
  /// Prepared and not in use, the next one first.
  var spares: [SegmentWriter] = []
  /// The next one is made larger, and is not among them meanwhile.
  var isGrowing = false
  /// Full segments that are not sealed yet, the oldest first.
  var retired: [RetiredSegment] = []
  /// The one that is being sealed, older than those.
  var sealing: RetiredSegment?
  /// In a ring: those older still.
  var ring: SegmentRing?
  /// When a segment of a ring made room last, and how old its last message was then.
  var lastRoom: (time: Int64, age: Int64)?
  /// When the last message came of those that have made room, on the monotonic clock.
  var goneUntil: Int64?
  /// Windows of the recording that become captures of their own.
  var pins: [Pin] = []
  var pinOutcomes: [PinOutcome] = []
  /// The last of them have ended with the recording.
  var arePinsOver = false
  /// The writer is to go on in the next segment, for a pin that ends with this one.
  var isRollAsked = false
  var nextNumber: UInt64
  /// What the writer waits for: room for one message, in a spare of the usual size or larger.
  var roomNeeded = 0
  var growFailure: StoreError?
  var prepareFailure: StoreError?
  /// Room was made in a ring, and others have its file still: not to be tried before.
  var retryTime: Int64?
  /// What made a ring keep less than its limits say.
  var shortage: StoreError?
  var activeFailure: StoreError?
  var syncFailure: StoreError?
  /// Segments whose sync failed, by number: they are not sealed as if nothing had happened.
  var abandoned: [UInt64: StoreError] = [:]
  /// A spare, or what made room in a ring, could not be removed.
  var tidyFailure: StoreError?
  var durable: RecordPlace?
  var syncsAsked = 0
  var syncsMade = 0
  /// When the writer left the last one, on the monotonic clock; nil while it writes.
  var stopped: Int64?
  var isAheadDone = false
  var isBehindDone = false
}

/// A segment that the writer has left.
struct RetiredSegment {
  var segment: SegmentWriter
  /// The sequence that follows its last message.
  var nextSequence: UInt64
  /// When it was left, on the monotonic clock.
  var time: Int64
  /// Of a ring: it made room there. For a pin it is sealed all the same.
  var isGone = false
}

extension KeeperState {
  var isStopping: Bool { stopped != nil }

  /// All but the active one, the oldest first.
  var segmentsLeft: [SegmentRing.Entry] {
    (ring?.entries ?? []) + unsealed.filter { !$0.isGone }.map { SegmentRing.Entry($0) }
  }

  /// The full ones among them and those that made room, the oldest first.
  var unsealed: [RetiredSegment] { [sealing].compactMap { $0 } + retired }

  /// How many those are: each has an open file.
  var unsealedCount: Int { retired.count + (sealing == nil ? 0 : 1) }

  /// Of all segment files.
  var bytes: Int {
    let others = ([active] + spares).reduce(0) { $0 + $1.capacity }
    return others + segmentsLeft.reduce(0) { $0 + $1.size }
  }

  /// Whether the writer waits for more room than the next segment has.
  var isGrowthDue: Bool {
    guard let spare = spares.first, growFailure == nil else { return false }
    return spare.capacity < roomNeeded
  }

  /// Takes the next segment, with room for `size` bytes, for the writer to go on in; or what keeps
  /// it from being there. nil while it may still come.
  mutating func takeSpare(size: Int) -> Result<SegmentWriter, StoreError>? {
    // No other goes in front of one that grows.
    if isGrowing { return nil }
    if let spare = spares.first, growFailure == nil {
      guard spare.capacity >= size else { return nil }
      roomNeeded = 0
      return .success(spares.removeFirst())
    }
    guard let failure = growFailure ?? prepareFailure else { return nil }
    // Who gives up needs no room any more.
    roomNeeded = 0
    return .failure(failure)
  }

  /// Has the oldest segment of a ring go, though its limits let it stay.
  mutating func makeRoom(for error: StoreError) {
    ring?.isShort = true
    shortage = shortage ?? error
  }

  /// Whether what made room in a ring takes room still, but not for long: who seals it leaves it, and
  /// who reads it goes on, the recording's own index first of all.
  func isRoomComing(within span: Int64) -> Bool {
    if isGoneBeingSealed { return true }
    guard let lastRoom else { return false }
    return CaptureClock.monotonicNanoseconds() - lastRoom.time < span
  }

  private var isGoneBeingSealed: Bool {
    sealing.map { $0.isGone && !isPinned($0.segment) } ?? false
  }

  /// Whether it is too early to try again what there was no room for.
  var isAwaitingRoom: Bool {
    guard let retryTime else { return false }
    return isGoneBeingSealed || CaptureClock.monotonicNanoseconds() < retryTime
  }

  /// In a ring that may be what makes room for what there was none for.
  mutating func retireActive(nextSequence: UInt64) {
    if ring != nil { prepareFailure = nil }
    retired.append(
      RetiredSegment(
        segment: active, nextSequence: nextSequence, time: CaptureClock.monotonicNanoseconds()))
  }

  /// Takes the oldest segment out of the ring; never one in front of an older one, so that what is
  /// kept has no gap. nil where there is none.
  mutating func takeOldest() -> SegmentRing.Entry? {
    guard let oldest = segmentsLeft.first else { return nil }
    ring?.isShort = false
    let now = CaptureClock.monotonicNanoseconds()
    lastRoom = (now, now - oldest.ended)
    goneUntil = max(goneUntil ?? .min, oldest.ended)
    if ring?.entries.isEmpty == false { return ring?.entries.removeFirst() }
    if let segment = sealing?.segment, sealing?.isGone == false {
      // Who seals it has its file, and leaves it soon where nobody else wants it.
      sealing?.isGone = true
      if !isPinned(segment) { segment.isUnwanted.store(true, ordering: .relaxed) }
      return sealing.map { SegmentRing.Entry(notToBeUsedAgain: $0) }
    }
    guard let index = retired.firstIndex(where: { !$0.isGone }) else { return nil }
    guard isPinned(retired[index].segment) else {
      return SegmentRing.Entry(retired.remove(at: index))
    }
    // Its second name stays, and it is sealed for that.
    retired[index].isGone = true
    return SegmentRing.Entry(notToBeUsedAgain: retired[index])
  }

  private func isPinned(_ segment: SegmentWriter) -> Bool {
    pins.contains { $0.linked.contains(segment.number) }
  }

  /// What keeps a segment of a pin from being known to be on stable storage.
  func syncFailure(of pin: Pin) -> StoreError? {
    pin.linked.sorted().lazy.compactMap { abandoned[$0] }.first
  }

  /// The segments of a pin's time that it does not have yet, the oldest first. The active one is
  /// among them: so the pin has all that comes, though its recorder may be killed.
  func segments(wantedBy pin: Pin) -> [SegmentRing.Entry] {
    let active = RetiredSegment(
      segment: active, nextSequence: active.committedSequence.load(ordering: .relaxed), time: .max)
    let request = pin.request
    return (segmentsLeft + [SegmentRing.Entry(active)]).filter {
      $0.ended >= request.from && $0.begun <= request.until && !pin.linked.contains($0.number)
    }
  }

  /// Whether a segment that has made room had messages since a time on the monotonic clock.
  func hasMadeRoom(since time: Int64) -> Bool { (goneUntil ?? .min) >= time }
}

extension SegmentRing.Entry {
  /// A full segment that is not sealed, or not any more.
  init(_ retired: RetiredSegment) {
    let segment = retired.segment
    self.init(
      path: segment.path, number: segment.number, size: segment.capacity,
      firstSequence: segment.firstSequence, nextSequence: retired.nextSequence,
      begun: segment.startTime, ended: retired.time, segment: segment)
  }

  /// The same, where somebody else has its file, too.
  fileprivate init(notToBeUsedAgain retired: RetiredSegment) {
    self.init(retired)
    segment = nil
  }
}
