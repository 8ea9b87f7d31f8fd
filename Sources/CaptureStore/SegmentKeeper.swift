import Threads

/// Prepares segments ahead of the writer and finishes them behind it; the writer only ever swaps
/// a pointer.
///
/// Ahead: the next segment exists, with its space reserved, before it is needed; pages are
/// faulted in as far in front of the writer as its present rate needs. Behind: what was written is
/// synced, a full segment gets its footer and is cut to its size. Two threads, since a sync may
/// take seconds and the next segment must not wait for it.
final class SegmentKeeper: Sendable {
  private let work: KeeperWork
  private let schedule: KeeperSchedule
  private let threads: [WorkerThread]

  /// Starts behind a first segment, which the caller made and started.
  init(_ settings: KeeperSettings, active: SegmentWriter) {
    let work = KeeperWork(settings, active: active)
    self.work = work
    schedule = settings.schedule
    threads =
      switch settings.schedule {
      case .threads:
        [
          WorkerThread(name: "zcap keeper", priority: .patient) { work.runAhead() },
          WorkerThread(name: "zcap syncer", priority: .patient) { work.runBehind() },
        ]
      case .stepped: []
      }
    rehearse()
  }

  /// Takes the lock as a roll does, and no segment: the types that Swift makes for that when it is done for
  /// the first time, and the first memory for those that were left, took 0.13 ms of the first pause.
  private func rehearse() {
    let take = taking(size: .max, captureID: 0, nextSequence: 0)
    _ = work.state.withLock { state -> Taken? in
      state.retired.reserveCapacity(16)
      return take(&state)
    }
  }

  /// Without `finish`: the threads end, and the active segment stays without an end.
  deinit {
    let isFinished = work.state.withLock { state in
      defer { state.stopped = CaptureClock.monotonicNanoseconds() }
      return state.isStopping
    }
    if !isFinished { for thread in threads { thread.join() } }
  }

  /// Changes whenever there is something new for `outlook` to tell: cheap to look at.
  var newsCount: Int { work.newsCount }

  /// What the writer should know of the keeper's work.
  struct Outlook {
    /// Everything before this place is on stable storage.
    var durable: RecordPlace?
    /// There will be no further segment; asked again every second.
    var prepareFailure: StoreError?
    /// What made a ring keep less than its limits say.
    var shortage: StoreError?
    /// Writing on into the active segment would end in SIGBUS.
    var activeFailure: StoreError?
    /// Something may not be on stable storage, and nothing will ever tell that it is.
    var syncFailure: StoreError?
    /// A pin ends with the active segment: the next one is due.
    var isRollAsked = false
    /// Pins that ended since the last look.
    var pinOutcomes: [PinOutcome] = []
  }

  func takeOutlook() -> Outlook {
    work.state.withLock { state in
      // Who has that to tell hears of nothing else, and asks again when it is over.
      defer { if state.activeFailure == nil { state.pinOutcomes = [] } }
      return Outlook(
        durable: state.durable,
        // With a spare there is one; and in a ring there may be room behind that.
        prepareFailure: state.spares.isEmpty ? state.prepareFailure : nil,
        shortage: state.shortage,
        activeFailure: state.activeFailure, syncFailure: state.syncFailure,
        isRollAsked: state.isRollAsked, pinOutcomes: state.pinOutcomes)
    }
  }

  /// Pins that ended since the last look.
  func takePinOutcomes() -> [PinOutcome] {
    work.state.withLock { state in
      defer { state.pinOutcomes = [] }
      return state.pinOutcomes
    }
  }

  /// What is known to be on stable storage.
  var durable: RecordPlace? { work.state.withLock { $0.durable } }

  /// Begins a pin; false where it is too late. From any thread.
  func pin(_ request: PinRequest) -> Bool { work.pin(request) }

  /// Whether `roll` would not wait.
  var hasSpare: Bool { work.state.withLock { !$0.spares.isEmpty } }

