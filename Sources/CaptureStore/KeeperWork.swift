import Synchronization
import Threads

/// The work of a segment keeper, a step at a time, and the state that its threads share.
final class KeeperWork: Sendable {
  struct State {
    var active: SegmentWriter
    var spare: SegmentWriter?
    /// Full segments that are not sealed yet, the oldest first.
    var retired: [(segment: SegmentWriter, nextSequence: UInt64)] = []
    var nextNumber: UInt64
    /// What the writer waits for: room for one message, in a spare of the usual size or larger.
    var roomNeeded = 0
    var growFailure: StoreError?
    var prepareFailure: StoreError?
    var activeFailure: StoreError?
    var syncFailure: StoreError?
    /// Numbers of segments whose sync failed: they are not sealed as if nothing had happened.
    var abandoned: Set<UInt64> = []
    /// A spare could not be removed.
    var tidyFailure: StoreError?
    var durable: RecordPlace?
    var syncsAsked = 0
    var syncsMade = 0
    var isStopping = false
    var isAheadDone = false
    var isBehindDone = false
  }

  let state: Guarded<State>
  private let settings: KeeperSettings
  private let news = Atomic<Int>(0)

  private static let second: Int64 = 1_000_000_000

  init(_ settings: KeeperSettings, active: SegmentWriter) {
    self.settings = settings
    state = Guarded(State(active: active, nextNumber: active.number + 1))
  }

  var newsCount: Int { news.load(ordering: .relaxed) }

  /// Changes what the writer should hear of.
  private func tell(_ change: (inout State) -> Void) {
    state.withLock(change)
    news.wrappingAdd(1, ordering: .relaxed)
  }

  // MARK: - Ahead of the writer

  private enum AheadWork {
    case prepare(number: UInt64)
    case grow(SegmentWriter, size: Int)
    case stop(unused: SegmentWriter?)
  }

  func runAhead() {
    var readAhead = PageReadAhead()
    var nextSecond = CaptureClock.monotonicNanoseconds() + Self.second
    while !state.withLock({ $0.isAheadDone }) {
      if let work = state.wait(nanoseconds: readAhead.intervalNanoseconds, until: Self.aheadWork) {
        perform(work)
        continue
      }
      populate(&readAhead)
      let now = CaptureClock.monotonicNanoseconds()
      if now >= nextSecond {
        nextSecond = now + Self.second
        watchSpace()
      }
    }
  }

  func stepAhead() -> Bool {
    guard let work = state.withLock(Self.aheadWork) else { return false }
    perform(work)
    return true
  }

  private static func aheadWork(_ state: inout State) -> AheadWork? {
    if state.isStopping {
      if state.isAheadDone { return nil }
      defer { state.spare = nil }
      return .stop(unused: state.spare)
    }
    guard let spare = state.spare else {
      return state.prepareFailure == nil ? .prepare(number: state.nextNumber) : nil
    }
    guard spare.capacity < state.roomNeeded, state.growFailure == nil else { return nil }
    state.spare = nil
    return .grow(spare, size: state.roomNeeded)
  }

  private func perform(_ work: AheadWork) {
    switch work {
    case .prepare(let number):
      do throws(StoreError) {
        let segment = try prepare(number)
        state.withLock {
          $0.spare = segment
          $0.nextNumber += 1
        }
      } catch {
        tell { $0.prepareFailure = error }
      }
    case .grow(let spare, let size):
      let grown = Result { () throws(StoreError) in
        try checkFreeSpace(for: size - spare.capacity)
        try spare.grow(to: size)
      }
      state.withLock { state in
        state.spare = spare
        if case .failure(let error) = grown {
          state.growFailure = error
          state.roomNeeded = 0
        }
      }
    case .stop(let unused):
      do throws(StoreError) {
        try unused?.discard()
        try settings.files.synchronizeDirectory(settings.directory)
      } catch {
        state.withLock { $0.tidyFailure = error }
      }
      state.withLock { $0.isAheadDone = true }
    }
  }

  private func prepare(_ number: UInt64) throws(StoreError) -> SegmentWriter {
    try checkFreeSpace(for: settings.segmentSize)
    let segment = try SegmentWriter(
      directory: settings.directory, number: number, size: settings.segmentSize,
      files: settings.files)
    do throws(StoreError) {
      try settings.files.synchronizeDirectory(settings.directory)
    } catch {
      try? segment.discard()
      throw error
    }
    return segment
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

  private func populate(_ readAhead: inout PageReadAhead) {
    let (active, spare) = state.withLock { ($0.active, $0.spare) }
    do throws(StoreError) {
      try readAhead.advance(active, next: spare)
    } catch {
      // One that was retired meanwhile is cut at its end; nobody writes there any more.
      tell { if $0.active === active { $0.activeFailure = error } }
    }
  }

  // MARK: - Behind the writer

  private enum BehindWork {
    case seal(SegmentWriter, nextSequence: UInt64, isAbandoned: Bool)
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
      if let work = state.wait(nanoseconds: max(0, wait), until: Self.behindWork) { perform(work) }
    }
  }

  func stepBehind() -> Bool {
    guard let work = state.withLock(Self.behindWork) else { return false }
    perform(work)
    return true
  }

  /// In the order of the capture, so that a durable place says something of all before it.
  private static func behindWork(_ state: inout State) -> BehindWork? {
    if !state.retired.isEmpty {
      let (segment, nextSequence) = state.retired.removeFirst()
      return .seal(
        segment, nextSequence: nextSequence, isAbandoned: state.abandoned.contains(segment.number))
    }
    if state.isStopping { return state.isBehindDone ? nil : .stop }
    return state.syncsAsked > state.syncsMade
      ? .synchronize(state.active, asked: state.syncsAsked) : nil
  }

  private func perform(_ work: BehindWork) {
    switch work {
    case .seal(_, _, isAbandoned: true):
      return
    case .seal(let segment, let nextSequence, _):
      do throws(StoreError) {
        try segment.seal(nextSequence: nextSequence)
        state.withLock { state in
          let end = RecordPlace(
            segment: segment.number, offset: segment.committedSize, sequence: nextSequence)
          if state.syncFailure == nil { state.durable = end }
        }
      } catch {
        fail(segment, error)
      }
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

  /// After a failed sync its pages count as clean: another one would succeed and mean nothing. So
  /// the segment gets no footer, and the durable place stays where it is.
  private func fail(_ segment: SegmentWriter, _ error: StoreError) {
    tell {
      $0.abandoned.insert(segment.number)
      $0.syncFailure = $0.syncFailure ?? error
    }
  }
}
