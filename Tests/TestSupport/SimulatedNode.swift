import CaptureStore
import Foundation

/// A file or directory of a simulated disk, whatever names it has.
class SimulatedNode {}

/// A directory: its entries now, and what of them is durable.
final class SimulatedDirectory: SimulatedNode {
  var entries: [String: SimulatedNode] = [:]
  private var durable: [String: SimulatedNode] = [:]
  /// What was done since: each a few names that change together, nil for one that goes.
  private var changes: [[(name: String, node: SimulatedNode?)]] = []

  func change(_ change: [(name: String, node: SimulatedNode?)]) {
    for (name, node) in change { entries[name] = node }
    changes.append(change)
  }

  func synchronize() {
    durable = entries
    changes = []
  }

  func entriesAfterLoss(_ chance: inout PowerLossChance) -> [String: SimulatedNode] {
    var result = durable
    let kept = chance.random.int(0...changes.count)
    for (index, change) in changes.enumerated() {
      guard chance.isOrdered ? index < kept : chance.ofTen(5) else { continue }
      for (name, node) in change { result[name] = node }
    }
    return result
  }
}

/// A file: its bytes are the real one's, and beside them stands what of them is durable.
final class SimulatedFile: SimulatedNode {
  static let pageSize = 4096
  static let sectorSize = 512

  /// The simulation's own, so that the bytes can be read for as long as it lasts.
  private let descriptor: CInt
  private var durable: [UInt8] = []
  private var durableSize = 0
  /// Sizes that it had since, in order.
  private var sizes: [Int] = []

  init(_ path: String) throws {
    descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw TestFailure("\(path): \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

  /// What a reader would see.
  func bytes() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: size)
    let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
    precondition(count == bytes.count, "a file of a test can be read")
    return bytes
  }

  private var size: Int {
    var status = stat()
    precondition(fstat(descriptor, &status) == 0, "a file of a test is there")
    return Int(status.st_size)
  }

  func sizeChanged() { sizes.append(size) }

  func synchronizeSize() {
    let size = size
    // What a smaller size cut away does not come back with a larger one.
    if let least = sizes.min(), least < durable.count { durable.removeLast(durable.count - least) }
    durableSize = size
    sizes = []
  }

  /// As `fsync(2)`.
  func synchronize() {
    synchronizeSize()
    if lost.isEmpty { durable = bytes() } else { synchronizePages(0..<size) }
  }

  /// As `msync(2)` of these bytes.
  func synchronize(_ range: Range<Int>) {
    synchronizeSize()
    if lost.isEmpty { writeBack(range) } else { synchronizePages(range) }
  }

  /// Pages that a failed sync left clean, with what was in them: it is not written any more.
  private var lost: [Int: [UInt8]] = [:]

  /// As an `fsync(2)` or `msync(2)` that fails.
  func failSync(_ range: Range<Int> = 0..<Int.max) {
    let present = bytes()
    for page in pages(range.clamped(to: 0..<present.count)) {
      let end = min(page.upperBound, present.count)
      if end > durable.count || !areEqual(durable, present, page.lowerBound..<end) {
        lost[page.lowerBound] = Array(present[page.lowerBound..<end])
      }
    }
  }

  private func synchronizePages(_ range: Range<Int>) {
    let present = bytes()
    for page in pages(range.clamped(to: 0..<present.count)) {
      let end = min(page.upperBound, present.count)
      if lost[page.lowerBound] == Array(present[page.lowerBound..<end]) { continue }
      lost[page.lowerBound] = nil
      writeBack(page)
    }
  }

  private func pages(_ range: Range<Int>) -> [Range<Int>] {
    stride(from: range.lowerBound & ~(Self.pageSize - 1), to: range.upperBound, by: Self.pageSize)
      .map { $0..<$0 + Self.pageSize }
  }

  func writeBackPage(_ random: inout SplitMix64) {
    let pages = (size + Self.pageSize - 1) / Self.pageSize
    guard pages > 0 else { return }
    let start = random.int(0...pages - 1) * Self.pageSize
    writeBack(start..<start + Self.pageSize)
  }

  private func writeBack(_ range: Range<Int>) {
    let end = min(range.upperBound, size)
    guard range.lowerBound < end else { return }
    if durable.count < end { durable += [UInt8](repeating: 0, count: end - durable.count) }
    let count = durable.withUnsafeMutableBytes { bytes in
      pread(
        descriptor, bytes.baseAddress! + range.lowerBound, end - range.lowerBound,
        off_t(range.lowerBound))
    }
    precondition(count == end - range.lowerBound, "a file of a test can be read")
  }

  // MARK: - After a power loss

  func bytesAfterLoss(stale: [[UInt8]], _ chance: inout PowerLossChance) -> [UInt8] {
    let history = [durableSize] + sizes
    let isLast = chance.isOrdered && chance.ofTen(8)
    let place = isLast ? history.count - 1 : chance.random.int(0...history.count - 1)
    let size = history[place]
    // What was cut away on the way there is gone.
    let kept = history[...place].min()!
    var result = fitted(durable, kept, to: size)
    let present = fitted(bytes(), size, to: size)
    var start = 0
    while start < size {
      let page = start..<min(start + Self.pageSize, size)
      if !areEqual(result, present, page) {
        settle(page, of: &result, present, stale: stale, &chance)
      }
      start = page.upperBound
    }
    return result
  }

  /// The first `count` bytes, with zeros behind them.
  private func fitted(_ bytes: [UInt8], _ count: Int, to size: Int) -> [UInt8] {
    let kept = bytes[..<min(bytes.count, count, size)]
    return Array(kept) + [UInt8](repeating: 0, count: size - kept.count)
  }

  /// Decides about one page that changed since it was durable.
  private func settle(
    _ page: Range<Int>, of result: inout [UInt8], _ present: [UInt8], stale: [[UInt8]],
    _ chance: inout PowerLossChance
  ) {
    guard chance.ofTen(chance.harmedOfTen) else {
      if chance.ofTen(chance.newOfTen) { result[page] = present[page] }
      return
    }
    let isDestructive = chance.ofTen(5)
    var start = page.lowerBound
    while start < page.upperBound {
      let sector = start..<min(start + Self.sectorSize, page.upperBound)
      start = sector.upperBound
      if areEqual(result, present, sector) { continue }
      let heldNothing = result[sector].allSatisfy { $0 == 0 }
      switch chance.random.int(0...(isDestructive && heldNothing ? 3 : 1)) {
      case 0: break
      case 1: result[sector] = present[sector]
      case 2: result.replaceSubrange(sector, with: chance.random.bytes(sector.count))
      default:
        let other = stale[chance.random.int(0...stale.count - 1)]
        if other.count >= sector.upperBound { result[sector] = other[sector] }
      }
    }
  }

  private func areEqual(_ one: [UInt8], _ other: [UInt8], _ range: Range<Int>) -> Bool {
    one.withUnsafeBytes { one in
      other.withUnsafeBytes { other in
        memcmp(
          one.baseAddress! + range.lowerBound, other.baseAddress! + range.lowerBound, range.count)
          == 0
      }
    }
  }
}

/// Where a file is mapped.
struct SimulatedMapping {
  var base: UnsafeMutableRawPointer
  var size: Int
  var file: SimulatedFile

  func contains(_ address: UnsafeMutableRawPointer) -> Bool {
    address >= base && address < base + size
  }
}
