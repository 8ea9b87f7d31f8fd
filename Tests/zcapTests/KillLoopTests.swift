import CaptureStore
import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// SIGKILL at any moment, under load: what a second process had seen of a capture is never lost.
  ///
  /// `ZCAP_KILL_RUNS` says how many runs there are, `ZCAP_TEST_SEED` what they do.
  @Suite struct KillLoopTests {
    private static let runs =
      ProcessInfo.processInfo.environment["ZCAP_KILL_RUNS"].flatMap { Int($0) } ?? 20

    @Test func whatWasSeenIsThereAfterEveryKill() throws {
      var random = SplitMix64(for: "whatWasSeenIsThereAfterEveryKill")
      var tally = Tally()
      for number in 0..<Self.runs {
        let seed = random.next() % 1_000_000_000
        var run = try KillRun(seed: seed)
        try run.recordUntilKilled()
        let faults = try run.faults()
        #expect(faults == [], "run \(number) of seed \(seed): \(run)")
        tally.add(run)
        // Where one fails, the rest would only hide it.
        if !faults.isEmpty { return }
      }
      print("kill loop: \(tally)")
      #expect(tally.committed > 0 && tally.recoveriesKilled > 0)
    }

    private struct Tally: CustomStringConvertible {
      var runs = 0
      var committed = 0
      var found = 0
      var segments = 0
      var recoveriesKilled = 0
      var rings = 0
      var pins = 0

      mutating func add(_ run: KillRun) {
        runs += 1
        committed += Int(run.committed)
        found += run.found
        segments += run.segments
        recoveriesKilled += run.recoveriesKilled
        rings += run.keep == nil ? 0 : 1
        pins += run.pins
      }

      var description: String {
        "\(runs) kills, \(committed) messages seen before them, \(found) found after them in "
          + "\(segments) segments, 0 lost, 0 invented; \(recoveriesKilled) kills of zcap recover, \(rings) of rings with "
          + "\(pins) windows of them"
      }
    }
  }
}

/// One recording that is killed, and what is found of it.
private struct KillRun: CustomStringConvertible {
  private let rig: Rig
  private var random: SplitMix64
  private let segmentSize: String
  private let sizeMax: Int
  private let sync: String
  /// Of a ring, which goes around several times: what it keeps.
  let keep: String?

  /// Messages that a reader had seen, and compared, before the kill.
  private(set) var committed: UInt64 = 0
  private(set) var found = 0
  private(set) var segments = 0
  private(set) var recoveriesKilled = 0
  /// Captures of windows of a ring that were looked at.
  private(set) var pins = 0
  private var strangers: [UInt64] = []

  init(seed: UInt64) throws {
    random = SplitMix64(seed: seed)
    rig = try Rig()
    segmentSize = ["64KiB", "64KiB", "128KiB", "1MiB", "256MiB"][random.int(0...4)]
    sizeMax = [10, 300, 3_000, 40_000][random.int(0...3)]
    sync = ["0", "10ms", "1s"][random.int(0...2)]
    let rings = ["64KiB": "512KiB", "128KiB": "1MiB"]
    keep = random.int(0...1) == 0 ? rings[segmentSize] : nil
  }

  private var path: String { rig.capture("killed") }

  var description: String {
    "segments of \(segmentSize), \(keep.map { "the last \($0)" } ?? "all") kept, messages up to \(sizeMax) bytes, --sync \(sync), "
      + "\(committed) seen and \(found) found"
  }

  /// The message of a number: the publisher's and the oracle's.
  private func frames(_ number: UInt64) -> [[UInt8]] {
    let size = Int(number &* 7_919 % UInt64(sizeMax))
    return [Array("load \(number)".utf8), [UInt8](repeating: UInt8(number % 251), count: size)]
  }

