import CaptureStore
package import Glibc
import Synchronization

/// Files that are only in memory, behind the seam of the store: nothing of the machine is touched,
/// and a million of them are made in a second.
///
/// A file lies in a buffer of exactly its size, and a mapping is that buffer: AddressSanitizer sees
/// every access behind the end of a file. A file that gets another size gets another buffer; what
/// was mapped before stays as it was.
package final class MemoryFiles: SystemCalls {
  /// Bytes of a file; freed when neither a file nor a mapping has them.
  private final class Buffer: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    init(count: Int) {
      bytes = .allocate(byteCount: count, alignment: 16)
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    init(_ contents: UnsafeRawBufferPointer) {
      bytes = .allocate(byteCount: contents.count, alignment: 16)
      bytes.copyMemory(from: contents)
    }

    deinit { bytes.deallocate() }
  }

  private final class Node: @unchecked Sendable {
    var buffer = Buffer(count: 0)
    var isLocked = false
    let isDirectory: Bool

    init(isDirectory: Bool) { self.isDirectory = isDirectory }

    func resize(_ count: Int) {
      let old = buffer
      buffer = Buffer(count: count)
      let kept = min(count, old.bytes.count)
      buffer.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: old.bytes[..<kept]))
    }
  }

  private struct State {
    var nodes: [String: Node] = [:]
    /// By descriptor; and whether that one has the lock.
    var open: [(node: Node, hasLock: Bool)?] = []
    var mappings: [UInt: (buffer: Buffer, count: Int)] = [:]
    var type = 0xEF53
    var freeBytes = 4 << 40
  }

  private let state = Mutex(State())

  package init() {}

  // MARK: - For tests

  /// What `statfs(2)` calls the file system; ext4.
  package var type: Int {
    get { state.withLock { $0.type } }
    set { state.withLock { $0.type = newValue } }
  }

  package var freeBytes: Int {
    get { state.withLock { $0.freeBytes } }
    set { state.withLock { $0.freeBytes = newValue } }
  }

  /// Puts a file in place, and the directories above it.
  package func put(_ path: String, _ contents: [UInt8]) {
    contents.withUnsafeBytes { put(path, $0) }
  }

  package func put(_ path: String, _ contents: UnsafeRawBufferPointer) {
    let buffer = Buffer(contents)
    state.withLock { state in
      if let node = state.nodes[path] {
        node.buffer = buffer
        return
      }
      let node = Node(isDirectory: false)
      node.buffer = buffer
      state.nodes[path] = node
      var parent = Self.parent(path)
      while !parent.isEmpty && state.nodes[parent] == nil {
        state.nodes[parent] = Node(isDirectory: true)
        parent = Self.parent(parent)
      }
    }
  }

  /// What a file holds; nil where none is.
  package func contents(_ path: String) -> [UInt8]? {
    state.withLock { $0.nodes[path].map { Array($0.buffer.bytes) } }
  }

  /// Every file, with what it holds.
  package var everything: [String: [UInt8]] {
    state.withLock {
      $0.nodes.filter { !$0.value.isDirectory }.mapValues { Array($0.buffer.bytes) }
    }
  }

  /// Removes the files whose path is not in the list.
  package func removeAll(but kept: Set<String>) {
    state.withLock { state in
      for (path, node) in state.nodes where !node.isDirectory && !kept.contains(path) {
        state.nodes[path] = nil
      }
    }
  }

  private static func parent(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return String(path[..<slash])
  }

  private func fail(_ code: CInt) -> CInt {
    errno = code
    return -1
  }

  private func node(_ file: CInt) -> Node? {
    state.withLock { $0.open.indices.contains(Int(file)) ? $0.open[Int(file)]?.node : nil }
  }

  // MARK: - Files

  package func open(_ path: String, _ flags: CInt, _ mode: UInt32) -> CInt {
    state.withLock { state in
      let node: Node
      if let found = state.nodes[path] {
        if flags & O_EXCL != 0 { return fail(EEXIST) }
        node = found
        if flags & O_TRUNC != 0 { node.buffer = Buffer(count: 0) }
      } else {
        guard flags & O_CREAT != 0 else { return fail(ENOENT) }
        node = Node(isDirectory: false)
        state.nodes[path] = node
      }
      if let free = state.open.firstIndex(where: { $0 == nil }) {
        state.open[free] = (node, false)
        return CInt(free)
      }
      state.open.append((node, false))
      return CInt(state.open.count - 1)
    }
  }

  package func close(_ file: CInt) -> CInt {
    state.withLock { state in
      if let held = state.open[Int(file)], held.hasLock { held.node.isLocked = false }
      state.open[Int(file)] = nil
      return 0
    }
  }

  package func stat(_ path: String, _ status: inout stat) -> CInt {
    guard let node = state.withLock({ $0.nodes[path] }) else { return fail(ENOENT) }
    fill(&status, node)
    return 0
  }

  package func fstat(_ file: CInt, _ status: inout stat) -> CInt {
    guard let node = node(file) else { return fail(EBADF) }
    fill(&status, node)
    return 0
  }

  private func fill(_ status: inout stat, _ node: Node) {
    status.st_size = node.buffer.bytes.count
    status.st_mode = node.isDirectory ? S_IFDIR : S_IFREG
    status.st_ino = numericCast(UInt(bitPattern: ObjectIdentifier(node)))
    let names = state.withLock { state in state.nodes.values.count { $0 === node } }
    status.st_nlink = numericCast(names)
  }

  package func seekData(_ file: CInt, _ offset: Int) -> Int { offset }

  package func pread(
    _ file: CInt, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int
  ) -> Int {
    guard let node = node(file) else { return Int(fail(EBADF)) }
    let source = node.buffer.bytes
    guard offset < source.count else { return 0 }
    let count = min(bytes.count, source.count - offset)
    bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + count]))
    return count
  }

  package func pwrite(_ file: CInt, _ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int {
    guard let node = node(file) else { return Int(fail(EBADF)) }
    let end = offset + bytes.count
    if end > node.buffer.bytes.count { node.resize(end) }
    UnsafeMutableRawBufferPointer(rebasing: node.buffer.bytes[offset..<end])
      .copyMemory(from: bytes)
    return bytes.count
  }

  package func fallocate(_ file: CInt, _ size: Int) -> CInt {
    guard let node = node(file) else { return fail(EBADF) }
    if size > node.buffer.bytes.count { node.resize(size) }
    return 0
  }

  package func ftruncate(_ file: CInt, _ size: Int) -> CInt {
    guard let node = node(file) else { return fail(EBADF) }
    if size != node.buffer.bytes.count { node.resize(size) }
    return 0
  }

  package func fsync(_ file: CInt) -> CInt { 0 }

  /// A lock of one descriptor keeps every other one out: nobody here shares one for longer than a
  /// look.
  package func flock(_ file: CInt, _ operation: CInt) -> CInt {
    state.withLock { state in
      guard let held = state.open[Int(file)] else { return fail(EBADF) }
      if held.node.isLocked && !held.hasLock { return fail(EWOULDBLOCK) }
      if operation & (LOCK_EX | LOCK_UN) != 0 {
        held.node.isLocked = operation & LOCK_EX != 0
        state.open[Int(file)]?.hasLock = held.node.isLocked
      }
      return 0
    }
  }

  // MARK: - Directories

  package func mkdir(_ path: String, _ mode: UInt32) -> CInt {
    state.withLock { state in
      guard state.nodes[path] == nil else { return fail(EEXIST) }
      state.nodes[path] = Node(isDirectory: true)
      return 0
    }
  }

  package func rmdir(_ path: String) -> CInt { unlink(path) }

  package func unlink(_ path: String) -> CInt {
    state.withLock { $0.nodes.removeValue(forKey: path) == nil ? fail(ENOENT) : 0 }
  }

  package func rename(_ path: String, _ newPath: String) -> CInt {
    state.withLock { state in
      guard let node = state.nodes.removeValue(forKey: path) else { return fail(ENOENT) }
      state.nodes[newPath] = node
      return 0
    }
  }

  package func link(_ path: String, _ newPath: String) -> CInt {
    state.withLock { state in
      guard let node = state.nodes[path] else { return fail(ENOENT) }
      guard state.nodes[newPath] == nil else { return fail(EEXIST) }
      state.nodes[newPath] = node
      return 0
    }
  }

  package func names(_ path: String) -> [String]? {
    state.withLock { state in
      guard state.nodes[path]?.isDirectory == true else {
        errno = ENOENT
        return nil
      }
      return state.nodes.keys.filter { Self.parent($0) == path }
        .map { String($0.dropFirst(path.count + 1)) }
    }
  }

  // MARK: - Mappings

  package func mmap(_ file: CInt, _ size: Int, _ protection: CInt) -> UnsafeMutableRawPointer? {
    guard let node = node(file), size == node.buffer.bytes.count, size > 0 else {
      errno = EINVAL
      return nil
    }
    let buffer = node.buffer
    let base = buffer.bytes.baseAddress!
    state.withLock { $0.mappings[UInt(bitPattern: base), default: (buffer, 0)].count += 1 }
    return base
  }

  package func munmap(_ range: UnsafeMutableRawBufferPointer) -> CInt {
    let base = UInt(bitPattern: range.baseAddress!)
    return state.withLock { state in
      guard let mapping = state.mappings[base] else { return fail(EINVAL) }
      state.mappings[base] = mapping.count > 1 ? (mapping.buffer, mapping.count - 1) : nil
      return 0
    }
  }

  package func madvise(_ range: UnsafeMutableRawBufferPointer, _ advice: CInt) -> CInt { 0 }
  package func msync(_ range: UnsafeMutableRawBufferPointer) -> CInt { 0 }

  package func mincore(_ page: UnsafeMutableRawBufferPointer, _ state: inout UInt8) -> CInt {
    state = 1
    return 0
  }

  // MARK: - Space

  package func statvfs(_ path: String, _ status: inout statvfs) -> CInt {
    status.f_blocks = 1 << 30
    status.f_bavail = UInt(freeBytes / 4096)
    status.f_frsize = 4096
    return 0
  }

  package func fileSystemType(_ path: String) -> Int { type }
}
