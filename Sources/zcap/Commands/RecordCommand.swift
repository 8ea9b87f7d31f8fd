import ArgumentParser
import CaptureIndex
import CaptureStore
import Recording

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

  @Argument(
    help: ArgumentHelp(
      "Endpoints, such as tcp://127.0.0.1:5555 or 'tcp://[::1]:5555'.", valueName: "endpoint"))
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

  @OptionGroup var limits: LimitOptions
  @OptionGroup var intake: IntakeOptions
  @OptionGroup var ring: RingOptions
  @OptionGroup var storage: StorageOptions
  @OptionGroup var meaning: MeaningOptions

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
    if output == "" { throw ValidationError("-o: the name of the capture is empty") }
    if append && output == nil { throw ValidationError("--append: name the capture with -o") }
    try intake.check()
    try ring.check(topics: topics, isAppending: append)
    try storage.check(ring.retention())
    try meaning.check()
    try limits.check()
  }

  func run() throws {
    let path = output.map { Store.path(forNew: $0) } ?? Store.newPath()
    if Capture.exists(at: path), !Capture.isFound(at: path) { throw NameInUse(path: path) }
    let present = try manifestToGoOnWith(path)
    let plan = try plan(path, present)
    try checkTopicRule(path, present)
    let keep = plan.keep ?? present?.keep
    tellOldRetention(plan, present)
    if keep == nil { try ring.refuseTriggers("\(path) is no ring") }
    ProcessLimits.openAsManyFilesAsAllowed()
    ProcessLimits.keepFreedMemory()
    let stop = StopSignals.token(outcome: "what was committed is in the capture")
    var requests: TriggerRequests?
    let recorder = try Recorder(plan, stop: stop) {
      if keep != nil {
        requests = try TriggerRequests(path)
        try ring.tryWindows(of: path)
      }
    }
    pinOnSignal(recorder, path, isRing: keep != nil)
    var report = RecordingReport(
      capture: path, endpoints: recorder.endpoints.map(\.address), topics: topics, keep: keep,
      isJSON: json)
    report.begin()
    tell(recorder.recovery, of: path)
    follow(recorder, requests, &report)
    let summary = try recorder.finish()
    report.tell(recorder.takeEvents(nanoseconds: 0))
    report.end(summary)
    if !plan.sequences.isEmpty, let index = try? IndexReader(Capture(path: path)) {
      CompletenessReport.tellIdleRules(index)
    }
    if !summary.isComplete { throw ExitCode.incomplete }
  }

  /// Of the capture that `--append` goes on with; nil where it makes a new one.
  private func manifestToGoOnWith(_ path: String) throws -> Manifest? {
    guard append, Capture.exists(at: path) else { return nil }
    return try Capture(path: path).manifest
  }

  /// A capture that is gone on with keeps its rule.
  private func checkTopicRule(_ path: String, _ present: Manifest?) throws {
    guard let rule = meaning.topicRule, let present, present.topicRule != rule.description else {
      return
    }
    throw ValidationError(
      "--topic-rule \(rule): \(path) has \(present.topicRule); 'zcap reindex --topic-rule' "
        + "changes it")
  }

  /// What a ring kept so far and will not keep any more may be a surprise.
  private func tellOldRetention(_ plan: RecordingPlan, _ present: Manifest?) {
    guard let keep = plan.keep, let old = present?.keep, old != keep else { return }
    Console.say("\(plan.capture): kept \(old.text) so far, from now on \(keep.text)")
  }

  /// SIGUSR1 makes a capture of its own of what a ring has.
  private func pinOnSignal(_ recorder: Recorder, _ path: String, isRing: Bool) {
    StopSignals.onTrigger {
      if isRing {
        if recorder.pin(label: "SIGUSR1") == nil {
          Console.complain("SIGUSR1: the recording has ended; no window is made")
        }
      } else {
        Console.complain("SIGUSR1: \(path) is no ring; everything is kept anyway")
      }
    }
  }

  /// What was recovered before the recording went on.
  private func tell(_ recovery: Recovery?, of path: String) {
    guard let recovery, recovery.isNeeded else { return }
    RecoveryReport.tell(recovery, of: path)
    if recovery.messagesMissing > 0 {
      let lost = Units.count(recovery.messagesMissing)
      Console.complain("\(path): of the recording before, \(lost) messages are lost")
    }
  }

  /// Tells of the recording, and takes requests for captures of their own, until it ends.
  private func follow(
    _ recorder: Recorder, _ requests: TriggerRequests?, _ report: inout RecordingReport
  ) {
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
  }

  private func plan(_ path: String, _ present: Manifest?) throws -> RecordingPlan {
    let prefixes = topics.isEmpty ? [[]] : topics.map(\.bytes)
    var plan = RecordingPlan(
      capture: path,
      endpoints: endpoints.map {
        RecordedEndpoint(
          address: $0.text, socket: "SUB", isBound: bind,
          subscriptions: prefixes.map { SubscriptionPrefix($0) })
      },
      recorder: "zcap \(Zcap.version)")
    plan.isAppending = append
    plan.labels = Dictionary(labels.map { ($0.key, $0.value) }) { _, last in last }
    limits.apply(to: &plan)
    intake.apply(to: &plan)
    try ring.apply(to: &plan, present?.keep)
    storage.apply(to: &plan, plan.keep ?? present?.keep)
    try meaning.apply(to: &plan)
    return plan
  }
}

/// What a new capture would have to be instead of.
private struct NameInUse: Error, CustomStringConvertible {
  var path: String
  var description: String { "\(path): there is something of this name that is no capture" }
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