  mutating func recordUntilKilled() throws {
    let publisher = try Publisher(binding: rig.endpoint("load"))
    let recorder = try rig.start(
      ["record", publisher.endpoint, "-o", "killed", "--json", "--min-free", "0"]
        + ["--segment-size", segmentSize, "--sync", sync]
        // One window for now and then, of messages whose numbers begin with 1.
        + (keep.map { ["--keep", $0, "--trigger", "load 1", "--after", "0s"] } ?? []))
    try publisher.waitForSubscriptions()
    var reader = CaptureCursor(try Capture(path: path), verifying: .body)
    let bytes = random.int(1...8) << 20
    let count = UInt64(random.int(1...min(12_000, bytes / (sizeMax / 2 + 100))))
    let isBursty = random.int(0...1) == 0
    for number in 0..<count {
      try publisher.publish(frames(number))
      if isBursty && number % 64 == 0 { see(&reader, stepsMax: 48) }
    }
    // The recorder is at work on what was published last.
    see(&reader, stepsMax: random.int(0...20_000))
    if random.int(0...3) == 0 { usleep(useconds_t(random.int(0...30_000))) }
    kill(recorder.pid, SIGKILL)
    let ending = try recorder.wait().ending
    guard ending == .signal(SIGKILL) else { throw TestFailure("it ended by itself: \(ending)") }
  }

  private mutating func see(_ reader: inout CaptureCursor, stepsMax: Int) {
    for _ in 0..<stepsMax {
      switch reader.next() {
      case .record(let record) where record.kind == .data:
        if TestMessage(record, in: reader.segment!)?.frames != frames(record.sequence) {
          strangers.append(record.sequence)
        }
        committed = record.sequence + 1
      case .record: continue
      case .caughtUp: return
      default: strangers.append(committed)
      }
    }
  }

  /// What is wrong with what was left, before and after recoveries, some of them killed as well.
  mutating func faults() throws -> [String] {
    var faults = strangers.map { "seen while it was recorded, and wrong: \($0)" }
    faults += try compare("left")
    for _ in 0..<random.int(0...2) {
      let recover = try rig.start(["recover", "killed"])
      usleep(useconds_t(random.int(0...25_000)))
      recover.send(signal: SIGKILL)
      if case .signal(SIGKILL) = try recover.wait().ending { recoveriesKilled += 1 }
      faults += try compare("recovery killed")
    }
    for round in ["recovered", "recovered twice"] {
      let before = round == "recovered" ? nil : try fileTree(path)
      let run = try rig.run("recover", "killed", "--json")
      if run.exitCode != 0 { faults.append("\(run)") }
      if let before, try fileTree(path) != before { faults.append("recovering twice is not once") }
      faults += try compare(round)
    }
    let capture = try Capture(path: path)
    let walk = CaptureWalk(capture)
    segments = try capture.segmentFiles().count
    if !walk.isClean { faults.append("not whole after recovery") }
    faults += try faultsOfPins()
    let row = try rig.storeRow("killed")
    if row["state"] != "sealed" || row["messages"] != .integer(found) || row["lost"] != 0 {
      faults.append("zcap ls says \(row)")
    }
    return faults
  }

  private mutating func compare(_ when: String) throws -> [String] {
    var walk = CaptureWalk(try Capture(path: path))
    var faults: [String] = []
    let first = walk.order.first ?? 0
    let next = first + UInt64(walk.order.count)
    if walk.order != Array(first..<next) { faults.append("not contiguous") }
    if keep == nil && first > 0 { faults.append("it begins with \(first)") }
    if next < committed { faults.append("lost: \(next) to \(committed)") }
    if when != "left" && walk.order.count != found { faults.append("not those that were there") }
    // The message that was being copied when the kill came was never committed: a torn tail.
    walk.damages.removeAll { $0.reason == .torn }
    if !walk.isWhole { faults.append("\(walk.missing) \(walk.damages) \(walk.unreadable)") }
    for (sequence, message) in walk.messages where message.frames != frames(sequence) {
      faults.append("invented: \(sequence)")
    }
    found = walk.order.count
    return faults.map { "\(when): \($0)" }
  }

  /// What is wrong with the windows of a ring that are captures of their own: the ones that were
  /// being made end where their recorder did.
  private mutating func faultsOfPins() throws -> [String] {
    var faults: [String] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: rig.store)
    where name.hasPrefix("killed.") {
      pins += 1
      // Killed between its directory and its manifest, it is no capture yet.
      guard let capture = try? Capture(path: rig.capture(name)) else { continue }
      let walk = CaptureWalk(capture)
      let first = walk.order.first ?? 0
      if walk.order != Array(first..<first + UInt64(walk.order.count)) || !walk.isWhole {
        faults.append("\(name): \(walk.missing) \(walk.damages) \(walk.unreadable)")
      }
      for (sequence, message) in walk.messages where message.frames != frames(sequence) {
        faults.append("\(name): invented: \(sequence)")
      }
    }
    return faults
  }
}
