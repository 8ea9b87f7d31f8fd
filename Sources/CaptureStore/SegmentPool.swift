import Threads

/// The segments of a capture that are mapped, each once, for as long as the pool lives.
///
/// A replay sends frames in place, so its segments must stay mapped until ZeroMQ is done with them.
public final class SegmentPool {
  private let capture: Capture
  /// By their numbers. A thread that looks for cuts may be another than the one that reads.
  private let segments = Guarded<[UInt64: Segment]>([:])

  /// Those whose files were cut since they were mapped: what was read of them then may not have been what
  /// is sent now. One whose recorder ends it is cut, too, and then ends with its footer.
  public func cut() throws(StoreError) -> [String] {
    let mapped = segments.withLock { Array($0.values) }
    var paths: [String] = []
    for segment in mapped where try segment.isCut { paths.append(segment.path) }
    return paths.sorted()
  }

  public init(_ capture: Capture) { self.capture = capture }

  /// Maps a segment on first use; nil when it is reserved and not in use.
  public func segment(_ number: UInt64) throws(StoreError) -> Segment? {
    if let segment = segments.withLock({ $0[number] }) { return segment }
    let segment = try capture.openSegment(number: number)
    segments.withLock { $0[number] = segment }
    return segment
  }
}
