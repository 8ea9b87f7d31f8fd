internal import CLinux
import Glibc

/// Every file operation of the store, each one call of the system with its error as a value.
///
/// Nothing else in the store calls the system on a file. EINTR is retried here and nowhere else.
package struct FileSystem: Sendable {
  package typealias File = CInt

  /// The one of this machine.
  package static let system = FileSystem(LinuxCalls())

  private let calls: any SystemCalls

  package init(_ calls: any SystemCalls) { self.calls = calls }

  /// Runs a call until it is not interrupted; -1 becomes an error.
  @discardableResult
  private func attempt<Result: FixedWidthInteger>(
    _ operation: String, _ path: String, _ call: () -> Result
  ) throws(StoreError) -> Result {
    while true {
      let result = call()
      if result != -1 { return result }
      if errno == EINTR { continue }
      throw .system(operation: operation, path: path, code: errno)
    }
  }
}

// MARK: - Files

extension FileSystem {
  /// Source: `open(2)`.
  func open(_ path: String, _ flags: CInt, mode: UInt32 = 0) throws(StoreError) -> File {
    try attempt(flags & O_CREAT == 0 ? "open" : "create", path) {
      calls.open(path, flags | O_CLOEXEC, mode)
    }
  }

  /// Source: `close(2)`, which is never retried.
  func close(_ file: File) { _ = calls.close(file) }

  struct Metadata {
    var size: Int
    var isDirectory: Bool
    /// A plain one: no pipe, no device.
    var isFile: Bool
    /// Which file it is, whatever its names.
    var inode: UInt64
    /// How many names it has.
    var links: Int

    fileprivate init(_ status: stat) {
      size = Int(status.st_size)
      isDirectory = status.st_mode & S_IFMT == S_IFDIR
      isFile = status.st_mode & S_IFMT == S_IFREG
      inode = UInt64(status.st_ino)
      links = Int(status.st_nlink)
    }
  }

  /// nil where nothing is. Source: `stat(2)`.
  func metadata(_ path: String) throws(StoreError) -> Metadata? {
    var status = stat()
    do throws(StoreError) {
      try attempt("stat", path) { calls.stat(path, &status) }
    } catch .system(_, _, ENOENT) {
      return nil
    } catch .system(_, _, ENOTDIR) {
      return nil
    }
    return Metadata(status)
  }

  /// Source: `fstat(2)`.
  func metadata(_ file: File, _ path: String) throws(StoreError) -> Metadata {
    var status = stat()
    try attempt("stat", path) { calls.fstat(file, &status) }
    return Metadata(status)
  }

  /// Source: `fstat(2)`.
  func size(_ file: File, _ path: String) throws(StoreError) -> Int {
    try metadata(file, path).size
  }

