import Glibc

/// A capture opened for reading: its manifest and its segments. Changes nothing on disk.
public struct Capture: Sendable {
  public let path: String
  public let manifest: Manifest
  package let files: FileSystem

  /// Throws `noSuchCapture`, `notACapture`, `damagedManifest`, `newerFormat`.
  public init(path: String) throws(StoreError) { try self.init(path: path, files: .system) }

  package init(path: String, files: FileSystem) throws(StoreError) {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    self.path = path
    self.files = files
    manifest = try Manifest.load(capture: path, files: files)
  }

  /// Whether there is something at a path, a capture or not.
  public static func exists(at path: String) -> Bool {
    (try? FileSystem.system.metadata(path)) ?? nil != nil
  }

  /// Whether a folder is a capture, or what is left of one whose manifest is gone. One that may not be
  /// looked into counts as one: opening it tells.
  public static func isFound(at path: String) -> Bool {
    let files = FileSystem.system
    do throws(StoreError) {
      if try files.metadata(CapturePath.manifest(path)) != nil { return true }
    } catch {
      if case .system(_, _, EACCES) = error { return true }
    }
    let names = (try? files.names(in: CapturePath.segments(path))) ?? []
    return names.contains { CapturePath.segmentNumber($0) != nil }
  }

  /// Whether its oldest segments make room for new ones.
  public var isRing: Bool { manifest.keep != nil }

  /// Where its first segment should be; what is before it is not missing. nil for a ring, which
  /// begins with whatever segment is there.
  var beginning: Manifest.Beginning? {
    isRing ? nil : manifest.begins ?? Manifest.Beginning(segment: 0, sequence: 0)
  }

  /// The number of the first segment that is there; what is before it made room. nil: there is none.
  package var firstNumber: UInt64? {
    get throws(StoreError) { try segmentFiles().first?.number }
  }

  /// Whether it is a ring of which a segment has made room, with all before it: none of them is in
  /// use.
  package func hasRetired(_ number: UInt64) throws(StoreError) -> Bool {
    guard isRing else { return false }
    for file in try segmentFiles() {
      if file.number > number { break }
      do throws(StoreError) {
        if try openSegment(file.path) != nil { return false }
      } catch {
        if !error.isVanished { return false }
      }
    }
    return true
  }

  /// The last part of the path: how `zcap ls` calls it.
  public var name: String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// Whether a recorder is writing to it now.
  public var isBeingRecorded: Bool {
    get throws(StoreError) { try CaptureLock.isHeld(path, files) }
  }

  /// Keeps recorders and recoveries away from the capture while something is done, such as making
  /// its index; to readers it is one that nobody records. Throws `captureInUse`.
  package func withoutWriters<Result>(_ body: () throws -> Result) throws -> Result {
    let lock = try CaptureLock(path, files)
    defer { withExtendedLifetime(lock) {} }
    try lock.letReadersIn()
    return try body()
  }

  /// A segment's place, before it is opened.
  public struct SegmentFile: Hashable, Sendable {
    public var number: UInt64
    public var path: String
    /// Bytes of the file: reserved ones too while it is being written.
    public var size: Int
  }

  /// Maps a segment by its path; nil when it is reserved and not in use.
  package func openSegment(_ path: String) throws(StoreError) -> Segment? {
    // The files of a pin may be those of a ring, too.
    try Segment(path: path, ofRing: isRing || manifest.begins != nil, files: files)
  }

  /// Maps a segment by its number; throws where another one is in its place.
  package func openSegment(number: UInt64) throws(StoreError) -> Segment? {
    guard let segment = try openSegment(CapturePath.segment(path, number)) else { return nil }
    try check(segment, number: number)
    return segment
  }

  /// Throws when a segment is not the one that its place says.
  func check(_ segment: Segment, number: UInt64) throws(StoreError) {
    guard segment.header.captureID == manifest.captureID else {
      throw .damagedSegment(path: segment.path, reason: "it belongs to another capture")
    }
    guard segment.header.number == number else {
      throw .damagedSegment(
        path: segment.path, reason: "it is segment \(segment.header.number) under another name")
    }
  }

  /// One segment; nil where there is none of that number.
  func segmentFile(_ number: UInt64) throws(StoreError) -> SegmentFile? {
    let path = CapturePath.segment(self.path, number)
    return try files.metadata(path).map {
      SegmentFile(number: number, path: path, size: $0.size)
    }
  }

  /// The segments by number, from one on, those included that are reserved and not in use yet.
  public func segmentFiles(from first: UInt64 = 0) throws(StoreError) -> [SegmentFile] {
    let directory = CapturePath.segments(path)
    guard try files.metadata(directory)?.isDirectory == true else { return [] }
    var found: [SegmentFile] = []
    for name in try files.names(in: directory) {
      guard let number = CapturePath.segmentNumber(name), number >= first else { continue }
      let file = "\(directory)/\(name)"
      guard let metadata = try files.metadata(file) else { continue }
      found.append(SegmentFile(number: number, path: file, size: metadata.size))
    }
    return found.sorted { $0.number < $1.number }
  }
}

extension Capture {
  /// Free bytes on the file system of a path. Source: `statvfs(3)`.
  public static func freeBytes(at path: String) throws(StoreError) -> Int {
    try FileSystem.system.space(path).free
  }

  /// Changes rules and labels in the manifest, those that are given; the recorded frames stay as they are.
  public func replace(
    topicRule: String? = nil, sequences: [String]? = nil, codecs: [String]? = nil,
    labels: [String: String]? = nil
  ) throws(StoreError) {
    var manifest = manifest
    if let topicRule { manifest.topicRule = topicRule }
    if let sequences { manifest.sequences = sequences.isEmpty ? nil : sequences }
    if let codecs { manifest.codecs = codecs.isEmpty ? nil : codecs }
    if let labels { manifest.labels = labels }
    try manifest.save(capture: path, files: files)
  }

  /// See `SegmentEndings.mayHaveLostPower`.
  package var mayHaveLostPower: Bool {
    get throws(StoreError) { try segmentEndings().mayHaveLostPower }
  }

  /// Throws `newerFormat` or `unknownFeatures` when a segment is of a version we cannot read.
  public func checkVersions() throws(StoreError) {
    for file in try segmentFiles() {
      do throws(StoreError) {
        _ = try openSegment(file.path)
      } catch  where error.isRefusal {
        throw error
      } catch {
        continue
      }
    }
  }
}
