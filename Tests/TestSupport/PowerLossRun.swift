package import CaptureStore
import Foundation

/// A recording on a simulated disk that loses its power, and what must be found afterwards.
///
/// One seed decides all: what is recorded, when the keeper works, when the power goes, and what
/// that does. Messages are kept outside the store, to compare with.
package final class PowerLossRun {
  package let seed: UInt64
  package let directory: TemporaryDirectory
  /// What the machine finds: a directory in which the capture is, if it is.
  package private(set) var found: String
  /// What is kept of it; every third one is a ring.
  package let keep: Retention?
  /// What was appended, by sequence.
  package private(set) var messages: [UInt64: TestMessage] = [:]
  /// The sequences that are durable: known to the writer, or found after an earlier loss.
  package private(set) var durable: Set<UInt64> = []
  /// What was gone after an earlier loss: a later checkpoint cannot promise it.
  package private(set) var lostBefore: Set<UInt64> = []
  /// The capture's making had been told as done.
  package private(set) var isMade = false
  package var random: SplitMix64
  /// Called now and then while it is recorded, with the directory that has the capture.
  private let meanwhile: ((String) throws -> Void)?

  private var isLost = false
  private var losses = 0

  package static let name = "c"
  package var capture: String { "\(found)/\(Self.name)" }

  package init(seed: UInt64, meanwhile: ((String) throws -> Void)? = nil) throws {
    self.seed = seed
    self.meanwhile = meanwhile
    keep = seed % 3 == 0 ? Retention(bytes: 8 * 64 << 10) : nil
    random = SplitMix64(seed: seed)
    directory = try TemporaryDirectory()
    found = directory.file("disk")
    try FileManager.default.createDirectory(
      atPath: found, withIntermediateDirectories: false)
  }

  /// Records until the power goes; the first time into a new capture, else into the one that is
  /// there, which must have been recovered.
  package func record() throws {
    let disk = try SimulatedDisk(root: found, seed: random.next())
    let path = capture
    let isNew = messages.isEmpty && !FileManager.default.fileExists(atPath: path)
    defer { disk.interruptNoMore() }
    let usualSize = [64, 64, 68, 100, 192][random.int(0...4)] << 10
    let segmentSize = min(usualSize, keep?.segmentSizeMax ?? .max)
    let sync: SyncPolicy = [.always, .atSeal, .standard][random.int(0...2)]
    var writer: CaptureWriter?
    if random.int(0...9) == 0 {
      let kinds: [SimulatedDisk.Call] = [.msync, .fsync]
      disk.fail(.init(call: random.int(1...12), of: kinds[random.int(0...1)], with: EIO))
    }
    // Within the making, within the calls of the keeper, or between two of them (below).
    let ending = random.int(0...9)
    if ending < 7 {
      let call = random.int(1...(ending == 0 ? 45 : 400))
      disk.interrupt(atCall: call) { [self] in losePower(disk, writer) }
    }
    do {
      writer = try makeWriter(path, isNew, segmentSize, sync, FileSystem(disk))
      if !isLost {
        isMade = true
        // Those that were lost: their sequences are told to be missing, or given anew.
        for sequence in messages.keys where sequence >= writer!.nextSequence {
          messages[sequence] = nil
          lostBefore.remove(sequence)
        }
      }
      try record(with: writer!, on: disk)
      if !isLost, random.int(0...2) == 0 { try writer!.finish() }
    } catch is StoreError {
      // The capture is over; now its power goes.
    }
    losePower(disk, writer)
  }

  private func makeWriter(
    _ path: String, _ isNew: Bool, _ segmentSize: Int, _ sync: SyncPolicy, _ files: FileSystem
  ) throws -> CaptureWriter {
    if isNew {
      return try CaptureWriter(
        creating: path, manifest: .test(endpoints: 3, keep: keep), segmentSize: segmentSize,
        sync: sync,
        schedule: .stepped, files: files)
    }
    return try CaptureWriter(
      appendingTo: Capture(path: path, files: files), endpoints: [], segmentSize: segmentSize,
      sync: sync, schedule: .stepped)
  }

  private func record(with writer: CaptureWriter, on disk: SimulatedDisk) throws {
    // A ring is to go around.
    let stepsMax = random.int(0...(keep == nil ? 120 : 200))
    let usual = (keep == nil ? [40, 400, 4_000] : [400, 4_000, 20_000])[random.int(0...2)]
    for _ in 0..<stepsMax where !isLost {
      switch random.int(0...19) {
      case 0...11:
        let message = message(usual: usual)
        let sequence = writer.nextSequence
        messages[sequence] = message
        do {
          try writer.append(message)
        } catch {
          messages[sequence] = nil
          throw error
        }
      case 12: try writer.append(event: StoredEvent("stalled", ["nanoseconds": .number(7)]))
      case 13, 14: _ = try writer.tend()
      case 15: _ = writer.stepAhead()
      case 16, 17: writer.stepBehind()
      case 18: disk.writeBack()
      default: try meanwhile?(writer.path)
      }
    }
  }

  private func message(usual: Int) -> TestMessage {
    let frames = (0..<random.int(0...4)).map { _ in
      var size = random.int(0...usual)
      if random.int(0...99) == 0 { size = random.int(0...150_000) }
      if random.int(0...9) == 0 { size = 0 }
      let start = random.bytes(min(size, 24))
      // No durable sector may be all zero: to the disk it would hold nothing.
      let filler: UInt8 = size < 400 && random.int(0...4) == 0 ? 0 : UInt8(random.int(1...255))
      return start + [UInt8](repeating: filler, count: size - start.count).dropLast()
        + (size > start.count ? [1] : [])
    }
    return TestMessage(
      endpoint: UInt16(random.int(0...2)), time: Int64(messages.count), frames)
  }

  /// Once; what happens to the old disk afterwards is of no interest.
  private func losePower(_ disk: SimulatedDisk, _ writer: CaptureWriter?) {
    guard !isLost else { return }
    isLost = true
    if let place = writer?.durable {
      durable.formUnion(messages.keys.filter { $0 < place.sequence && !lostBefore.contains($0) })
    }
    move(disk)
  }

  private func move(_ disk: SimulatedDisk) {
    losses += 1
    let next = directory.file("disk\(losses)")
    do {
      try FileManager.default.createDirectory(atPath: next, withIntermediateDirectories: false)
      try disk.losePower(into: next)
      try Self.bootAnew("\(next)/\(Self.name)")
    } catch {
      preconditionFailure("\(error)")
    }
    found = next
  }

  /// Recovers; the power goes once more meanwhile, if `isInterrupted` and if it lasts long enough.
  package func recover(isInterrupted: Bool) throws {
    let disk = try SimulatedDisk(root: found, seed: random.next())
    defer { disk.interruptNoMore() }
    var isOver = false
    if isInterrupted {
      disk.interrupt(atCall: random.int(1...90)) { [self] in
        isOver = true
        move(disk)
      }
    }
    let path = capture
    _ = try Recovery.recover(Capture(path: path, files: FileSystem(disk)))
    if isInterrupted && !isOver && random.int(0...1) == 0 { move(disk) }
  }

  /// What was found after a recovery is durable, and recording goes on behind it.
  package func goOn(behind walk: CaptureWalk) {
    durable = Set(walk.order)
    lostBefore = Set(messages.keys).subtracting(durable)
    isLost = false
  }

  /// The machine has another boot id now; here the segments get another.
  private static func bootAnew(_ capture: String) throws {
    let segments = "\(capture)/segments"
    for name in (try? FileManager.default.contentsOfDirectory(atPath: segments)) ?? [] {
      let path = "\(segments)/\(name)"
      guard var page = FileManager.default.contents(atPath: path)?.prefix(4096), page.count == 4096
      else { continue }
      func check() -> [UInt8] {
        page.replaceSubrange(12..<16, with: [0, 0, 0, 0])
        let check = page.withUnsafeBytes { UInt32(truncatingIfNeeded: contentHash($0)) }
        return withUnsafeBytes(of: check.littleEndian) { Array($0) }
      }
      // One that is damaged stays so.
      let stored = Array(page[12..<16])
      guard check() == stored else { continue }
      page[96] ^= 0xFF
      page.replaceSubrange(12..<16, with: check())
      let file = try FileHandle(forUpdating: URL(filePath: path))
      try file.write(contentsOf: page)
      try file.close()
    }
  }
}
