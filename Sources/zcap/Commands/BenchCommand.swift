import ArgumentParser
import CaptureIndex
import CaptureStore
import Foundation
import Recording
import Threads
import ZeroMQ

struct BenchCommand: ParsableCommand, CheckedCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how fast this machine records.",
    discussion: """
      A publisher in this process sends messages of two frames over TCP on the loopback interface, \
      and waits rather than drop. They are taken by a receiver that throws them away, which is what \
      libzmq can do here; by a recording into new segments; and by one into a ring that has gone \
      around. In turn, several times; what is shown is the median of each. The captures are removed.

      What it shows is of this machine as busy as it is now. Nothing is compared with other programs \
      here: scripts/bench of the source does that.
      """)

  @Option(
    help: ArgumentHelp(
      "Bytes of a payload (repeatable; default: 64, 1KiB, 16KiB, 256KiB).", valueName: "bytes"))
  var size: [ByteSize] = []

  @Option(help: ArgumentHelp("How often each is measured.", valueName: "n"))
  var rounds = 3

  @Option(
    help: ArgumentHelp(
      "Where the captures are written: the disk that is measured. (default: the store)",
      valueName: "folder"))
  var folder: String?

  @Flag(help: "One JSON object a line.")
  var json = false

  func check() throws {
    guard (1...100).contains(rounds) else {
      throw ValidationError("--rounds \(rounds): from 1 to 100")
    }
    for size in size where size.bytes > 16 << 20 {
      throw ValidationError("--size \(size.bytes): at most 16 MiB")
    }
  }

  func run() throws {
    ProcessLimits.openAsManyFilesAsAllowed()
    ProcessLimits.keepFreedMemory()
    let stop = StopSignals.token()
    let bench = try RecordingBench(in: folder ?? Store.directory, stop: stop)
    defer { bench.tidy() }
    var table = Table([
      ("PAYLOAD", .right), ("LIBZMQ", .right), ("RECORDED", .right), ("RATIO", .right),
      ("IN A RING", .right), ("RATIO", .right), ("DISK", .right),
    ])
    let sizes = size.isEmpty ? [64, 1 << 10, 16 << 10, 256 << 10] : size.map(\.bytes)
    for size in sizes {
      Console.say("measuring messages of \(Units.binary(size))")
      let result = try bench.measure(payload: size, rounds: rounds)
      if stop.isRequested {
        Console.complain("stopped; messages of \(Units.binary(size)) have no result")
        throw ExitCode.incomplete
      }
      if json { write(result) } else { table.add(Self.row(result)) }
    }
    if json { return }
    var output = DataOutput()
    for line in table.lines(isColoured: false) { output.writeLine(line) }
    output.flush()
  }

  private static func row(_ result: RecordingBench.Result) -> [String] {
    func rate(_ value: Double) -> String { "\(Units.count(Int(value)))/s" }
    return [
      Units.binary(result.payload), rate(result.received), rate(result.recorded),
      Units.fixed(result.recorded / result.received, 2), rate(result.ring),
      Units.fixed(result.ring / result.received, 2),
      "+\(Units.fixed(100 * (result.diskBytesPerByte - 1), 1)) %",
    ]
  }

  private func write(_ result: RecordingBench.Result) {
    var line = JSONLine()
    line.add("payload_bytes", result.payload)
    line.add("received_per_s", seconds: result.received, decimals: 0)
    line.add("recorded_per_s", seconds: result.recorded, decimals: 0)
    line.add("recorded_ratio", seconds: result.recorded / result.received, decimals: 3)
    line.add("ring_per_s", seconds: result.ring, decimals: 0)
    line.add("ring_ratio", seconds: result.ring / result.received, decimals: 3)
    line.add("disk_over_frames", seconds: result.diskBytesPerByte, decimals: 4)
    var output = DataOutput()
    output.writeLine(line.text)
    output.flush()
  }
}

/// The measurements of `zcap bench`.
struct RecordingBench {
  struct Result {
    /// Bytes of the second frame; the first has 16.
    var payload: Int
    /// Messages a second: thrown away, into new segments, and in a ring.
    var received: Double
    var recorded: Double
    var ring: Double
    /// The capture with its index, over the bytes of the frames.
    var diskBytesPerByte: Double
  }

  private let folder: String
  /// Folders that were not there before, the innermost first.
  private let madeFolders: [String]
  private let stop: StopToken

