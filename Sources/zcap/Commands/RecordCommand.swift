import ArgumentParser
import CaptureIndex
import CaptureStore
import Recording
import Threads
import ZeroMQ

struct RecordCommand: ParsableCommand, CheckedCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "Record what endpoints publish into a new capture.",
    discussion: """
      Subscribes to each endpoint and stores every message exactly as received. Endpoints that do \
      not exist yet are connected as soon as they do. Stop with Ctrl-C: what has been received is \
      stored, and the capture is sealed; SIGTERM and SIGHUP do the same.

      A subscriber cannot see what a publisher drops at its own high-water mark, nor what was \
      published before the subscription reached it or while the connection was lost. Where \
      messages carry a counter, --sequence finds it. What can be seen is in 'zcap ls --events'.
      """)

  @Argument(help: ArgumentHelp("Endpoints, such as tcp://127.0.0.1:5555.", valueName: "endpoint"))
  var endpoints: [EndpointAddress]

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The new capture: a path, or a name in the store. (default: the time in UTC)",
      valueName: "capture"))
  var output: String?

  @Flag(
    help: """
      Go on with the capture if it is there; what a killed recorder left open is recovered first. \
      Endpoints, labels and counters are added to those that it has; --keep replaces what a ring \
      kept so far.
      """)
  var append = false

  @Option(
    name: [.short, .customLong("topic")],
    help: ArgumentHelp(
      "Subscribe to topics that start with this (repeatable; default: everything).",
      valueName: "prefix"))
  var topics: [TopicPrefix] = []

  @Flag(help: "Bind the endpoints instead of connecting to them.")
  var bind = false

  @Option(help: ArgumentHelp("Stop after this time, such as 10s or 1h30m.", valueName: "time"))
  var duration: TimeSpan?

  @Option(help: ArgumentHelp("Stop after this many messages.", valueName: "messages"))
  var count: UInt64?

  @Option(help: ArgumentHelp("Stop after this many bytes of frames.", valueName: "bytes"))
  var size: ByteSize?

  @Option(
    help: ArgumentHelp(
      """
      Messages that libzmq may hold for each publisher while zcap is busy; 0 is no limit. A full \
      queue makes the publisher drop, so this is far above libzmq's 1000. It may take this many \
      times the message size of memory.
      """, valueName: "messages"))
  var hwm = RecordingPlan.receiveHighWaterMarkDefault

  @Option(help: ArgumentHelp("Threads of libzmq; one takes about 1 GB/s.", valueName: "n"))
  var ioThreads = 1

  @Option(
    help: ArgumentHelp(
      """
      CPUs by number, such as 2,3: the recording thread runs on the first one, those of libzmq on \
      the others. (default: the system decides)
      """, valueName: "list"))
  var cpu: CPUList?

  @Option(
    name: .customLong("keep"),
    help: ArgumentHelp(
      """
      Keep the newest only, such as 10GiB on disk at most, the last 24h or 1000000msg at least: \
      the oldest segments make room (repeatable with different units: a segment goes as soon as \
      one limit lets it).
      """, valueName: "limit"))
  var keep: [RetentionArgument] = []

  @Option(
    name: .customLong("trigger"),
    help: ArgumentHelp(
      """
      With --keep: a message of a topic that starts with this makes a capture of its own of the \
      time around it (repeatable). Those within a second share one, which is a second longer; \
      what comes later while it is made has its own behind it. SIGUSR1 and 'zcap trigger' make \
      one each time.
      """, valueName: "prefix"))
  var triggers: [TopicPrefix] = []

  @Option(
    help: ArgumentHelp("How much before a trigger is kept. (default: 60s)", valueName: "time"))
  var before: TimeSpan?

  @Option(
    help: ArgumentHelp("How much behind a trigger is kept. (default: 30s)", valueName: "time"))
  var after: TimeSpan?

  @Option(
    help: ArgumentHelp(
      """
      Bytes of each segment file. (default: 256MiB, with --keep an eighth of its bytes or 64MiB)
      """, valueName: "bytes"))
  var segmentSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      """
      How often what was recorded is put on stable storage, which a power loss cannot take: a \
      time, 0 for when a segment is full, or always, which is slow.
      """, valueName: "interval"))
  var sync = SyncArgument(.standard)

  @Option(
    help: ArgumentHelp(
      "Leave this much of the disk free, such as 5% or 2GiB: below it, recording ends.",
      valueName: "space"))
  var minFree = FreeSpaceArgument(.standard)

  @Option(
    help: ArgumentHelp(
      "How topics are told: auto, frame, delimiter:X, prefix:N or none. (default: auto)",
      valueName: "rule"))
  var topicRule: TopicRule?

  @Option(
    name: .customLong("sequence"),
    help: ArgumentHelp(
      """
      A counter in the payload of topics with this prefix, by which losses are found that no \
      subscriber sees: PREFIX:frame=1:offset=0:u32le (repeatable; u8, u16le, u16be to u64be; \
      frames count from 0, or from -1 at the end). Each topic counts by itself; with :shared \
      behind it, all topics of an endpoint share one counter.
      """, valueName: "rule"))
  var sequences: [SequenceArgument] = []

  @Option(
    name: .customLong("label"),
    help: ArgumentHelp("Keep a label with the capture (repeatable).", valueName: "key=value"))
  var labels: [Label] = []

  @Flag(help: "Status and summary as one JSON object a line on standard output.")
  var json = false

  func check() throws {
    guard !endpoints.isEmpty else { throw ValidationError("name an endpoint to record") }
    for (index, endpoint) in endpoints.enumerated() {
      try endpoint.validate(isBound: bind)
      if endpoints[..<index].contains(where: { $0.text == endpoint.text }) {
        throw ValidationError("'\(endpoint.text)': named twice; it would be recorded twice")
      }
    }
    guard hwm >= 0, hwm <= Int(Int32.max) else {
      throw ValidationError("--hwm \(hwm): from 0 to \(Int32.max)")
    }
    guard (1...1024).contains(ioThreads) else {
      throw ValidationError("--io-threads \(ioThreads): from 1 to 1024")
    }
    let retention = try RetentionArgument.combined(keep)
    if retention == nil && !append { try refuseTriggers("only with --keep") }
    if let size = segmentSize?.bytes {
      let least = CaptureWriter.segmentSizes.lowerBound
      let most = min(
        CaptureWriter.segmentSizes.upperBound, retention?.segmentSizeMax ?? .max)
      guard size >= least && size <= most else {
        throw ValidationError(
          "--segment-size \(size): from \(Units.binary(least)) to \(Units.binary(most))"
            + (most < CaptureWriter.segmentSizes.upperBound ? ", an eighth of --keep" : ""))
      }
    }
    for number in cpu?.numbers ?? [] where !Processors.allowed.contains(number) {
      throw ValidationError("--cpu \(number): not a CPU that this process may use")
    }
    if output == "" { throw ValidationError("-o: the name of the capture is empty") }
    if append && output == nil { throw ValidationError("--append: name the capture with -o") }
    for trigger in triggers {
      if trigger.bytes.isEmpty {
        throw ValidationError("--trigger '': every message would trigger; say a prefix of topics")
      }
      let isReceived =
        topics.isEmpty
        || topics.contains {
          trigger.bytes.starts(with: $0.bytes) || $0.bytes.starts(with: trigger.bytes)
        }
      if !isReceived {
        let text = String(decoding: trigger.bytes, as: UTF8.self)
        throw ValidationError("--trigger \(text): no such topic is subscribed to with -t")
      }
    }
    for sequence in sequences { _ = try sequence.rule() }
    if count == 0 { throw ValidationError("--count 0: there would be nothing to record") }
    if duration?.nanoseconds == 0 {
      throw ValidationError("--duration 0: there would be nothing to record")
    }
  }

  func run() throws {
    let plan = try plan()
    try checkTopicRule(plan)
    let keep = try retention(of: plan)
    try tellOldRetention(plan)
    if keep == nil { try refuseTriggers("\(plan.capture) is no ring") }
    ProcessLimits.openAsManyFilesAsAllowed()
    ProcessLimits.keepFreedMemory()
    let stop = StopSignals.token()
    var requests: TriggerRequests?
    let recorder = try Recorder(plan, stop: stop) {
      if keep != nil { requests = try TriggerRequests(plan.capture) }
    }
    StopSignals.onTrigger {
      if keep != nil {
        recorder.pin(label: "SIGUSR1")
      } else {
        Console.complain("SIGUSR1: \(plan.capture) is no ring; everything is kept anyway")
      }
    }
    var report = RecordingReport(
      capture: plan.capture, endpoints: recorder.endpoints.map(\.address), keep: keep,
      isJSON: json)
    report.begin()
    if let recovery = recorder.recovery, recovery.isNeeded {
      RecoveryReport.tell(recovery, of: plan.capture)
      if recovery.messagesMissing > 0 {
        let lost = Units.count(recovery.messagesMissing)
        Console.complain("\(plan.capture): of the recording before, \(lost) messages are lost")
      }
    }
    while !recorder.wait(nanoseconds: 0) {
      report.tell(
        recorder.takeEvents(
          nanoseconds: min(report.nanosecondsToStatus, requests?.interval ?? .max)))
      requests?.answer { request in
        recorder.pin(
          at: request.time, before: request.before, after: request.after,
          label: request.label ?? "zcap trigger")
      }
      if report.nanosecondsToStatus == 0 { report.show(recorder.status) }
    }
    let summary = try recorder.finish()
    report.tell(recorder.takeEvents(nanoseconds: 0))
    report.end(summary)
    if !summary.isComplete { throw ExitCode.incomplete }
  }

  /// A capture that is gone on with keeps its rule.
  private func checkTopicRule(_ plan: RecordingPlan) throws {
    guard append, let topicRule, Capture.exists(at: plan.capture) else { return }
    let present = try Capture(path: plan.capture).manifest.topicRule
    guard present != topicRule.description else { return }
    throw ValidationError(
      "--topic-rule \(topicRule): \(plan.capture) has \(present); 'zcap reindex --topic-rule' "
        + "changes it")
  }

  /// What a ring kept so far and will not keep any more may be a surprise.
  private func tellOldRetention(_ plan: RecordingPlan) throws {
    guard append, let keep = plan.keep, Capture.exists(at: plan.capture),
      let old = try Capture(path: plan.capture).manifest.keep, old != keep
    else { return }
    Console.say("\(plan.capture): kept \(old.text) so far, from now on \(keep.text)")
  }

  /// Throws where something is said of triggers, and they cannot work.
  private func refuseTriggers(_ reason: String) throws {
    let option =
      !triggers.isEmpty ? "--trigger" : before != nil ? "--before" : after != nil ? "--after" : nil
    if let option {
      throw ValidationError("\(option): \(reason); everything is kept anyway")
    }
  }

  /// What the recording will keep, if it is a ring.
  private func retention(of plan: RecordingPlan) throws -> Retention? {
    if let keep = plan.keep { return keep }
    guard append, Capture.exists(at: plan.capture) else { return nil }
    return try Capture(path: plan.capture).manifest.keep
  }

  private func plan() throws -> RecordingPlan {
    let prefixes = topics.isEmpty ? [[]] : topics.map(\.bytes)
    var plan = RecordingPlan(
      capture: output.map { Store.path(forNew: $0) } ?? Store.newPath(),
      endpoints: endpoints.map {
        RecordedEndpoint(
          address: $0.text, socket: "SUB", isBound: bind,
          subscriptions: prefixes.map { SubscriptionPrefix($0) })
      },
      recorder: "zcap \(Zcap.version)")
    plan.topicRule = topicRule ?? .auto
    plan.sequences = try sequences.map { try $0.rule() }
    plan.isAppending = append
    plan.labels = Dictionary(labels.map { ($0.key, $0.value) }) { _, last in last }
    plan.triggerTopics = triggers.map(\.bytes)
    if let before { plan.triggerWindow.before = before.nanoseconds }
    if let after { plan.triggerWindow.after = after.nanoseconds }
    plan.keep = try RetentionArgument.combined(keep)
    plan.segmentSize =
      try segmentSize?.bytes ?? retention(of: plan)?.segmentSizeDefault
      ?? CaptureWriter.segmentSizeDefault
    plan.sync = sync.policy
    plan.freeSpaceMin = minFree.least
    plan.ioThreads = ioThreads
    plan.processors = cpu?.numbers ?? []
    plan.receiveHighWaterMark = hwm
    plan.durationNanosecondsMax = duration?.nanoseconds
    plan.messagesMax = count
    plan.bytesMax = size.map { UInt64($0.bytes) }
    return plan
  }
}

/// `2,3`.
struct CPUList: ExpressibleByArgument {
  var numbers: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.allSatisfy({ $0 ?? -1 >= 0 }) else { return nil }
    numbers = parts.compactMap { $0 }
    guard Set(numbers).count == numbers.count else { return nil }
  }
}

/// `key=value`.
struct Label: ExpressibleByArgument {
  var key: String
  var value: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty else { return nil }
    key = String(parts[0])
    value = String(parts[1])
  }
}
