import CaptureIndex
public import CaptureStore
import Foundation
import Synchronization
public import Threads
import ZeroMQ

/// A recording from its first subscription to its sealed capture.
///
/// Making one checks and sets up everything: sockets connect, the capture and its first segment
/// are created, and only then are the subscriptions made, so that nothing arrives unprepared.
public final class Recorder: Sendable {
  /// The endpoints as they are in the manifest, with wildcards of bound ones resolved.
  public let endpoints: [RecordedEndpoint]
  private let intake: Intake
  private let writer: SendableWriter
  private let pinner: Pinner
  private let pinIndexer: PinIndexer
  private let follower: IndexFollower
  private let indexed: IndexProgress
  private let thread: WorkerThread
  private let ended: Guarded<Result<Void, ZeroMQError>?>

  /// The writer belongs to the recording thread until that has ended.
  private final class SendableWriter: @unchecked Sendable {
    let writer: CaptureWriter
    init(_ writer: CaptureWriter) { self.writer = writer }
  }

  /// Starts to record. Ends by `stop`, or by a limit of the plan.
  ///
  /// `prepare`: what else has to be there before anything is recorded, and needs the directory of
  /// the capture, which is nobody else's by then.
  ///
  /// Throws `ZeroMQError` for an endpoint that cannot be used, `StoreError` for a capture that
  /// cannot be created, and what `prepare` throws; then nothing is left behind, and what it would
  /// have gone on with is sealed.
  public convenience init(
    _ plan: RecordingPlan, stop: StopToken, prepare: () throws -> Void = {}
  ) throws {
    // Libzmq's own limit is 1,023; each endpoint takes a socket and two for its monitor.
    let context = try Context(
      ioThreads: plan.ioThreads, maxSockets: max(1023, plan.endpoints.count * 3 + 16),
      processors: Set(plan.processors.count > 1 ? Array(plan.processors[1...]) : plan.processors))
    try self.init(plan, stop: stop, context: context, files: .system, prepare: prepare)
  }

  init(
    _ plan: RecordingPlan, stop: StopToken, context: Context, files: FileSystem,
    prepare: () throws -> Void = {}
  ) throws {
    let sockets = try plan.endpoints.map { try Self.openSocket($0, plan, context) }
    var endpoints = plan.endpoints
    for index in endpoints.indices where endpoints[index].isBound {
      endpoints[index].address = try sockets[index].socket.lastEndpoint
    }
    self.endpoints = endpoints
    let isNew = !plan.isAppending || !Capture.exists(at: plan.capture)
    let writer =
      isNew
      ? try Self.create(plan, endpoints, files) : try Self.goOn(plan, endpoints, files)
    let capture: Capture
    let indexed = IndexProgress()
    let pinner = Pinner(plan, writer: writer)
    let pinIndexer = PinIndexer()
    let intake = Intake(
      plan, endpoints: endpoints, sockets: sockets, writer: writer, pinner: pinner,
      pinIndexer: pinIndexer, indexed: indexed, stop: stop)
    do {
      capture = try Self.openCapture(plan, files)
      try prepare()
      try intake.subscribe()
    } catch {
      pinIndexer.finish()
      if isNew { writer.discard() } else { Self.leave(writer, plan, files) }
      throw error
    }
    let ended = Guarded<Result<Void, ZeroMQError>?>(nil)
    self.ended = ended
    self.intake = intake
    self.writer = SendableWriter(writer)
    self.pinner = pinner
    self.pinIndexer = pinIndexer
    self.indexed = indexed
    follower = Self.follow(capture, plan, from: writer.nextSequence, indexed)
    let priority = plan.processors.first.map { WorkerThread.Priority.onCPU($0) } ?? .usual
    thread = WorkerThread(name: "zcap recorder", priority: priority) {
      let result = Result { () throws(ZeroMQError) in try intake.run() }
      ended.withLock { $0 = result }
      intake.ledger.close()
    }
  }

  /// What was recovered before the recording went on; nil for a new capture.
  public var recovery: Recovery? { writer.writer.recovery }

  /// Makes a capture of its own of the window of a ring around a time on the monotonic clock, in
  /// the background. `before`, `after`: nanoseconds, nil for those of the plan. Returns its path;
  /// an event tells when it is whole. nil where the recording has ended. From any thread.
  @discardableResult
  public func pin(
    at time: Int64 = CaptureClock.monotonicNanoseconds(), before: Int64? = nil,
    after: Int64? = nil, label: String
  ) -> String? {
    pinner.pin(at: time, before: before, after: after, label: label)
  }

  /// How the recording stands.
  public var status: RecordingStatus {
    intake.counters.status(
      indexed: indexed,
      possibleLosses: intake.ledger.possibleLosses.load(ordering: .relaxed))
  }

  /// What happened since the last call, to be told at once. Waits for it, until the recording has
  /// ended; returns nothing when nothing happened in that time.
  public func takeEvents(nanoseconds: Int64) -> [StoredEvent] {
    intake.ledger.take(nanoseconds: nanoseconds)
  }

  /// Waits for the recording thread to end. Returns whether it has.
  public func wait(nanoseconds: Int64) -> Bool {
    ended.wait(nanoseconds: nanoseconds) { $0 == nil ? nil : true } ?? false
  }

