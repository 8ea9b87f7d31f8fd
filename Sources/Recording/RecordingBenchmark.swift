import CaptureIndex
import CaptureStore
import Foundation
public import Threads
import ZeroMQ

/// Measures how fast this machine records, in this process, over what libzmq itself can do there.
///
/// A publisher sends messages of two frames over TCP on the loopback interface and waits rather
/// than drop. They are taken by a receiver that throws them away, by a recording into new segments,
/// and by one into a ring that has gone around; in turn, since a machine is not as fast all the
/// time. The captures are removed.
public struct RecordingBenchmark {
  /// The median of several rounds.
  public struct Measurement: Sendable {
    /// Bytes of the second frame; the first has 16.
    public var payloadBytes: Int
    /// Messages a second that are thrown away.
    public var receivedPerSecond: Double
    /// Messages a second into new segments.
    public var recordedPerSecond: Double
    /// Messages a second into a ring.
    public var ringPerSecond: Double
    /// The capture with its index, over the bytes of the frames.
    public var diskBytesPerByte: Double
  }

  /// Large enough for a median of seconds, small enough for any disk.
  private static let ringBytes = 512 << 20

  private let folder: String
  private let recorder: String
  /// Folders that were not there before, the innermost first.
  private let madeFolders: [String]
  private let stop: StopToken

  /// Makes the folder that captures are written into: its disk is what is measured.
  ///
  /// `recorder`: name and version of the program, for their manifests. A request to `stop` ends a
  /// measurement, whose result is of no use then. Throws `folder` where that cannot be made.
  public init(
    in folder: String, recorder: String, stop: StopToken
  ) throws(RecordingBenchmarkError) {
    self.folder = folder
    self.recorder = recorder
    self.stop = stop
    var made: [String] = []
    var path = folder
    while !path.isEmpty, !Self.isThere(path) {
      made.append(path)
      path = (path as NSString).deletingLastPathComponent
    }
    madeFolders = made
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw .folder(folder, reason: error.localizedDescription)
    }
  }

  /// Removes the folders that it made, where nobody else has put something into them.
  public func tidy() {
    for folder in madeFolders { _ = unsafe rmdir(folder) }
  }

  /// Measures messages with a payload of so many bytes, so often, until a stop is requested.
  ///
  /// Throws `lost` where messages did not come, and what keeps the machine from recording.
  public func measure(payload: Int, rounds: Int) throws -> Measurement {
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
    return Measurement(
      payloadBytes: payload, receivedPerSecond: Self.median(rates.received),
      recordedPerSecond: Self.median(rates.recorded), ringPerSecond: Self.median(rates.ring),
      diskBytesPerByte: disk)
  }

  private static func median(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.sorted()[values.count / 2]
  }

  /// Takes messages and throws them away. Messages a second.
  private func receive(_ count: Int, _ payload: Int) throws -> Double {
    let publisher = try BenchmarkPublisher(count, payload: payload)
    let socket = try Socket(.sub, in: Context())
    try socket.set(.receiveHighWaterMark, RecordingPlan.receiveHighWaterMarkDefault)
    try socket.set(.receiveTimeoutMilliseconds, 10_000)
    try socket.subscribe([])
    try socket.connect(publisher.endpoint)
    var message = Message()
    var begun: Int64 = 0
    for number in 0..<count {
      guard try socket.receive(into: &message, waiting: true) else {
        throw RecordingBenchmarkError.lost(number, of: count)
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
    let publisher = try BenchmarkPublisher(count, payload: payload)
    let plan = plan(publisher.endpoint, count, keep)
    defer { try? FileManager.default.removeItem(atPath: plan.capture) }
    let recorder = try Recorder(plan, stop: stop)
    while !recorder.wait(nanoseconds: 100_000_000) { _ = recorder.takeEvents(nanoseconds: 0) }
    let summary = try recorder.finish()
    publisher.finish()
    if stop.isRequested { return (0, 1) }
    guard summary.isComplete, summary.status.messages == UInt64(count) else {
      throw RecordingBenchmarkError.lost(Int(summary.status.messages), of: count)
    }
    let overview = try IndexReader(Capture(path: plan.capture)).overview()
    guard let first = overview.first, let last = overview.last, last > first else {
      throw RecordingBenchmarkError.lost(0, of: count)
    }
    return (
      Double(overview.messages) / (Double(last - first) / 1e9),
      Double(try Self.diskBytes(plan.capture)) / Double(overview.bytes)
    )
  }

  private func plan(_ endpoint: String, _ count: Int, _ keep: Retention?) -> RecordingPlan {
    var plan = RecordingPlan(
      capture: "\(folder)/zcap-bench-\(UUID().uuidString)",
      endpoints: [
        RecordedEndpoint(
          address: endpoint, socket: "SUB", isBound: false,
          subscriptions: [SubscriptionPrefix([])])
      ], recorder: recorder)
    plan.keep = keep
    if let most = keep?.segmentSizeMax { plan.segmentSize = min(plan.segmentSize, most) }
    plan.messagesMax = UInt64(count)
    return plan
  }

  private static func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  private static func diskBytes(_ path: String) throws -> Int {
    try FileManager.default.subpathsOfDirectory(atPath: path).reduce(0) { total, name in
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
      return total + (attributes[.size] as? Int ?? 0)
    }
  }
}

/// What keeps a measurement from being one. Each description is one line.
public enum RecordingBenchmarkError: Error, Hashable, Sendable {
  /// So many messages came, of those that were sent.
  case lost(Int, of: Int)
  /// There is no folder to write into.
  case folder(String, reason: String)
}

extension RecordingBenchmarkError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .lost(let found, let count):
      "\(found) of \(count) messages came; the measurement is of no use"
    case .folder(let path, let reason):
      "\(path): cannot be made a folder: \(reason)"
    }
  }
}