  /// Reads a small file whole. Source: `pread(2)`.
  func read(_ path: String, limit: Int) throws(StoreError) -> [UInt8] {
    let file = try open(path, O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = try read(file, path, at: 0, into: &bytes)
    bytes.removeLast(limit - count)
    return bytes
  }

  /// Reads at an offset, as much as is there and has room. Source: `pread(2)`.
  func read(
    _ file: File, _ path: String, at offset: Int, into bytes: inout [UInt8]
  ) throws(StoreError) -> Int {
    var count = 0
    while count < bytes.count {
      var span = bytes.mutableSpan
      let received = unsafe try span.withUnsafeMutableBytes { buffer throws(StoreError) in
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
        return try attempt("read", path) { unsafe calls.pread(file, rest, offset + count) }
      }
      if received == 0 { break }
      count += received
    }
    return count
  }

  /// Where what was ever written of a file begins, from `offset` on; nil where nothing was. A file is
  /// reserved far ahead, and what was not written is zero. Source: `lseek(2)`, SEEK_DATA.
  func dataStart(_ file: File, from offset: Int) -> Int? {
    let start = calls.seekData(file, offset)
    if start >= offset { return start }
    return errno == ENXIO ? nil : offset
  }

  /// Where what is not zero ends in a file, not before `start`. Source: `pread(2)`.
  func contentEnd(_ path: String, from start: Int) throws(StoreError) -> Int {
    let file = try open(path, O_RDONLY)
    defer { close(file) }
    var end = start
    var offset = start
    let rest = try size(file, path) - start
    var chunk = [UInt8](repeating: 0, count: max(1, min(rest, 1 << 20)))
    while true {
      guard let data = dataStart(file, from: offset) else { return end }
      offset = data
      let count = try read(file, path, at: offset, into: &chunk)
      if count == 0 { return end }
      let content = unsafe chunk.withUnsafeBytes { bytes in
        unsafe isZero(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
          ? nil : bytes[..<count].lastIndex { $0 != 0 }
      }
      if let content { end = offset + content + 1 }
      offset += count
    }
  }

  /// Whether two files hold the same bytes. Source: `pread(2)`.
  func isSame(_ path: String, _ other: String) throws(StoreError) -> Bool {
    let file = try open(path, O_RDONLY)
    defer { close(file) }
    let otherFile = try open(other, O_RDONLY)
    defer { close(otherFile) }
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    var otherChunk = chunk
    var offset = 0
    while true {
      let count = try read(file, path, at: offset, into: &chunk)
      let otherCount = try read(otherFile, other, at: offset, into: &otherChunk)
      guard count == otherCount, chunk[..<count] == otherChunk[..<count] else { return false }
      if count < chunk.count { return true }
      offset += count
    }
  }

  /// Writes all of the bytes at an offset. Source: `pwrite(2)`.
  func write(
    _ bytes: [UInt8], to file: File, _ path: String, at offset: Int, operation: String = "write"
  ) throws(StoreError) {
    var written = 0
    while written < bytes.count {
      written += unsafe try bytes.span.withUnsafeBytes { buffer throws(StoreError) in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
        return try attempt(operation, path) { unsafe calls.pwrite(file, rest, offset + written) }
      }
    }
  }

  /// Replaces a file so that a reader sees the old or the new one, never a part, 0600.
  ///
  /// Source: `pwrite(2)`, `fsync(2)`, `rename(2)`.
  func replace(_ path: String, with contents: [UInt8]) throws(StoreError) {
    let temporary = path + ".new"
    let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    do throws(StoreError) {
      defer { close(file) }
      try write(contents, to: file, temporary, at: 0)
      try synchronize(file, temporary)
      try rename(temporary, to: path)
    } catch {
      _ = calls.unlink(temporary)
      throw error
    }
  }

  /// Gives a file another name, in place of what has it. Source: `rename(2)`.
  func rename(_ path: String, to newPath: String) throws(StoreError) {
    try attempt("rename", path) { calls.rename(path, newPath) }
  }

  /// Gives a file one name more; nothing may have that name. Source: `link(2)`.
  func link(_ path: String, to newPath: String) throws(StoreError) {
    try attempt("link", path) { calls.link(path, newPath) }
  }

  /// Source: `unlink(2)`.
  func remove(_ path: String) throws(StoreError) {
    try attempt("remove", path) { calls.unlink(path) }
  }

  /// Gives a file a size for which space is reserved, so that writing to its mapping cannot fail.
  ///
  /// Where the file system has no reservation, zeros are written instead: `posix_fallocate` would
  /// race with a writer, a sparse file would end in SIGBUS. Source: `fallocate(2)`.
  func reserve(_ file: File, _ path: String, size: Int) throws(StoreError) {
    let operation = "reserve \(size) bytes"
    do throws(StoreError) {
      try attempt(operation, path) { calls.fallocate(file, size) }
    } catch .system(_, _, EOPNOTSUPP) {
      let zeros = [UInt8](repeating: 0, count: 1 << 20)
      var offset = try self.size(file, path)
      while offset < size {
        let piece = zeros.count <= size - offset ? zeros : Array(zeros[..<(size - offset)])
        try write(piece, to: file, path, at: offset, operation: operation)
        offset += piece.count
      }
    }
  }

  /// Source: `ftruncate(2)`.
  func truncate(_ file: File, _ path: String, size: Int) throws(StoreError) {
    try attempt("truncate", path) { calls.ftruncate(file, size) }
  }

  /// Puts a file's bytes and size on stable storage. Source: `fsync(2)`.
  func synchronize(_ file: File, _ path: String) throws(StoreError) {
    try attempt("fsync", path) { calls.fsync(file) }
  }

  /// Takes the advisory lock of a writer on a directory; false when another process has it.
  /// Readers probe with `shared`. Source: `flock(2)`.
  func lock(_ file: File, _ path: String, shared: Bool = false) throws(StoreError) -> Bool {
    do throws(StoreError) {
      try attempt("lock", path) { calls.flock(file, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) }
      return true
    } catch .system(_, _, EWOULDBLOCK) {
      return false
    }
  }

  /// Gives an advisory lock back. Source: `flock(2)`.
  func unlock(_ file: File, _ path: String) throws(StoreError) {
    try attempt("unlock", path) { calls.flock(file, LOCK_UN) }
  }
}

// MARK: - Directories

extension FileSystem {
  /// Makes a directory, 0700, and those above it, on stable storage. Source: `mkdir(2)`.
  func makeDirectories(_ path: String) throws(StoreError) {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      let parent = made.isEmpty ? "." : made
      made += made.isEmpty || made.hasSuffix("/") ? String(part) : "/\(part)"
      if try metadata(made)?.isDirectory == true { continue }
      try makeDirectory(made)
      try synchronizeDirectory(parent)
    }
  }

  /// The directory that a path is in: `.` for a bare name.
  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  func makeDirectory(_ path: String) throws(StoreError) {
    try attempt("create directory", path) { calls.mkdir(path, 0o700) }
  }

  /// The names in a directory, sorted, without `.` and `..`. Source: `readdir(3)`.
  func names(in path: String) throws(StoreError) -> [String] {
    var names: [String] = []
    try attempt("read directory", path) {
      guard let found = calls.names(path) else { return -1 }
      names = found
      return found.count
    }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }

  /// Source: `rmdir(2)`.
  func removeDirectory(_ path: String) throws(StoreError) {
    try attempt("remove directory", path) { calls.rmdir(path) }
  }

  /// Puts a directory's entries on stable storage. Source: `fsync(2)`.
  func synchronizeDirectory(_ path: String) throws(StoreError) {
    let directory = try open(path, O_RDONLY | O_DIRECTORY)
    defer { close(directory) }
    try synchronize(directory, path)
  }
}

// MARK: - Mappings

extension FileSystem {
  /// Maps a whole file, shared. Source: `mmap(2)`.
  func map(
    _ file: File, _ path: String, size: Int, writable: Bool
  ) throws(StoreError) -> UnsafeMutableRawPointer {
    let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
    guard let address = unsafe calls.mmap(file, size, protection) else {
      throw .system(operation: "map", path: path, code: errno)
    }
    return unsafe address
  }

