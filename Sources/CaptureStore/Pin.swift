/// A part of a recording that becomes a capture of its own: the segments of a window of time get a
/// second name there, and are not copied. So it costs no time, and only the disk that a ring would
/// have used again.
public struct PinRequest: Sendable {
  /// Of the new capture, where nothing is yet.
  public var path: String
  /// Of this moment, on the monotonic clock.
  public var time: Int64
  /// Nanoseconds of the window before it and behind it.
  public var before: Int64
  public var after: Int64
  /// Added to those of the recording.
  public var labels: [String: String]

  public init(
    path: String, time: Int64 = CaptureClock.monotonicNanoseconds(), before: Int64, after: Int64,
    labels: [String: String]
  ) {
    self.path = path
    self.time = time
    self.before = before
    self.after = after
    self.labels = labels
  }

  var from: Int64 {
    let (from, isOverflow) = time.subtractingReportingOverflow(before)
    return isOverflow ? .min : from
  }

  var until: Int64 {
    let (until, isOverflow) = time.addingReportingOverflow(after)
    return isOverflow ? .max : until
  }
}

/// How a pin ended.
public struct PinOutcome: Hashable, Sendable {
  public var path: String
  /// Segments that it has.
  public var segments: Int
  public var failure: StoreError?
}

/// A pin that is under way. For one thread at a time.
final class Pin: @unchecked Sendable {
  let request: PinRequest
  private let files: FileSystem
  private var lock: CaptureLock?
  /// The numbers of the segments that it has.
  private(set) var linked: Set<UInt64> = []
  private(set) var failure: StoreError?
  /// It has all that it will have.
  var isOver = false

  init(_ request: PinRequest, files: FileSystem) {
    self.request = request
    self.files = files
  }

  /// Gives a segment its second name; the first one makes the capture. The oldest comes first.
  func link(_ segment: SegmentRing.Entry, ofCapture path: String) {
    guard failure == nil, !linked.contains(segment.number) else { return }
    do throws(StoreError) {
      if lock == nil { try begin(with: segment, ofCapture: path) }
      try files.link(segment.path, to: CapturePath.segment(request.path, segment.number))
      linked.insert(segment.number)
    } catch {
      failure = error
    }
  }

  private func begin(
    with segment: SegmentRing.Entry, ofCapture path: String
  ) throws(StoreError) {
    var manifest = try Manifest.load(capture: path, files: files)
    manifest.keep = nil
    manifest.begins = Manifest.Beginning(
      segment: segment.number, sequence: segment.firstSequence)
    manifest.labels.merge(request.labels) { $1 }
    try CaptureWriter.makeCaptureDirectory(request.path, files)
    lock = try CaptureLock(request.path, files)
    try files.makeDirectory(CapturePath.segments(request.path))
    try manifest.save(capture: request.path, files: files)
  }

  /// Makes sure of what it has, and lets others have it.
  func end() -> PinOutcome {
    if lock != nil, failure == nil {
      do throws(StoreError) {
        try files.synchronizeDirectory(CapturePath.segments(request.path))
        try files.synchronizeDirectory(request.path)
        try files.synchronizeDirectory(FileSystem.parent(of: request.path))
      } catch {
        failure = error
      }
    }
    lock = nil
    return PinOutcome(path: request.path, segments: linked.count, failure: failure)
  }
}
