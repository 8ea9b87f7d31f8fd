import CaptureStore
import Foundation

/// A disk that forgets what was not synced, for files below one directory.
///
/// Every call is made for real, so mappings and readers work as ever; nothing is synced for real.
/// Beside that it keeps account of what would be on stable storage: of a file its bytes and its
/// size, of a directory its entries. `fsync` makes all of a file or directory durable, `msync` the
/// pages of a range and the size. Whatever else was changed is kept or lost by chance:
///
///     page      old | new | sectors of both | garbage or stale records in sectors
///     size      any that it had since it was synced
///     entry     each creation, removal and renaming since the directory was synced: made or not
///
/// A sync that fails leaves its pages clean, as Linux does: the next one passes over them.
///
/// The limit of the model: a disk does not destroy bytes that were synced and not changed since,
/// while it writes beside them ("powersafe overwrite" in SQLite's words). So garbage and stale
/// records fall only on sectors of 512 bytes that changed and held nothing durable but zeros.
///
/// All chance comes from one seed. Calls are counted, and any of them can be made to fail.
package final class SimulatedDisk: SystemCalls, @unchecked Sendable {
  /// What a call is, to count by.
  package enum Call: Hashable, Sendable {
    case open, close, stat, fstat, pread, pwrite, fallocate, ftruncate, fsync, flock
    case mkdir, rmdir, unlink, rename, link, names
    case mmap, munmap, madvise, msync, mincore, statvfs, fileSystemType
  }

  /// A call that is made to fail: the n-th from 1, of any kind or of one. Where it persists, so do
  /// all later calls of its kind.
  package struct Fault: Sendable {
    var call: Int
    var kind: Call?
    var code: CInt
    var persists: Bool

    /// EINTR is always told once: the call is expected to be made again.
    package init(call: Int, of kind: Call? = nil, with code: CInt, persists: Bool = false) {
      self.call = call
      self.kind = kind
      self.code = code
      self.persists = persists && code != EINTR
    }
  }

  package let root: String
  // One lock for everything: threads of a keeper may call.
  let lock = NSRecursiveLock()
  let system = LinuxCalls()
  var random: SplitMix64
  let tree: SimulatedDirectory
  /// In the order of their creation, those included that are removed.
  var files: [SimulatedFile] = []
  var directories: [SimulatedDirectory] = []
  var opened: [CInt: SimulatedNode] = [:]
  var mappings: [SimulatedMapping] = []

  private var counts: [Call: Int] = [:]
  private var callsMade = 0
  private var fault: Fault?
  private var faultsMade: [Call] = []
  private var interruption: (call: Int, kind: Call?, action: () -> Void)?

  // For a test to set while nobody else calls.

  /// What the file system tells to be free; nil for what the real one has.
  package var freeBytes: Int?
  /// Nothing of any file is in memory, as far as the system tells.
  package var isMemoryLost = false
  /// The name of a file whose pages cannot be had, though they are reserved.
  package var pagelessName: String?

  /// Whether reserving space does so; else only the size is set: what must never be.
  let keepsReservations: Bool

  /// Everything that is below `root` counts as synced.
  package init(root: String, seed: UInt64, keepsReservations: Bool = true) throws {
    self.root = root
    self.keepsReservations = keepsReservations
    random = SplitMix64(seed: seed)
    tree = SimulatedDirectory()
    directories = [tree]
    try adopt(tree, at: root)
  }

  /// Calls so far.
  package var callCount: Int { lock.withLock { callsMade } }

  /// The calls that were made to fail.
  package var failedCalls: [Call] { lock.withLock { faultsMade } }

  package func calls(of kind: Call) -> Int { lock.withLock { count(of: kind) } }

  package func fail(_ fault: Fault?) { lock.withLock { self.fault = fault } }

  /// Does something in front of the n-th call from now on, from 1, of any kind or of one: a power
  /// loss, mostly. No other call is made meanwhile.
  package func interrupt(
    atCall call: Int, of kind: Call? = nil, _ action: @escaping () -> Void
  ) {
    lock.withLock { interruption = (count(of: kind) + call, kind, action) }
  }

  private func count(of kind: Call?) -> Int { kind.map { counts[$0, default: 0] } ?? callsMade }

  /// Nothing is done any more in front of a call: to be told when a test is done with the disk,
  /// which what was to be done may hold.
  package func interruptNoMore() {
    // It may be the last to hold a writer, which makes calls when it goes.
    let last = lock.withLock {
      let last = interruption
      interruption = nil
      return last
    }
    withExtendedLifetime(last) {}
  }

  /// Makes one call, or lets it fail.
  func make<Result>(
    _ kind: Call, failing failure: Result, _ call: () -> Result, onFault: () -> Void = {}
  ) -> Result {
    lock.lock()
    defer { lock.unlock() }
    callsMade += 1
    counts[kind, default: 0] += 1
    if let interruption, interruption.kind.map({ $0 == kind }) ?? true,
      interruption.call == count(of: interruption.kind)
    {
      self.interruption = nil
      interruption.action()
    }
    writeBackByChance()
    if let fault, isDue(fault, kind) {
      faultsMade.append(kind)
      // These two have their effect all the same.
      if kind == .close || kind == .munmap { _ = call() }
      // An interrupted call has done nothing.
      if fault.code != EINTR { onFault() }
      errno = fault.code
      return failure
    }
    return call()
  }

  private func isDue(_ fault: Fault, _ kind: Call) -> Bool {
    if let wanted = fault.kind, wanted != kind { return false }
    if fault.persists, let first = faultsMade.first { return kind == first }
    return count(of: fault.kind) == fault.call
  }

  // MARK: - What the kernel does by itself

  private func writeBackByChance() { if random.int(0...7) == 0 { writeBackNow() } }

  /// Puts a page, a size or some entries on stable storage, as a kernel does when it likes.
  package func writeBack() { lock.withLock { writeBackNow() } }

  private func writeBackNow() {
    if random.int(0...9) == 0 {
      directories[random.int(0...directories.count - 1)].synchronize()
    } else if !files.isEmpty {
      let file = files[random.int(0...files.count - 1)]
      if random.int(0...9) == 0 { file.synchronizeSize() } else { file.writeBackPage(&random) }
    }
  }

  // MARK: - The end

  /// Builds what a machine would find when it has power again.
  package func losePower(into directory: String) throws {
    lock.lock()
    defer { lock.unlock() }
    var chance = PowerLossChance(&random)
    let stale = files.map { $0.bytes() }
    try rebuild(tree, at: directory, stale: stale, &chance)
    random = chance.random
  }

  private func rebuild(
    _ directory: SimulatedDirectory, at path: String, stale: [[UInt8]],
    _ chance: inout PowerLossChance
  ) throws {
    let entries = directory.entriesAfterLoss(&chance)
    for (name, node) in entries.sorted(by: { $0.key < $1.key }) {
      let place = "\(path)/\(name)"
      if let inner = node as? SimulatedDirectory {
        try FileManager.default.createDirectory(
          atPath: place, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        try rebuild(inner, at: place, stale: stale, &chance)
      } else if let file = node as? SimulatedFile {
        let bytes = file.bytesAfterLoss(stale: stale, &chance)
        guard FileManager.default.createFile(atPath: place, contents: Data(bytes)) else {
          throw TestFailure("\(place): cannot be made")
        }
      }
    }
  }

  private func adopt(_ directory: SimulatedDirectory, at path: String) throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: path).sorted() {
      let place = "\(path)/\(name)"
      var isDirectory: ObjCBool = false
      guard FileManager.default.fileExists(atPath: place, isDirectory: &isDirectory) else {
        continue
      }
      if isDirectory.boolValue {
        let inner = SimulatedDirectory()
        directories.append(inner)
        directory.entries[name] = inner
        try adopt(inner, at: place)
      } else {
        let file = try SimulatedFile(place)
        file.synchronize()
        files.append(file)
        directory.entries[name] = file
      }
    }
    directory.synchronize()
  }
}

/// How a power loss treats what was not synced: each loss has its own inclinations.
struct PowerLossChance {
  var random: SplitMix64
  /// Of ten pages, so many are new.
  let newOfTen: Int
  /// Of ten pages that changed, so many are mixed or worse.
  let harmedOfTen: Int
  /// Entries are made in their order, up to some point; else each by itself.
  let isOrdered: Bool

  init(_ random: inout SplitMix64) {
    newOfTen = [0, 3, 5, 8, 10, 10][random.int(0...5)]
    harmedOfTen = [0, 0, 1, 3, 8][random.int(0...4)]
    isOrdered = random.int(0...1) == 0
    self.random = random
  }

  mutating func ofTen(_ count: Int) -> Bool { random.int(0...9) < count }
}
