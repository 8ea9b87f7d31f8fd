import CaptureStore

/// What a capture is known to lack: the reason for exit code 3.
public struct Completeness: Hashable, Sendable {
  /// Messages: see `IndexReader.Overview`.
  public var lost: Int64 = 0
  public var damagedBytes: Int64 = 0
  /// Expected where a recorder ended without warning, so no loss by itself.
  public var tornBytes: Int64 = 0
  /// Segments that are not sealed and shorter than their recorder left them.
  public var segmentsCut = 0

  public init() {}

  /// Whether nothing is known to be missing.
  public var isComplete: Bool { lost == 0 && damagedBytes == 0 && segmentsCut == 0 }
}

extension IndexReader {
  /// What is known of a capture, or of the part of it that a selection spans in time: damage has
  /// no time, and counts where all of it is selected.
  public func completeness(of selection: Selection = Selection()) throws -> Completeness {
    let overview = try overview()
    var known = Completeness()
    if selection.from != nil || selection.until != nil {
      known.lost = try messagesLost(in: selection)
      return known
    }
    known.lost = overview.lost
    known.damagedBytes = overview.damagedBytes
    known.tornBytes = overview.tornBytes
    known.segmentsCut = endings?.cut ?? 0
    return known
  }
}
