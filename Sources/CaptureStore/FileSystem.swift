internal import CLinux
import Glibc

/// Every file operation of the store, each one call of the system with its error as a value.
///
/// Nothing else in the store calls the system on a file. EINTR is retried here and nowhere else.
enum FileSystem {
  typealias File = CInt

  /// Runs a call until it is not interrupted; -1 becomes an error.
  @discardableResult
  static func attempt<Result: FixedWidthInteger>(
    _ operation: String, _ path: String, _ call: () -> Result
  ) throws(StoreError) -> Result {
    while true {
      let result = call()
      if result != -1 { return result }
      if errno == EINTR { continue }
      throw .system(operation: operation, path: path, code: errno)
    }
  }

  /// Source: `open(2)`.
  static func open(_ path: String, _ flags: CInt, mode: mode_t = 0) throws(StoreError) -> File {
    try attempt(flags & O_CREAT == 0 ? "open" : "create", path) {
      unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
    }
  }

  /// Source: `close(2)`, which is never retried.
  static func close(_ file: File) { _ = Glibc.close(file) }

  /// Makes a directory, 0700, and those above it. Source: `mkdir(2)`.
  static func makeDirectories(_ path: String) throws(StoreError) {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += made.isEmpty || made.hasSuffix("/") ? String(part) : "/\(part)"
      if try metadata(made)?.isDirectory == true { continue }
      try makeDirectory(made)
    }
  }

  static func makeDirectory(_ path: String) throws(StoreError) {
    try attempt("create directory", path) { unsafe mkdir(path, 0o700) }
  }

  struct Metadata {
    var size: Int
    var isDirectory: Bool
  }

  /// nil where nothing is. Source: `stat(2)`.
  static func metadata(_ path: String) throws(StoreError) -> Metadata? {
    var status = stat()
    do throws(StoreError) {
      try attempt("stat", path) { unsafe stat(path, &status) }
    } catch .system(_, _, ENOENT) {
      return nil
    } catch .system(_, _, ENOTDIR) {
      return nil
    }
    return Metadata(
      size: Int(status.st_size), isDirectory: status.st_mode & S_IFMT == S_IFDIR)
  }

  /// Source: `fstat(2)`.
  static func size(_ file: File, _ path: String) throws(StoreError) -> Int {
    var status = stat()
    try attempt("stat", path) { unsafe fstat(file, &status) }
    return Int(status.st_size)
  }

  /// The names in a directory, sorted, without `.` and `..`. Source: `readdir(3)`.
  static func names(in path: String) throws(StoreError) -> [String] {
    guard let directory = unsafe opendir(path) else {
      throw .system(operation: "read directory", path: path, code: errno)
    }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Reads a small file whole. Source: `read(2)`.
  static func read(_ path: String, limit: Int) throws(StoreError) -> [UInt8] {
    let file = try open(path, O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: limit)
    var count = 0
    while count < limit {
      var span = bytes.mutableSpan
      let received = unsafe try span.withUnsafeMutableBytes { buffer throws(StoreError) in
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
        return try attempt("read", path) { unsafe Glibc.read(file, rest.baseAddress, rest.count) }
      }
      if received == 0 { break }
      count += received
    }
    bytes.removeLast(limit - count)
    return bytes
  }

  /// Reads at an offset, as much as is there and has room. Source: `pread(2)`.
  static func read(
    _ file: File, _ path: String, at offset: Int, into bytes: inout [UInt8]
  ) throws(StoreError) -> Int {
    try attempt("read", path) { unsafe pread(file, &bytes, bytes.count, off_t(offset)) }
  }

  /// Replaces a file so that a reader sees the old or the new one, never a part, 0600.
  ///
  /// Source: `write(2)`, `fsync(2)`, `rename(2)`.
  static func replace(_ path: String, with contents: [UInt8]) throws(StoreError) {
    let temporary = path + ".new"
    let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    do throws(StoreError) {
      defer { close(file) }
      var written = 0
      while written < contents.count {
        written += unsafe try contents.span.withUnsafeBytes { buffer throws(StoreError) in
          let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
          return try attempt("write", path) {
            unsafe Glibc.write(file, rest.baseAddress, rest.count)
          }
        }
      }
      try synchronize(file, path)
      try attempt("rename", path) { unsafe rename(temporary, path) }
    } catch {
      unsafe unlink(temporary)
      throw error
    }
  }

  /// Source: `unlink(2)`.
  static func remove(_ path: String) throws(StoreError) {
    try attempt("remove", path) { unsafe unlink(path) }
  }

  /// Source: `rmdir(2)`.
  static func removeDirectory(_ path: String) throws(StoreError) {
    try attempt("remove directory", path) { unsafe rmdir(path) }
  }

  /// Puts a file's bytes and size on stable storage. Source: `fsync(2)`.
  static func synchronize(_ file: File, _ path: String) throws(StoreError) {
    try attempt("fsync", path) { fsync(file) }
  }

  /// Puts a directory's entries on stable storage. Source: `fsync(2)`.
  static func synchronizeDirectory(_ path: String) throws(StoreError) {
    let directory = try open(path, O_RDONLY | O_DIRECTORY)
    defer { close(directory) }
    try synchronize(directory, path)
  }

  /// Gives a file a size for which space is reserved, so that writing to its mapping cannot fail.
  ///
  /// Where the file system has no reservation, zeros are written instead: `posix_fallocate` would
  /// race with a writer, a sparse file would end in SIGBUS. Source: `fallocate(2)`.
  static func reserve(_ file: File, _ path: String, size: Int) throws(StoreError) {
    do throws(StoreError) {
      try attempt("reserve \(size) bytes", path) { fallocate(file, 0, 0, off_t(size)) }
    } catch .system(_, _, EOPNOTSUPP) {
      try writeZeros(file, path, from: try self.size(file, path), to: size)
    }
  }

  private static func writeZeros(
    _ file: File, _ path: String, from start: Int, to end: Int
  ) throws(StoreError) {
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    var offset = start
    while offset < end {
      offset += try attempt("reserve \(end) bytes", path) {
        unsafe pwrite(file, zeros, min(zeros.count, end - offset), off_t(offset))
      }
    }
  }

  /// Source: `ftruncate(2)`.
  static func truncate(_ file: File, _ path: String, size: Int) throws(StoreError) {
    try attempt("truncate", path) { ftruncate(file, off_t(size)) }
  }

  /// Takes the advisory lock of a writer on a directory; false when another process has it.
  /// Readers probe with `shared`. Source: `flock(2)`.
  static func lock(_ file: File, _ path: String, shared: Bool = false) throws(StoreError) -> Bool {
    do throws(StoreError) {
      try attempt("lock", path) { flock(file, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) }
      return true
    } catch .system(_, _, EWOULDBLOCK) {
      return false
    }
  }

  /// Maps a whole file, shared. Source: `mmap(2)`.
  static func map(
    _ file: File, _ path: String, size: Int, writable: Bool
  ) throws(StoreError) -> UnsafeMutableRawPointer {
    let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
    let address = unsafe mmap(nil, size, protection, MAP_SHARED, file, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      throw .system(operation: "map", path: path, code: errno)
    }
    return unsafe address
  }

  /// Source: `munmap(2)`.
  static func unmap(_ mapping: UnsafeMutableRawBufferPointer) {
    _ = unsafe munmap(mapping.baseAddress!, mapping.count)
  }

  /// What a caller expects of a mapped range.
  enum Advice {
    /// Fault the pages in for writing now; an error here would have been SIGBUS later.
    case populateForWriting
    /// Fault the pages in for reading now.
    case populateForReading
    /// Read the pages in the background.
    case willNeed
  }

  /// Source: `madvise(2)`.
  static func advise(
    _ range: UnsafeMutableRawBufferPointer, _ advice: Advice, _ path: String
  ) throws(StoreError) {
    let code =
      switch advice {
      case .populateForWriting: madv_populate_write
      case .populateForReading: madv_populate_read
      case .willNeed: MADV_WILLNEED
      }
    try attempt("read ahead", path) { unsafe madvise(range.baseAddress, range.count, code) }
  }

  /// Free bytes for an unprivileged user on the file system of a path. Source: `statvfs(3)`.
  static func freeBytes(_ path: String) throws(StoreError) -> Int {
    var status = statvfs()
    try attempt("statvfs", path) { unsafe statvfs(path, &status) }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }
}
