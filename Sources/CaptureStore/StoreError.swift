import Glibc

/// What can go wrong with a capture on disk. Each description is one line: what, where, what to do.
public enum StoreError: Error, Hashable, Sendable {
  /// An operation of the system failed.
  case system(operation: String, path: String, code: CInt)
  /// There is nothing at the path.
  case noSuchCapture(path: String)
  /// The path has no `capture.json`.
  case notACapture(path: String)
  /// A capture (or something else) is there already.
  case captureExists(path: String)
  /// Another process is writing to the capture.
  case captureInUse(path: String)
  /// Not a ring: none of its segments makes room.
  case keepsEverything(path: String)
  /// `capture.json` cannot be understood.
  case damagedManifest(path: String, reason: String)
  /// The capture or a segment was written by a later zcap.
  case newerFormat(path: String, version: Int)
  /// A segment uses features that this version does not know and must not ignore.
  case unknownFeatures(path: String, bits: UInt64)
  /// The first page of a segment is not what a segment starts with, or its check does not match.
  case damagedSegment(path: String, reason: String)
  /// The index knows of messages behind the end of the segments; a new one would not.
  case lossToRecover(path: String, messages: UInt64)
  /// A capture has room for 65,536 endpoints.
  case tooManyEndpoints(path: String, count: Int)
  /// The numbers of its segments or messages are so high that none may be left for others.
  case noNumbersLeft(path: String)
  /// Another segment would leave less free space than is to be left. Bytes.
  case freeSpace(path: String, free: Int, needed: Int, least: Int)
  /// One message needs a record of more than 4 GiB.
  case messageTooLarge(bytes: Int, frames: Int)
  /// A segment got as many messages as relative sequences can count, or a size out of range.
  case segmentSize(bytes: Int, allowed: ClosedRange<Int>)
}

extension StoreError {
  /// Whether it says that this zcap must not go on, other than that something is damaged.
  public var isRefusal: Bool {
    switch self {
    case .newerFormat, .unknownFeatures: true
    default: false
    }
  }
}

extension StoreError {
  /// Whether it says that a file is not there: in a ring, one that made room.
  package var isVanished: Bool {
    if case .system(_, _, ENOENT) = self { true } else { false }
  }
}

extension StoreError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .system(let operation, let path, let code):
      "\(path): \(operation): \(Self.text(of: code))"
    case .noSuchCapture(let path):
      "\(path): no such capture; 'zcap ls' lists those of the store"
    case .notACapture(let path):
      "\(path): not a capture (it has no capture.json; if it was one, bring that file back from a copy)"
    case .captureExists(let path):
      "\(path): exists already; --append goes on with it, -o says another name"
    case .captureInUse(let path):
      "\(path): another zcap is recording, recovering or indexing it; wait for its end, or use "
        + "another capture"
    case .keepsEverything(let path):
      "\(path): keeps everything that was recorded, it is no ring (--keep); use another capture"
    case .damagedManifest(let path, let reason):
      "\(path): cannot be read as a manifest: \(reason); bring it back from a copy, "
        + "the segments are still there"
    case .newerFormat(let path, let version):
      "\(path): written in format version \(version), this zcap reads up to "
        + "\(Manifest.formatVersion); use a newer zcap"
    case .unknownFeatures(let path, let bits):
      "\(path): uses features that this zcap does not know (bits 0x\(String(bits, radix: 16))); "
        + "use a newer zcap"
    case .damagedSegment(let path, let reason):
      "\(path): damaged segment: \(reason)"
    case .lossToRecover(let path, let messages):
      "\(path): its index knows of \(messages) messages that its segments do not have; run "
        + "'zcap recover' first, which writes that down"
    case .tooManyEndpoints(let path, let count):
      "\(path): \(count) endpoints are more than a capture can have (65536); use another capture"
    case .noNumbersLeft(let path):
      "\(path): its segments or messages are numbered too high to go on; use another capture"
    case .freeSpace(let path, let free, let needed, let least):
      "\(path): \(Self.size(free)) are free, \(Self.size(needed)) more would leave less than "
        + "\(Self.size(least)); "
        + "make room, or allow less with --min-free"
    case .messageTooLarge(let bytes, let frames):
      "a message of \(bytes) bytes in \(frames) frames does not fit into a record (4 GiB)"
    case .segmentSize(let bytes, let allowed):
      "a segment size of \(bytes) bytes is out of range "
        + "(\(allowed.lowerBound) to \(allowed.upperBound))"
    }
  }

  /// `12.3 GB`, `456 MB`.
  private static func size(_ bytes: Int) -> String {
    let tenths = bytes / 100_000_000
    return tenths >= 10 ? "\(tenths / 10).\(tenths % 10) GB" : "\(bytes / 1_000_000) MB"
  }

  /// Source: `strerror(3)`.
  private static func text(of code: CInt) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }
}