  init(in folder: String, stop: StopToken) throws {
    self.folder = folder
    self.stop = stop
    var made: [String] = []
    var path = folder
    while !path.isEmpty, access(path, F_OK) != 0 {
      made.append(path)
      path = (path as NSString).deletingLastPathComponent
    }
    madeFolders = made
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw BenchError.folder(folder, reason: error.localizedDescription)
    }
  }

  /// Removes the folders that it made, where nobody else has put something into them.
  func tidy() {
    for folder in madeFolders { rmdir(folder) }
  }

  /// Large enough for a median of seconds, small enough for any disk.
  private static let ringBytes = 512 << 20

  func measure(payload: Int, rounds: Int) throws -> Result {
    let lap = Self.ringBytes / (payload + 128)
    var rates: (received: [Double], recorded: [Double], ring: [Double]) = ([], [], [])
    var disk = 1.0
    for _ in 0..<rounds where !stop.isRequested {
      rates.received.append(try receive(lap, payload))
      let (rate, ratio) = try record(lap, payload, keep: nil)
      rates.recorded.append(rate)
      disk = ratio
      rates.ring.append(
        try record(lap * 5 / 2, payload, keep: Retention(bytes: Self.ringBytes)).rate)
    }
    return Result(
      payload: payload, received: Self.median(rates.received),
      recorded: Self.median(rates.recorded), ring: Self.median(rates.ring),
      diskBytesPerByte: disk)
  }

  private static func median(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.sorted()[values.count / 2]
  }

  /// Takes messages and throws them away.
  private func receive(_ count: Int, _ payload: Int) throws -> Double {
    let publisher = try BenchPublisher(count, payload)
    let socket = try Socket(.sub, in: Context())
    try socket.set(.receiveHighWaterMark, RecordingPlan.receiveHighWaterMarkDefault)
    try socket.set(.receiveTimeoutMilliseconds, 10_000)
    try socket.subscribe([])
    try socket.connect(publisher.endpoint)
    var message = Message()
    var begun: Int64 = 0
    for number in 0..<count {
      guard try socket.receive(into: &message, waiting: true) else {
        throw BenchError.lost(number, of: count)
      }
      if number == 0 { begun = CaptureClock.monotonicNanoseconds() }
    }
    let nanoseconds = CaptureClock.monotonicNanoseconds() - begun
    publisher.finish()
    return Double(count) / (Double(nanoseconds) / 1e9)
  }

  /// Records messages. The rate is that of what the capture keeps, by its own times.
  private func record(
    _ count: Int, _ payload: Int, keep: Retention?
  ) throws -> (rate: Double, diskBytesPerByte: Double) {
    let publisher = try BenchPublisher(count, payload)
    var plan = RecordingPlan(
      capture: "\(folder)/zcap-bench-\(UUID().uuidString)",
      endpoints: [
        RecordedEndpoint(
          address: publisher.endpoint, socket: "SUB", isBound: false,
          subscriptions: [SubscriptionPrefix([])])
      ], recorder: "zcap \(Zcap.version)")
    plan.keep = keep
    if let most = keep?.segmentSizeMax { plan.segmentSize = min(plan.segmentSize, most) }
    plan.messagesMax = UInt64(count)
    defer { try? FileManager.default.removeItem(atPath: plan.capture) }
    let recorder = try Recorder(plan, stop: stop)
    while !recorder.wait(nanoseconds: 100_000_000) { _ = recorder.takeEvents(nanoseconds: 0) }
    let summary = try recorder.finish()
    publisher.finish()
    if stop.isRequested { return (0, 1) }
    guard summary.isComplete, summary.status.messages == UInt64(count) else {
      throw BenchError.lost(Int(summary.status.messages), of: count)
    }
    let overview = try IndexReader(Capture(path: plan.capture)).overview()
    guard let first = overview.first, let last = overview.last, last > first else {
      throw BenchError.lost(0, of: count)
    }
    return (
      Double(overview.messages) / (Double(last - first) / 1e9),
      Double(try Self.diskBytes(plan.capture)) / Double(overview.bytes)
    )
  }

  private static func diskBytes(_ path: String) throws -> Int {
    try FileManager.default.subpathsOfDirectory(atPath: path).reduce(0) { total, name in
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
      return total + (attributes[.size] as? Int ?? 0)
    }
  }
}

enum BenchError: Error, CustomStringConvertible {
  case lost(Int, of: Int)
  case folder(String, reason: String)

  var description: String {
    switch self {
    case .lost(let found, let count):
      "\(found) of \(count) messages came; the measurement is of no use"
    case .folder(let path, let reason):
      "\(path): cannot be made a folder: \(reason)"
    }
  }
}

/// Sends messages of two frames from a thread of its own, as fast as they are taken.
private final class BenchPublisher {
  let endpoint: String
  private let thread: WorkerThread

  /// A socket, and bytes that it sends in place: they outlive it and its context.
  private final class Sender: @unchecked Sendable {
    private var socket: Socket?
    private let payload: UnsafeMutableRawBufferPointer

    init(_ socket: Socket, payload count: Int) {
      self.socket = socket
      payload = .allocate(byteCount: max(1, count), alignment: 64)
      payload.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
      socket = nil
      payload.deallocate()
    }

    /// Sends so many messages to whoever subscribes first; fewer when nobody takes them any more.
    func send(_ count: Int) {
      guard let socket, (try? socket.receiveFrames()) ?? nil != nil else { return }
      let topics = (0..<4).map { Array("topic/000000000\($0)".utf8) }
      for number in 0..<count {
        let isTopicTaken = topics[number % 4].withUnsafeBytes {
          (try? socket.send($0, more: true, waiting: true)) ?? false
        }
        guard isTopicTaken,
          (try? socket.send(
            constant: UnsafeRawBufferPointer(payload), more: false, waiting: true)) ?? false
        else { return }
      }
    }
  }

  init(_ count: Int, _ payload: Int) throws {
    let socket = try Socket(.xpub, in: Context())
    let queue = max(100, min(10_000, (64 << 20) / (payload + 16)))
    try socket.set(.sendHighWaterMark, queue)
    try socket.set(.xpubNoDrop, true)
    // A stopped receiver ends it.
    try socket.set(.sendTimeoutMilliseconds, 2_000)
    try socket.set(.receiveTimeoutMilliseconds, 10_000)
    try socket.set(.lingerMilliseconds, 2_000)
    try socket.bind("tcp://127.0.0.1:*")
    endpoint = try socket.lastEndpoint
    let sender = Sender(socket, payload: payload)
    thread = WorkerThread(name: "zcap publisher") { sender.send(count) }
  }

  func finish() { thread.join() }
}
