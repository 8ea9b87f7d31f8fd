import Synchronization
import Threads

/// The thread that prepares segments ahead of the writer and finishes them behind it.
///
/// Ahead: the next segment exists, with its space reserved, before it is needed; pages are
/// faulted in as far in front of the writer as its present rate needs. Behind: a full segment
/// gets its footer, is cut to its size and synced. The writer only ever swaps a pointer.
final class SegmentKeeper: Sendable {
  private struct State {
    var active: SegmentWriter
    var spare: SegmentWriter?
    var retired: [(segment: SegmentWriter, nextSequence: UInt64)] = []
    var nextNumber: UInt64
    /// What the writer waits for: room for one message, in a spare of the usual size or larger.
    var roomNeeded = 0
    var growFailure: StoreError?
    /// No further segment will come. What is being recorded goes on until its segment is full.
    var prepareFailure: StoreError?
    /// Something that was recorded may not be sealed or on stable storage.
    var sealFailure: StoreError?
    var isStopping = false
  }

  private let state: Guarded<State>
  private let directory: String
  private let segmentSize: Int
  private let thread: WorkerThread

  /// Starts the thread behind the first segment, which the caller made and started.
  init(directory: String, segmentSize: Int, active: SegmentWriter) {
    self.directory = directory
    self.segmentSize = segmentSize
    let state = Guarded(State(active: active, nextNumber: active.number + 1))
    self.state = state
    thread = WorkerThread(name: "zcap keeper") {
      Self.run(state, directory: directory, segmentSize: segmentSize)
    }
  }

  /// Retires the active segment and hands out the next one, unstarted, with room for `size` bytes.
  /// Waits where the next one is not ready yet; throws what keeps it from becoming ready, and then
  /// the active segment stays the one it was.
  func roll(nextSequence: UInt64, size: Int) throws(StoreError) -> SegmentWriter {
    state.withLock { state in
      state.roomNeeded = size
      state.growFailure = nil
    }
    let next: Result<SegmentWriter, StoreError> = state.wait { state in
      if let failure = state.growFailure { return .failure(failure) }
      guard let spare = state.spare else { return state.prepareFailure.map { .failure($0) } }
      guard spare.capacity >= size else { return nil }
      state.spare = nil
      state.roomNeeded = 0
      state.retired.append((state.active, nextSequence))
      state.active = spare
      return .success(spare)
    }
    return try next.get()
  }

  /// Seals what is left, the active segment included, and ends the thread.
  func finish(nextSequence: UInt64) throws(StoreError) {
    state.withLock { state in
      state.retired.append((state.active, nextSequence))
      state.isStopping = true
    }
    thread.join()
    if let failure = state.withLock({ $0.sealFailure }) { throw failure }
  }

  // MARK: - The thread

  private enum Work {
    case prepare(number: UInt64)
    case grow(SegmentWriter, size: Int)
    case seal(SegmentWriter, nextSequence: UInt64)
    case populate(SegmentWriter, next: SegmentWriter?)
    case stop(unused: SegmentWriter?)
  }

  private static func run(_ state: Guarded<State>, directory: String, segmentSize: Int) {
    var readAhead = PageReadAhead()
    while true {
      let work = state.wait(nanoseconds: readAhead.intervalNanoseconds) { Self.urgentWork(&$0) }
      switch work ?? state.withLock({ .populate($0.active, next: $0.spare) }) {
      case .populate(let active, let next):
        readAhead.advance(active, next: next)
      case .prepare(let number):
        do throws(StoreError) {
          let segment = try SegmentWriter(directory: directory, number: number, size: segmentSize)
          try FileSystem.synchronizeDirectory(directory)
          state.withLock { $0.spare = segment }
        } catch {
          state.withLock { $0.prepareFailure = error }
        }
      case .grow(let spare, let size):
        let grown = Result { () throws(StoreError) in try spare.grow(to: size) }
        state.withLock { state in
          state.spare = spare
          if case .failure(let error) = grown {
            state.growFailure = error
            state.roomNeeded = 0
          }
        }
      case .seal(let segment, let nextSequence):
        do throws(StoreError) {
          try segment.seal(nextSequence: nextSequence)
        } catch {
          state.withLock { $0.sealFailure = $0.sealFailure ?? error }
        }
      case .stop(let unused):
        do throws(StoreError) {
          try unused?.discard()
          try FileSystem.synchronizeDirectory(directory)
        } catch {
          state.withLock { $0.sealFailure = $0.sealFailure ?? error }
        }
        return
      }
    }
  }

