import Glibc
import PayloadCodecs

/// `zcap cat --save-frames`: frames as files of a directory, named by the sequences of their messages
/// and their places there: `000000000017.2.npy`.
struct FrameFiles {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private let directory: String
  /// Arrays of image shape become pictures.
  private let colours: ColourOrder?
  private(set) var count = 0
  /// Those among them that are pictures made of arrays.
  private(set) var pictures = 0
  private(set) var bytes = 0

  /// Makes the directory where it is not there.
  init(directory: String, colours: ColourOrder?) throws(Failure) {
    self.directory = directory
    self.colours = colours
    if mkdir(directory, 0o777) != 0 && errno != EEXIST { throw Self.failure(directory) }
    var status = stat()
    guard stat(directory, &status) == 0 else { throw Self.failure(directory) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw Failure(description: "\(directory): is no directory; say another name")
    }
  }

  /// Returns the path. What is there already stays, and is a failure.
  mutating func write(
    _ frame: RawSpan, as tag: CodecTag, sequence: UInt64, number: Int
  ) throws(Failure) -> String {
    let digits = String(sequence)
    let name = String(repeating: "0", count: max(0, 12 - digits.count)) + digits + ".\(number)"
    let path = "\(directory)/\(name)"
    if let colours, let picture = PNGFile(tag, of: frame, order: colours)?.content(frame) {
      defer { pictures += 1 }
      return try write([], picture.span.bytes, to: path + ".png")
    }
    let file = FrameFile(tag, payloadBytes: frame.byteCount)
    return try write(file.header, frame, to: path + "." + file.nameExtension)
  }

  /// A file has its name when it is whole: until then it is hidden, and ends with `.part`.
  ///
  /// Source: `open(2)`, `write(2)`, `link(2)`.
  private mutating func write(
    _ header: [UInt8], _ content: RawSpan, to path: String
  ) throws(Failure) -> String {
    if access(path, F_OK) == 0 { throw Self.isThere(path) }
    let part = "\(directory)/.\(path.dropFirst(directory.utf8.count + 1)).part"
    let file = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw Self.failure(path) }
    var isWhole =
      header.withUnsafeBytes { Self.write($0, to: file) }
      && content.withUnsafeBytes { Self.write($0, to: file) }
    let reason = errno
    if close(file) != 0, isWhole { isWhole = false } else if !isWhole { errno = reason }
    if isWhole { isWhole = Self.rename(part, to: path) }
    guard isWhole else {
      let failure = errno == EEXIST ? Self.isThere(path) : Self.failure(path)
      unlink(part)
      throw failure
    }
    count += 1
    bytes += header.count + content.byteCount
    return path
  }

  /// Takes nobody's place, but on a file system without links, where that cannot be had.
  private static func rename(_ part: String, to path: String) -> Bool {
    if link(part, path) == 0 {
      unlink(part)
      return true
    }
    return errno != EEXIST && Glibc.rename(part, path) == 0
  }

  private static func isThere(_ path: String) -> Failure {
    Failure(description: "\(path) is there already; say another directory")
  }

  private static func write(_ bytes: UnsafeRawBufferPointer, to file: CInt) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = Glibc.write(
        file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if written > 0 {
        rest = rest.dropFirst(written)
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }

  private static func failure(_ path: String) -> Failure {
    Failure(description: "\(path): \(String(cString: strerror(errno)))")
  }
}
