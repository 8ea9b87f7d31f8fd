import CLinux
package import Glibc

/// The calls of the system that the store makes on files: the one seam under `FileSystem`.
///
/// A method has the meaning of the function it is named after: -1 (nil) and `errno` when it fails.
/// Tests put a disk of their own behind it, which fails on purpose and loses its power.
package protocol SystemCalls: Sendable {
  func open(_ path: String, _ flags: CInt, _ mode: UInt32) -> CInt
  func close(_ file: CInt) -> CInt
  func stat(_ path: String, _ status: inout stat) -> CInt
  func fstat(_ file: CInt, _ status: inout stat) -> CInt
  func pread(_ file: CInt, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int) -> Int
  /// Where what was written begins, from an offset on; -1 and ENXIO where nothing was. A system that
  /// cannot tell says that it begins there.
  func seekData(_ file: CInt, _ offset: Int) -> Int
  func pwrite(_ file: CInt, _ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int
  func fallocate(_ file: CInt, _ size: Int) -> CInt
  func ftruncate(_ file: CInt, _ size: Int) -> CInt
  func fsync(_ file: CInt) -> CInt
  func flock(_ file: CInt, _ operation: CInt) -> CInt

  func mkdir(_ path: String, _ mode: UInt32) -> CInt
  func rmdir(_ path: String) -> CInt
  func unlink(_ path: String) -> CInt
  func rename(_ path: String, _ newPath: String) -> CInt
  func link(_ path: String, _ newPath: String) -> CInt
  /// Source: `readdir(3)`; the names in no order, `.` and `..` among them.
  func names(_ path: String) -> [String]?

  func mmap(_ file: CInt, _ size: Int, _ protection: CInt) -> UnsafeMutableRawPointer?
  func munmap(_ range: UnsafeMutableRawBufferPointer) -> CInt
  func madvise(_ range: UnsafeMutableRawBufferPointer, _ advice: CInt) -> CInt
  func msync(_ range: UnsafeMutableRawBufferPointer) -> CInt
  /// Of one page; the lowest bit of `state` says whether it is in memory.
  func mincore(_ page: UnsafeMutableRawBufferPointer, _ state: inout UInt8) -> CInt

  func statvfs(_ path: String, _ status: inout statvfs) -> CInt
  /// The `f_type` of `statfs(2)`.
  func fileSystemType(_ path: String) -> Int
}

/// The system itself.
package struct LinuxCalls: SystemCalls {
  package init() {}

  package func open(_ path: String, _ flags: CInt, _ mode: UInt32) -> CInt {
    unsafe Glibc.open(path, flags, mode)
  }

  package func close(_ file: CInt) -> CInt { Glibc.close(file) }

  package func stat(_ path: String, _ status: inout stat) -> CInt {
    systemStat(path, &status)
  }

  package func fstat(_ file: CInt, _ status: inout stat) -> CInt {
    unsafe Glibc.fstat(file, &status)
  }

  package func seekData(_ file: CInt, _ offset: Int) -> Int {
    // SEEK_DATA, which Glibc shows with _GNU_SOURCE only.
    lseek(file, offset, 3)
  }

  package func pread(
    _ file: CInt, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int
  ) -> Int {
    unsafe Glibc.pread(file, bytes.baseAddress, bytes.count, off_t(offset))
  }

  package func pwrite(_ file: CInt, _ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int {
    unsafe Glibc.pwrite(file, bytes.baseAddress, bytes.count, off_t(offset))
  }

  package func fallocate(_ file: CInt, _ size: Int) -> CInt {
    CLinux.fallocate(file, 0, 0, off_t(size))
  }

  package func ftruncate(_ file: CInt, _ size: Int) -> CInt { Glibc.ftruncate(file, off_t(size)) }
  package func fsync(_ file: CInt) -> CInt { Glibc.fsync(file) }
  package func flock(_ file: CInt, _ operation: CInt) -> CInt { systemLock(file, operation) }

  package func mkdir(_ path: String, _ mode: UInt32) -> CInt { unsafe Glibc.mkdir(path, mode) }
  package func rmdir(_ path: String) -> CInt { unsafe Glibc.rmdir(path) }
  package func unlink(_ path: String) -> CInt { unsafe Glibc.unlink(path) }

  package func rename(_ path: String, _ newPath: String) -> CInt {
    unsafe Glibc.rename(path, newPath)
  }

  package func link(_ path: String, _ newPath: String) -> CInt {
    unsafe Glibc.link(path, newPath)
  }

  package func names(_ path: String) -> [String]? {
    guard let directory = unsafe opendir(path) else { return nil }
    let names = unsafe Self.names(in: directory)
    let code = errno
    unsafe closedir(directory)
    errno = code
    return names
  }

  /// The names that an open directory still has; nil and `errno` when reading fails on the way.
  static func names(in directory: OpaquePointer) -> [String]? {
    var names: [String] = []
    while true {
      // Only `errno` tells a failure from the end.
      errno = 0
      guard let entry = unsafe readdir(directory) else { return errno == 0 ? names : nil }
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      names.append(name)
    }
  }

  package func mmap(_ file: CInt, _ size: Int, _ protection: CInt) -> UnsafeMutableRawPointer? {
    let address = unsafe Glibc.mmap(nil, size, protection, MAP_SHARED, file, 0)
    return unsafe address == MAP_FAILED ? nil : address
  }

  package func munmap(_ range: UnsafeMutableRawBufferPointer) -> CInt {
    unsafe Glibc.munmap(range.baseAddress!, range.count)
  }

  package func madvise(_ range: UnsafeMutableRawBufferPointer, _ advice: CInt) -> CInt {
    unsafe Glibc.madvise(range.baseAddress, range.count, advice)
  }

  package func msync(_ range: UnsafeMutableRawBufferPointer) -> CInt {
    unsafe Glibc.msync(range.baseAddress, range.count, MS_SYNC)
  }

  package func mincore(_ page: UnsafeMutableRawBufferPointer, _ state: inout UInt8) -> CInt {
    unsafe Glibc.mincore(page.baseAddress!, page.count, &state)
  }

  package func statvfs(_ path: String, _ status: inout statvfs) -> CInt {
    systemSpace(path, &status)
  }

  package func fileSystemType(_ path: String) -> Int { unsafe file_system_type(path) }
}

// Inside the type, and behind the module's name, these would be its methods and the structures.

private func systemStat(_ path: String, _ status: inout stat) -> CInt { unsafe stat(path, &status) }
private func systemLock(_ file: CInt, _ operation: CInt) -> CInt { flock(file, operation) }

private func systemSpace(_ path: String, _ status: inout statvfs) -> CInt {
  unsafe statvfs(path, &status)
}