  /// What cannot wait, the next segment before all: the writer may be waiting for it.
  private static func urgentWork(_ state: inout State) -> Work? {
    if state.spare == nil && state.prepareFailure == nil && !state.isStopping {
      defer { state.nextNumber += 1 }
      return .prepare(number: state.nextNumber)
    }
    if let spare = state.spare, spare.capacity < state.roomNeeded {
      state.spare = nil
      return .grow(spare, size: state.roomNeeded)
    }
    if !state.retired.isEmpty {
      let (segment, nextSequence) = state.retired.removeFirst()
      return .seal(segment, nextSequence: nextSequence)
    }
    if state.isStopping {
      defer { state.spare = nil }
      return .stop(unused: state.spare)
    }
    return nil
  }
}

/// Faults pages in ahead of the writer, as far as its present rate needs and no further.
///
/// A page fault taken by the writer costs it half its speed and more at large frames. Populating
/// far ahead of a slow writer has its own price: the disk gets every page twice.
private struct PageReadAhead {
  /// How much of the future is kept populated.
  private static let horizonSeconds = 0.2
  private static let distanceMax = 64 << 20
  private static let stepSize = 4 << 20

  private var segment: SegmentWriter?
  private var populatedEnd = 0
  private var spareEnd = 0
  private var lastEnd = 0
  private var lastTime = CaptureClock.monotonicNanoseconds()
  private var bytesPerSecond = 0.0

  /// How long the keeper may sleep: short while much is written.
  var intervalNanoseconds: Int64 { bytesPerSecond > 1e6 ? 5_000_000 : 100_000_000 }

  mutating func advance(_ active: SegmentWriter, next: SegmentWriter?) {
    let isNew = active !== segment
    if isNew {
      segment = active
      populatedEnd = spareEnd
      spareEnd = 0
      lastEnd = 0
    }
    measure(active.committedEnd.load(ordering: .acquiring), isNew: isNew)

    let distance = min(Int(bytesPerSecond * Self.horizonSeconds), Self.distanceMax)
    let target = min(lastEnd + distance, active.capacity)
    populatedEnd = max(populatedEnd, lastEnd)
    while populatedEnd < target {
      let end = min(populatedEnd + Self.stepSize, target)
      // A kernel before 5.14 cannot: then the writer takes the faults itself.
      try? active.mapping.advise(populatedEnd..<end, .populateForWriting)
      populatedEnd = max(end, active.committedEnd.load(ordering: .acquiring))
    }
    // Near the end, the beginning of the next segment belongs to the same future.
    guard let next else { return }
    let spill = min(lastEnd + distance - active.capacity, next.capacity)
    while spareEnd < spill {
      let end = min(spareEnd + Self.stepSize, spill)
      try? next.mapping.advise(spareEnd..<end, .populateForWriting)
      spareEnd = end
    }
  }

  /// Follows the writer's rate: up at once, down by a tenth a step, so that a burst finds its pages.
  private mutating func measure(_ end: Int, isNew: Bool) {
    let now = CaptureClock.monotonicNanoseconds()
    let seconds = max(Double(now - lastTime) / 1e9, 1e-4)
    if !isNew {
      let present = Double(end - lastEnd) / seconds
      bytesPerSecond = max(present, bytesPerSecond * 0.9)
      if bytesPerSecond < 1 { bytesPerSecond = 0 }
    }
    lastEnd = end
    lastTime = now
  }
}
