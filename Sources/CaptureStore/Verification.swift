import Synchronization
import Threads

/// What a check of every byte of a capture's segments found: `zcap verify`.
///
/// Segments are read in parallel, each by itself (`SegmentFindings`), and then judged in their
/// order, since a checkpoint in one says what must be there in those before it.
///
///     damaged   bytes between records that are none
///     torn      bytes behind the last record of a segment that was not ended
///     corrupt   of these, and of what is not there at all, what had been on stable storage
public struct Verification: Sendable {
  /// One thing that is not as it was written.
  public struct Problem: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
      /// A segment that cannot be read, or is not the one that its place says.
      case unreadable
      /// Bytes that hold no valid record, and did once: they had been on stable storage.
      case corrupt
      /// Bytes that hold no valid record and were never known to be on stable storage.
      case damaged
      /// The same behind the last record: what a crash or a power loss leaves.
      case torn
      /// Messages that were recorded and are not there any more.
      case lost
      /// A valid record that says what cannot be.
      case inconsistent
      /// A segment without its end.
      case unsealed
    }

    public var kind: Kind
    public var path: String
    public var segment: UInt64
    /// Bytes from the start of the segment.
    public var offset: Int
    /// Bytes that this is about; 0 where it is about messages.
    public var bytes: Int
    /// The messages that this is about, where that is known.
    public var sequences: Range<UInt64>?
    /// One line: what is wrong.
    public var what: String
  }

  /// Segments in use.
  public internal(set) var segments = 0
  public internal(set) var messages: UInt64 = 0
  /// Bytes that were checked: first pages, records, and what stands where records should.
  public internal(set) var bytes = 0
  public internal(set) var damagedBytes = 0
  public internal(set) var tornBytes = 0
  public internal(set) var corruptBytes = 0
  /// Messages that were recorded and are not there any more.
  public internal(set) var lost: UInt64 = 0
  /// In the order of the capture.
  public internal(set) var problems: [Problem] = []
  /// Problems that were counted in the totals and not listed: there are too many.
  public internal(set) var problemsOmitted = 0
  /// A recorder was writing: checked is what it had committed by then.
  public internal(set) var isBeingRecorded = false
  /// Every segment ends with its footer, and there is one.
  public internal(set) var isSealed = false

  /// Whether everything that was ever recorded is there, as it was written, and ended.
  public var isWhole: Bool { problems.isEmpty && problemsOmitted == 0 }

  /// How far a check has come, in bytes of segments.
  public struct Progress: Sendable {
    public var bytes: Int
    public var bytesInAll: Int
  }

  /// Checks a capture on so many threads; `progress` is called ten times a second meanwhile. With
  /// 0, on this one, and there is no progress.
  ///
  /// `known`: where its index stands, as for `Recovery.recover`. Throws `system` where the capture
  /// cannot be listed, and what says that it was written by a later version. Changes nothing on
  /// disk.
  public static func verify(
    _ capture: Capture, threads: Int, known: RecordPlace? = nil,
    progress: (Progress) -> Void = { _ in }
  ) throws(StoreError) -> Verification {
    let isBeingRecorded = try capture.isBeingRecorded
    let files = try capture.segmentFiles()
    let findings = check(
      files, of: capture, isBeingRecorded: isBeingRecorded, threads: threads, progress: progress)
    for finding in findings {
      if case .unreadable(let error) = finding.condition, error.isRefusal { throw error }
    }
    var judge = VerificationJudge(findings, of: capture, isBeingRecorded: isBeingRecorded)
    return judge.verdict(known: known)
  }

  /// Hands the segments out in their order; the results are in that order, too.
  private static func check(
    _ files: [Capture.SegmentFile], of capture: Capture, isBeingRecorded: Bool, threads: Int,
    progress: (Progress) -> Void
  ) -> [SegmentFindings] {
    struct Work {
      var next = 0
      var done = 0
      var findings: [SegmentFindings?]
    }
    if threads < 1 {
      return files.map {
        SegmentFindings(of: $0, in: capture, isBeingRecorded: isBeingRecorded) { _ in }
      }
    }
    let work = Guarded(Work(findings: Array(repeating: nil, count: files.count)))
    let bytes = Counter()
    let workers = (0..<min(threads, files.count)).map { number in
      WorkerThread(name: "zcap verify \(number)") {
        while true {
          let index = work.withLock { work in
            defer { work.next += 1 }
            return work.next
          }
          guard index < files.count else { return }
          let findings = SegmentFindings(
            of: files[index], in: capture, isBeingRecorded: isBeingRecorded
          ) { bytes.add($0) }
          work.withLock { work in
            work.findings[index] = findings
            work.done += 1
          }
        }
      }
    }
    let bytesInAll = files.reduce(0) { $0 + $1.size }
    let isDone: (inout Work) -> Void? = { $0.done == files.count ? () : nil }
    while work.wait(nanoseconds: 100_000_000, until: isDone) == nil {
      progress(Progress(bytes: bytes.value, bytesInAll: bytesInAll))
    }
    for worker in workers { worker.join() }
    return work.withLock { $0.findings.compactMap { $0 } }
  }

  private final class Counter: Sendable {
    private let total = Atomic<Int>(0)
    func add(_ count: Int) { total.wrappingAdd(count, ordering: .relaxed) }
    var value: Int { total.load(ordering: .relaxed) }
  }
}