  /// Source: `munmap(2)`.
  func unmap(_ mapping: UnsafeMutableRawBufferPointer) { _ = unsafe calls.munmap(mapping) }

  /// What a caller expects of a mapped range.
  enum Advice {
    /// Fault the pages in for writing now; an error here would have been SIGBUS later.
    case populateForWriting
    /// Fault the pages in for reading now.
    case populateForReading
    /// Read the pages in the background.
    case willNeed
    /// Fault in each page by itself; for a whole mapping.
    case onePageAtATime
    /// Fault in 2 MiB at once, aligned, where the file system can: the system takes them for one
    /// page, also when it writes them. For a whole mapping.
    case manyPagesAtOnce
    /// The pages are not used through this mapping for now; what is in them stays in the file.
    case unused
  }

  /// Source: `madvise(2)`.
  func advise(
    _ range: UnsafeMutableRawBufferPointer, _ advice: Advice, _ path: String
  ) throws(StoreError) {
    let codes =
      switch advice {
      case .populateForWriting: [madv_populate_write]
      case .populateForReading: [madv_populate_read]
      case .willNeed: [MADV_WILLNEED]
      case .onePageAtATime: [MADV_RANDOM, MADV_NOHUGEPAGE]
      case .manyPagesAtOnce: [MADV_NORMAL, MADV_HUGEPAGE]
      case .unused: [MADV_DONTNEED]
      }
    for code in codes { try attempt("madvise", path) { unsafe calls.madvise(range, code) } }
  }

  /// Puts the pages of a mapped range on stable storage. Source: `msync(2)`.
  func synchronize(
    _ range: UnsafeMutableRawBufferPointer, _ path: String
  ) throws(StoreError) {
    try attempt("msync", path) { unsafe calls.msync(range) }
  }

  /// Whether a page of a mapped file is in memory. Source: `mincore(2)`.
  func isInMemory(
    _ page: UnsafeMutableRawBufferPointer, _ path: String
  ) throws(StoreError) -> Bool {
    var state: UInt8 = 0
    try attempt("mincore", path) { unsafe calls.mincore(page, &state) }
    return state & 1 != 0
  }
}

// MARK: - Space

extension FileSystem {
  /// What a file system has: all of it, and what an unprivileged user may still take. Bytes.
  struct Space {
    var total: Int
    var free: Int
  }

  /// Source: `statvfs(3)`.
  func space(_ path: String) throws(StoreError) -> Space {
    var status = statvfs()
    try attempt("statvfs", path) { calls.statvfs(path, &status) }
    return Space(
      total: Int(status.f_blocks) * Int(status.f_frsize),
      free: Int(status.f_bavail) * Int(status.f_frsize))
  }

  /// Whether space that was reserved stays there for whoever writes to it: not on file systems
  /// that write each change to another place, or ask a server. Source: `statfs(2)`.
  func keepsReservations(_ path: String) throws(StoreError) -> Bool {
    let type = try attempt("statfs", path) { calls.fileSystemType(path) }
    // btrfs, ZFS, bcachefs; NFS, CIFS, SMB2, FUSE.
    let weak: [UInt32] = [
      0x9123_683E, 0x2FC1_2FC1, 0xCA45_1A4E, 0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546,
    ]
    return !weak.contains(UInt32(truncatingIfNeeded: type))
  }
}

/// Whether all bytes are 0: the first one is, and each is the one before it. Source: `memcmp(3)`.
func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
  unsafe bytes.isEmpty
    || bytes[0] == 0 && memcmp(bytes.baseAddress!, bytes.baseAddress! + 1, bytes.count - 1) == 0
}
