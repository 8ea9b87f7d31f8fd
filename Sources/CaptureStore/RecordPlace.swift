/// Where a record starts, and the sequence that the walk expects there.
public struct RecordPlace: Hashable, Sendable {
  /// The number of the segment.
  public var segment: UInt64
  /// Bytes from the start of the segment.
  public var offset: Int
  public var sequence: UInt64

  public init(segment: UInt64, offset: Int, sequence: UInt64) {
    self.segment = segment
    self.offset = offset
    self.sequence = sequence
  }
}
