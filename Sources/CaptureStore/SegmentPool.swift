/// The segments of a capture that are mapped, each once, for as long as the pool lives.
///
/// A replay sends frames in place, so its segments must stay mapped until ZeroMQ is done with them.
public final class SegmentPool {
  private let capture: Capture
  private var segments: [UInt64: Segment] = [:]

  public init(_ capture: Capture) { self.capture = capture }

  /// Maps a segment on first use; nil when it is reserved and not in use.
  public func segment(_ number: UInt64) throws(StoreError) -> Segment? {
    if let segment = segments[number] { return segment }
    let segment = try capture.openSegment(number: number)
    segments[number] = segment
    return segment
  }
}
