import CaptureStore
package import Foundation

// The calls themselves: each is made for real, then accounted for.

extension SimulatedDisk {
  /// `MADV_POPULATE_WRITE`.
  private static let populateForWriting: CInt = 23

  package func open(_ path: String, _ flags: CInt, _ mode: UInt32) -> CInt {
    make(.open, failing: -1) {
      let descriptor = system.open(path, flags, mode)
      guard descriptor >= 0, let (directory, name) = place(path) else { return descriptor }
      if name.isEmpty {
        opened[descriptor] = directory
      } else if let node = directory.entries[name] {
        opened[descriptor] = node
        if flags & O_TRUNC != 0 { (node as? SimulatedFile)?.sizeChanged() }
      } else if let file = try? SimulatedFile(path) {
        files.append(file)
        directory.change([(name, file)])
        opened[descriptor] = file
      }
      return descriptor
    }
  }

  package func close(_ file: CInt) -> CInt {
    make(.close, failing: -1) {
      opened[file] = nil
      return system.close(file)
    }
  }

  package func stat(_ path: String, _ status: inout stat) -> CInt {
    make(.stat, failing: -1) { system.stat(path, &status) }
  }

  package func fstat(_ file: CInt, _ status: inout stat) -> CInt {
    make(.fstat, failing: -1) { system.fstat(file, &status) }
  }

  package func seekData(_ file: CInt, _ offset: Int) -> Int { system.seekData(file, offset) }

  package func pread(
    _ file: CInt, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int
  ) -> Int {
    make(.pread, failing: -1) { system.pread(file, bytes, offset) }
  }

  package func pwrite(_ file: CInt, _ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int {
    make(.pwrite, failing: -1) { changing(file) { system.pwrite(file, bytes, offset) } }
  }

  package func fallocate(_ file: CInt, _ size: Int) -> CInt {
    make(.fallocate, failing: -1) {
      changing(file) {
        keepsReservations ? system.fallocate(file, size) : system.ftruncate(file, size)
      }
    }
  }

  package func ftruncate(_ file: CInt, _ size: Int) -> CInt {
    make(.ftruncate, failing: -1) { changing(file) { system.ftruncate(file, size) } }
  }

  package func fsync(_ file: CInt) -> CInt {
    synchronize(.fsync) {
      switch opened[file] {
      case let file as SimulatedFile: file.synchronize()
      case let directory as SimulatedDirectory: directory.synchronize()
      default: break
      }
    } orFail: {
      (opened[file] as? SimulatedFile)?.failSync()
    }
  }

  package func flock(_ file: CInt, _ operation: CInt) -> CInt {
    make(.flock, failing: -1) { system.flock(file, operation) }
  }

  package func mkdir(_ path: String, _ mode: UInt32) -> CInt {
    make(.mkdir, failing: -1) {
      let result = system.mkdir(path, mode)
      if result == 0, let (directory, name) = place(path) {
        let made = SimulatedDirectory()
        directories.append(made)
        directory.change([(name, made)])
      }
      return result
    }
  }

  package func rmdir(_ path: String) -> CInt {
    make(.rmdir, failing: -1) { removing(path) { system.rmdir(path) } }
  }

  package func unlink(_ path: String) -> CInt {
    make(.unlink, failing: -1) { removing(path) { system.unlink(path) } }
  }

  package func rename(_ path: String, _ newPath: String) -> CInt {
    make(.rename, failing: -1) {
      let result = system.rename(path, newPath)
      if result == 0, let (directory, name) = place(path), let (target, newName) = place(newPath) {
        precondition(directory === target, "the store renames within a directory")
        directory.change([(name, nil), (newName, directory.entries[name])])
      }
      return result
    }
  }

  package func link(_ path: String, _ newPath: String) -> CInt {
    make(.link, failing: -1) {
      let result = system.link(path, newPath)
      if result == 0, let (directory, name) = place(path), let (target, newName) = place(newPath) {
        target.change([(newName, directory.entries[name])])
      }
      return result
    }
  }

  package func names(_ path: String) -> [String]? {
    make(.names, failing: nil) { system.names(path) }
  }

  package func mmap(_ file: CInt, _ size: Int, _ protection: CInt) -> UnsafeMutableRawPointer? {
    make(.mmap, failing: nil) {
      let base = system.mmap(file, size, protection)
      if let base, let file = opened[file] as? SimulatedFile {
        mappings.append(SimulatedMapping(base: base, size: size, file: file))
      }
      return base
    }
  }

  package func munmap(_ range: UnsafeMutableRawBufferPointer) -> CInt {
    make(.munmap, failing: -1) {
      mappings.removeAll { $0.base == range.baseAddress }
      return system.munmap(range)
    }
  }

  package func madvise(_ range: UnsafeMutableRawBufferPointer, _ advice: CInt) -> CInt {
    make(.madvise, failing: -1) {
      if advice == Self.populateForWriting && isPageless(range) {
        errno = EFAULT
        return -1
      }
      return system.madvise(range, advice)
    }
  }

  package func msync(_ range: UnsafeMutableRawBufferPointer) -> CInt {
    let found = lock.withLock { mappings.first { $0.contains(range.baseAddress!) } }
    let place = found.map { range.baseAddress! - $0.base } ?? 0
    let bytes = place..<place + range.count
    return synchronize(.msync) {
      found?.file.synchronize(bytes)
    } orFail: {
      found?.file.failSync(bytes)
    }
  }

  package func mincore(_ page: UnsafeMutableRawBufferPointer, _ state: inout UInt8) -> CInt {
    make(.mincore, failing: -1) {
      let result = system.mincore(page, &state)
      if isMemoryLost { state = 0 }
      return result
    }
  }

  package func statvfs(_ path: String, _ status: inout statvfs) -> CInt {
    make(.statvfs, failing: -1) {
      let result = system.statvfs(path, &status)
      if let freeBytes { status.f_bavail = UInt(freeBytes) / UInt(status.f_frsize) }
      return result
    }
  }

  package func fileSystemType(_ path: String) -> Int {
    make(.fileSystemType, failing: -1) { system.fileSystemType(path) }
  }

  private func isPageless(_ range: UnsafeMutableRawBufferPointer) -> Bool {
    guard let pagelessName, let found = mappings.first(where: { $0.contains(range.baseAddress!) })
    else { return false }
    return directories.contains { $0.entries[pagelessName] === found.file }
  }

  // MARK: - Accounts

  private func synchronize(
    _ call: Call, _ synchronize: () -> Void, orFail fail: () -> Void
  ) -> CInt {
    make(
      call, failing: -1,
      {
        synchronize()
        return 0
      }, onFault: fail)
  }

  private func changing<Result: FixedWidthInteger>(
    _ descriptor: CInt, _ call: () -> Result
  ) -> Result {
    let result = call()
    if result != -1 { (opened[descriptor] as? SimulatedFile)?.sizeChanged() }
    return result
  }

  private func removing(_ path: String, _ call: () -> CInt) -> CInt {
    let result = call()
    if result == 0, let (directory, name) = place(path) { directory.change([(name, nil)]) }
    return result
  }

  /// The directory of a path and the name in it; the root has none. nil for what is elsewhere.
  private func place(_ path: String) -> (SimulatedDirectory, String)? {
    if path == root { return (tree, "") }
    guard path.hasPrefix(root + "/") else { return nil }
    var names = path.dropFirst(root.count + 1).split(separator: "/").map(String.init)
    let last = names.removeLast()
    var directory = tree
    for name in names {
      guard let inner = directory.entries[name] as? SimulatedDirectory else { return nil }
      directory = inner
    }
    return (directory, last)
  }
}