  /// Retires the active segment and starts the next one, with room for `size` bytes. Waits where
  /// that is not ready yet; throws what keeps it from becoming ready, and then the active segment
  /// stays the one it was.
  func roll(
    captureID: UInt128, nextSequence: UInt64, size: Int
  ) throws(StoreError) -> SegmentWriter {
    let take = taking(size: size, captureID: captureID, nextSequence: nextSequence)
    // As a rule it is there, and then the keeper's threads are woken once.
    let atOnce = work.state.withLock { state -> Taken? in
      state.growFailure = nil
      let taken = take(&state)
      if taken == nil { state.roomNeeded = size }
      return taken
    }
    // What is behind comes in front only where that has too many files open.
    let step = { self.work.stepAhead() || self.work.stepBehind() }
    let next = atOnce ?? wait(doing: step, until: take)
    return try next.get()
  }

  private typealias Taken = Result<SegmentWriter, StoreError>

  /// What changes with a roll, where the next segment is there.
  private func taking(
    size: Int, captureID: UInt128, nextSequence: UInt64
  ) -> (inout KeeperState) -> Taken? {
    { state in
      let taken = state.takeSpare(size: size)
      guard case .success(let spare) = taken else { return taken }
      state.isRollAsked = false
      state.retireActive(nextSequence: nextSequence)
      // Before the keeper's threads see it: they read with what it begins.
      spare.start(captureID: captureID, firstSequence: nextSequence)
      state.active = spare
      return taken
    }
  }

  /// Waits until everything committed so far is on stable storage, or was found not to be.
  func synchronize() {
    let asked = work.state.withLock { state in
      state.syncsAsked += 1
      return state.syncsAsked
    }
    wait(doing: work.stepBehind) { $0.syncsMade >= asked ? () : nil }
  }

  /// Seals what is left, the active segment included, and ends the threads. Throws what keeps the
  /// capture from being whole on stable storage.
  func finish(nextSequence: UInt64) throws(StoreError) {
    work.state.withLock { state in
      state.retireActive(nextSequence: nextSequence)
      state.stopped = CaptureClock.monotonicNanoseconds()
    }
    let step = { self.work.stepAhead() || self.work.stepBehind() }
    wait(doing: step) { $0.isAheadDone && $0.isBehindDone ? () : nil }
    for thread in threads { thread.join() }
    work.endPins()
    let state = work.state.withLock { ($0.syncFailure, $0.tidyFailure) }
    if let failure = state.0 ?? state.1 { throw failure }
  }

  /// Waits for the threads to bring something about; where there are none, does their work.
  private func wait<Result>(
    doing step: () -> Bool, until take: (inout KeeperState) -> Result?
  ) -> Result {
    guard schedule == .stepped else { return work.state.wait(until: take) }
    while true {
      if let result = work.state.withLock(take) { return result }
      let isWorking = step()
      precondition(isWorking, "the keeper has nothing to do and its writer waits")
    }
  }

  // MARK: - Stepped

  /// One piece of the work ahead of the writer, for a keeper without threads. False: none is due.
  func stepAhead() -> Bool { work.stepAhead() }

  /// One piece of the work behind the writer, a sync where nothing else is due.
  func stepBehind() {
    if work.stepBehind() { return }
    work.state.withLock { $0.syncsAsked += 1 }
    _ = work.stepBehind()
  }
}

/// Who does a keeper's work.
package enum KeeperSchedule: Sendable {
  /// Threads of its own.
  case threads
  /// Whoever calls for it: a test that repeats.
  case stepped
}

/// What is decided before a keeper starts.
struct KeeperSettings: Sendable {
  /// The path of the capture.
  var capture: String
  var segmentSize: Int
  /// What is there of a ring, behind the active segment; nil where everything is kept.
  var ring: SegmentRing?
  var sync: SyncPolicy
  var freeSpaceMin: FreeSpaceMin
  var schedule: KeeperSchedule
  var files: FileSystem
  /// So many segments that are not sealed yet have open files at most, and as many that a ring can
  /// use again.
  var writersMax = Self.writersMax(openFilesMax: OpenedFile.countMax)

  /// How many those are where a process may have so many open files: a quarter for each of them,
  /// the rest is for sockets, the index and those who read. 1,024 at most, for each has a mapping,
  /// too.
  static func writersMax(openFilesMax: Int) -> Int { min(max(openFilesMax / 4, 2), 1024) }

  /// Of the segments.
  var directory: String { CapturePath.segments(capture) }

  /// Segments that are kept ready. A ring at full rate is around its segments faster than a disk
  /// answers: it has one in hand while the next is made.
  var sparesWanted: Int { ring == nil ? 1 : 2 }
}
