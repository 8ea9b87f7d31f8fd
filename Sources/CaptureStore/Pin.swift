import Foundation

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
  /// Nanoseconds of the window that they have, before and behind the time of the request: less than
  /// was asked for where a ring is shorter, or the recording.
  public var before: Int64
  public var after: Int64
  /// Those before that time that were asked for.
  public var beforeAsked: Int64
  /// The beginning of the window had made room in the ring already.
  public var isLate: Bool
  /// The recording ended before the time that was asked for was over.
  public var isCut: Bool
  public var failure: StoreError?
}

/// A pin that is under way. For one thread at a time.
final class Pin: @unchecked Sendable {
  let request: PinRequest
  private let files: FileSystem
  private var manifest: Manifest?
  private var lock: CaptureLock?
  /// The numbers of the segments that it has.
  private(set) var linked: Set<UInt64> = []
  /// When the first of them began, on the monotonic clock.
  private var begun: Int64?
  private var lastEnd = Int64.min
  /// One segment follows another at once.
  private static let pauseMin: Int64 = 100_000_000
  private(set) var failure: StoreError?
  /// It has all that it will have.
  var isOver = false

  init(_ request: PinRequest, files: FileSystem) {
    self.request = request
    self.files = files
  }

  var isBegun: Bool { manifest != nil || failure != nil }

  /// Makes the capture, which has nothing yet. `isLate`: what it begins with is not the beginning
  /// of the window, for that is gone.
  func begin(with first: Manifest.Beginning, isLate: Bool, ofCapture path: String) {
    attempt { () throws(StoreError) in
      var manifest = try Manifest.load(capture: path, files: files)
      manifest.keep = nil
      manifest.begins = first
      manifest.window = request.window
      manifest.window?.late = isLate ? true : nil
      manifest.labels.merge(request.labels) { $1 }
      try CaptureWriter.makeCaptureDirectory(request.path, files)
      lock = try CaptureLock(request.path, files)
      try files.makeDirectory(CapturePath.segments(request.path))
      try manifest.save(capture: request.path, files: files)
      try files.synchronizeDirectory(request.path)
      try files.synchronizeDirectory(FileSystem.parent(of: request.path))
      self.manifest = manifest
    }
    copySchemas(ofCapture: path)
  }

  /// Its messages are worth more than what explains them: without it they are shown as bytes.
  private func copySchemas(ofCapture path: String) {
    guard failure == nil, let schemas = try? Capture(path: path, files: files).schemaFiles() else {
      return
    }
    try? Capture(path: request.path, files: files).add(schemas)
  }

  /// Gives a segment its second name, be it full or the one that is being written. The oldest comes
  /// first.
  func link(_ segment: SegmentRing.Entry) {
    guard !linked.contains(segment.number) else { return }
    attempt { () throws(StoreError) in
      try files.link(segment.path, to: CapturePath.segment(request.path, segment.number))
      linked.insert(segment.number)
      // Behind a time that nobody recorded it begins anew.
      if begun == nil || segment.begun - Self.pauseMin > lastEnd { begun = segment.begun }
      lastEnd = segment.ended
    }
  }

  /// What it has is not all that it says, or may not stay.
  func fail(_ error: StoreError) { failure = failure ?? error }

  /// Makes sure of what it has, and lets others have it. `recordedUntil`: on the monotonic clock.
  func end(recordedUntil: Int64) -> PinOutcome {
    attempt { () throws(StoreError) in
      guard var manifest else { return }
      try files.synchronizeDirectory(CapturePath.segments(request.path))
      manifest.window?.end(recordedUntil, isCut: recordedUntil < request.until)
      try manifest.save(capture: request.path, files: files)
      try files.synchronizeDirectory(request.path)
    }
    if let failure, var manifest {
      manifest.window?.failure = failure.description
      try? manifest.save(capture: request.path, files: files)
    }
    lock = nil
    let time = request.time
    return PinOutcome(
      path: request.path, segments: linked.count,
      before: begun.map { max(0, time - max($0, request.from)) } ?? 0,
      after: linked.isEmpty ? 0 : max(0, min(recordedUntil, request.until) - time),
      beforeAsked: request.before, isLate: manifest?.window?.late == true,
      isCut: recordedUntil < request.until, failure: failure)
  }

  /// Nothing is tried any more once something failed.
  private func attempt(_ body: () throws(StoreError) -> Void) {
    guard failure == nil else { return }
    do throws(StoreError) {
      try body()
    } catch {
      failure = error
    }
  }
}

extension Manifest.Window {
  /// `time`: on the monotonic clock.
  fileprivate mutating func end(_ time: Int64, isCut: Bool) {
    let now = ClockPair.now()
    ended = Manifest.text(
      unixNanoseconds: now.unixNanoseconds - (now.monotonicNanoseconds - time))
    cut = isCut
  }
}

extension Capture {
  /// Tries whether captures of windows can be made beside a ring. Throws what keeps them from it: a file
  /// system without second names, or a folder that may not be written to.
  public static func tryPins(ofRing path: String) throws(StoreError) {
    let files = FileSystem.system
    let name = "\(path).\(UUID().uuidString)"
    try files.link(CapturePath.manifest(path), to: name)
    try files.remove(name)
  }
}

extension PinRequest {
  /// By the time of day.
  fileprivate var window: Manifest.Window {
    let now = ClockPair.now()
    let time = now.unixNanoseconds - (now.monotonicNanoseconds - self.time)
    let all = FormatLimits.unixNanoseconds
    let (from, until) = (
      max(time - min(before, time), all.lowerBound),
      time + min(after, all.upperBound - time)
    )
    return Manifest.Window(
      from: Manifest.text(unixNanoseconds: from), until: Manifest.text(unixNanoseconds: until))
  }
}