  /// Seals the capture and completes its index, after the recording thread has ended or was asked
  /// to. Called once.
  public func finish() throws -> RecordingSummary {
    thread.join()
    let result = ended.withLock { $0 }
    let writer = writer.writer
    intake.tellTriggers()
    var sealFailure: StoreError?
    do throws(StoreError) {
      try writer.finish()
    } catch {
      sealFailure = error
    }
    intake.ledger.isStoring = false
    intake.tellTriggers()
    for outcome in writer.takePinOutcomes() { intake.tell(outcome) }
    let indexFailure = follower.finish()
    pinIndexer.finish()
    writer.unlock()
    try result?.get()
    return RecordingSummary(
      status: status, reason: intake.reason, segments: writer.segmentCount, rolls: writer.rolls,
      failure: intake.failure?.description, sealFailure: sealFailure?.description,
      indexFailure: indexFailure, isCutShort: intake.isCutShort,
      possibleLosses: intake.ledger.possibleLossesByKind, windows: intake.windows,
      windowsFailed: intake.windowsFailed)
  }

  private static func create(
    _ plan: RecordingPlan, _ endpoints: [RecordedEndpoint], _ files: FileSystem
  ) throws(StoreError) -> CaptureWriter {
    let manifest = Manifest(
      host: ProcessInfo.processInfo.hostName, created: now(), recorder: plan.recorder,
      endpoints: endpoints, topicRule: plan.topicRule.description,
      sequences: plan.sequences.map(\.description), codecs: plan.codecs.map(\.description),
      keep: plan.keep, labels: plan.labels)
    return try CaptureWriter(
      creating: plan.capture, manifest: manifest, segmentSize: plan.segmentSize,
      sync: plan.sync, freeSpaceMin: plan.freeSpaceMin, schedule: .threads, files: files)
  }

  private static func goOn(
    _ plan: RecordingPlan, _ endpoints: [RecordedEndpoint], _ files: FileSystem
  ) throws(StoreError) -> CaptureWriter {
    let capture = try Capture(path: plan.capture, files: files)
    return try CaptureWriter(
      appendingTo: capture, endpoints: endpoints, known: Indexer.knownPlace(of: capture),
      keep: plan.keep, segmentSize: plan.segmentSize, sync: plan.sync,
      freeSpaceMin: plan.freeSpaceMin, schedule: .threads)
  }

  /// Seals a capture that was to be gone on with, and lets its index end where it does.
  private static func leave(_ writer: CaptureWriter, _ plan: RecordingPlan, _ files: FileSystem) {
    try? writer.finish()
    if let capture = try? Capture(path: plan.capture, files: files) {
      _ = follow(capture, plan, from: writer.nextSequence, IndexProgress()).finish()
    }
    writer.unlock()
  }

  private static func follow(
    _ capture: Capture, _ plan: RecordingPlan, from sequence: UInt64, _ progress: IndexProgress
  ) -> IndexFollower {
    // A capture that is gone on with keeps its rule; `zcap reindex` gives it another.
    IndexFollower(
      capture, rule: TopicRule(capture.manifest.topicRule) ?? plan.topicRule,
      sequences: [SequenceRule](capture.manifest), codecs: [CodecRule](capture.manifest),
      firstSequence: sequence, progress: progress)
  }

  /// What the writer made or goes on with, with all rules and labels of the plan in its manifest.
  private static func openCapture(
    _ plan: RecordingPlan, _ files: FileSystem
  ) throws(StoreError) -> Capture {
    let capture = try Capture(path: plan.capture, files: files)
    try capture.add(plan.schemas)
    let known = capture.manifest.sequences ?? []
    let added = plan.sequences.map(\.description).filter { !known.contains($0) }
    // What is said later counts before what was said earlier.
    let said = plan.codecs.map(\.description)
    let before = capture.manifest.codecs ?? []
    let codecs = said + before.filter { !said.contains($0) }
    let labels = capture.manifest.labels.merging(plan.labels) { _, new in new }
    if added.isEmpty && codecs == before && labels == capture.manifest.labels { return capture }
    try capture.replace(sequences: known + added, codecs: codecs, labels: labels)
    return try Capture(path: plan.capture, files: files)
  }

  private static func openSocket(
    _ endpoint: RecordedEndpoint, _ plan: RecordingPlan, _ context: Context
  ) throws(ZeroMQError) -> WatchedSocket {
    // An XSUB is a SUB that hands out what it holds also after unsubscribing: so a recording can
    // stop what comes in, and store what is here.
    let socket = try Socket(.xsub, in: context)
    try socket.set(.receiveHighWaterMark, plan.receiveHighWaterMark)
    try socket.set(.lingerMilliseconds, 0)
    // Before the socket gets its endpoint: from then on there is something to tell.
    let monitor = try? Monitor(socket, ConnectionWatch.kinds)
    if endpoint.isBound {
      try socket.bind(endpoint.address)
    } else {
      try socket.connect(endpoint.address)
    }
    return WatchedSocket(socket: socket, monitor: monitor)
  }

  private static func now() -> String {
    Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}
