import ArgumentParser
import CaptureIndex
import CaptureStore
import Glibc
import Replaying
import Synchronization
import Threads

struct ReplayCommand: ParsableCommand, CheckedCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Publish captures again, at their own pace or another.",
    discussion: """
      Messages leave in recorded order, when they are due. When a peer cannot keep up, the replay \
      waits for it: nothing is dropped. Subscribers that are to see the first message have to be \
      there before it: --wait-subscribers 1.
      """)

  @Argument(
    help: ArgumentHelp(
      "Captures: paths, or names in the store. Several are played on one timeline.",
      valueName: "capture"))
  var captures: [String]

  @OptionGroup(title: "Where to") var targets: TargetOptions
  @OptionGroup(title: "How fast") var pacing: PacingOptions
  @OptionGroup(title: "Which messages") var selection: SelectionOptions

  @Option(
    help: ArgumentHelp(
      """
      Before --from, and before where the replay goes on after a seek, send the last earlier \
      message of each topic that starts with this (repeatable).
      """, valueName: "prefix"))
  var stateFirst: [TopicPrefix] = []

  @Option(
    defaultAsFlag: LoopCount(count: nil),
    help: ArgumentHelp("Play this many times; without a number, until stopped.", valueName: "n"))
  var loop: LoopCount?

  @OptionGroup(title: "Timeline") var timeline: TimelineOptions
  @OptionGroup(title: "Peers") var peers: PeerOptions

  @Flag(help: "Control it by keys, on a terminal: space pauses, q stops; it shows the others.")
  var keys = false

  @Option(
    help: ArgumentHelp(
      """
      Let programs control it at this endpoint: a REP socket that takes {"do":"pause"}, resume, step, \
      seek, next-mark, rate, status or stop, as JSON.
      """, valueName: "endpoint"))
  var control: EndpointAddress?

  @Flag(help: "Tell what would be sent, and send nothing.")
  var dryRun = false

  @Flag(name: .shortAndLong, help: "Tell the lateness of each topic, too.")
  var verbose = false

  @Flag(help: "Summary as a JSON object on standard output.")
  var json = false

  /// A value that does not parse would count as the flag without one: and as a capture, where it
  /// stands for itself.
  private func checkLoopAsGiven() throws {
    let arguments = CommandLine.arguments
    let isNumber = { (text: String) in Int(text) != nil }
    let joined = arguments.filter { $0.hasPrefix("--loop=") }.map { $0.dropFirst("--loop=".count) }
    let separate = zip(arguments, arguments.dropFirst()).filter { $0 == "--loop" && isNumber($1) }
    let values = joined.map(String.init) + separate.map(\.1)
    if let value = values.first(where: { LoopCount(argument: $0) == nil }) {
      throw ValidationError("The value '\(value)' is invalid for '--loop', a number from 1 on")
    }
  }

  func check() throws {
    try checkLoopAsGiven()
    try targets.check()
    try pacing.check()
    try timeline.check(pacing, captures: captures.count, isLooping: loop != nil)
    try peers.check(targets.type)
    try control?.validate(isBound: true)
    if keys && isatty(STDIN_FILENO) != 1 {
      throw ValidationError("--keys needs a terminal; --control lets programs control a replay")
    }
    if dryRun && timeline.follow { throw ValidationError("--dry-run and --follow: one of them") }
  }

  func run() throws {
    let indexes = try captures.map {
      try IndexReader(Capture(path: Store.path(forExisting: $0)))
    }
    let sources = try sources(indexes)
    let plan = try plan(indexes)
    let paths = indexes.map(\.capture.path)
    FileFaults.tell(of: paths)
    if dryRun {
      let preview = try ReplayPreview(sources, plan)
      PreviewReport(plan: plan, captures: paths, isJSON: json).show(preview)
      try sayWhatIsNotSent(indexes)
      if !preview.isComplete { throw ExitCode.incomplete }
      return
    }
    let stop = StopSignals.token(outcome: "peers may lack the last messages")
    let verbs = ReplayControl()
    let replayer = try Replayer(sources, plan, stop: stop, control: verbs)
    let report = ReplayReport(
      plan: plan, captures: paths, endpoints: replayer.endpoints, isJSON: json)
    try sayWhatIsNotSent(indexes)
    let summary = try play(replayer, verbs, stop, report)
    report.end(summary)
    if let failure = summary.timingFailure { throw failure }
    if !summary.isComplete { throw ExitCode.incomplete }
  }

  private func sayWhatIsNotSent(_ indexes: [IndexReader]) throws {
    for endpoint in try targets.leftOut(indexes) {
      Console.say("what came from \(endpoint) is not sent; --as-recorded sends it, too")
    }
    if !stateFirst.isEmpty, selection.from == nil, !keys, control == nil {
      Console.say("--state-first: there is nothing before the beginning; it goes with --from")
    }
  }

  /// Plays it under the control and in the sight of whoever asked for that.
  private func play(
    _ replayer: Replayer, _ verbs: ReplayControl, _ stop: StopToken, _ report: ReplayReport
  ) throws -> ReplaySummary {
    let socket = try control.map { try ControlSocket($0.text, of: replayer, verbs, stop: stop) }
    report.begin(control: socket?.address, clock: replayer.clockEndpoint)
    for endpoint in replayer.endpoints { HostLookup.complainIfUnknown(hostOf: endpoint) }
    if let clock = replayer.clockEndpoint { Console.say("the time is published at \(clock)") }
    if let socket { Console.say("controlled at \(socket.address)") }
    let keyboard = keys ? Keyboard(replayer, verbs, stop: stop) : nil
    if keyboard != nil { Console.say(Keyboard.help) }
    let isDone = StopToken()
    let display = WorkerThread(name: "zcap display") {
      report.follow(replayer, until: isDone)
    }
    defer {
      isDone.request()
      display.join()
      keyboard?.finish()
      socket?.finish()
    }
    return try replayer.run()
  }

  private func sources(_ indexes: [IndexReader]) throws -> [ReplaySource] {
    let selections = try selection.resolved(in: indexes, eachOnItsOwn: timeline.align == .start)
    return zip(indexes, selections).map { ReplaySource($0, $1) }
  }

  private func plan(_ indexes: [IndexReader]) throws -> ReplayPlan {
    var plan = ReplayPlan(routing: try targets.routing(indexes.map(\.capture)))
    targets.apply(to: &plan)
    pacing.apply(to: &plan)
    timeline.apply(to: &plan)
    peers.apply(to: &plan)
    plan.stateFirst = stateFirst.map(\.bytes)
    plan.loops = loop.map(\.count) ?? 1
    plan.isByTopic = verbose
    plan.isControlled = keys || control != nil
    return plan
  }
}

/// A number from 1 on; nil is without end.
struct LoopCount: ExpressibleByArgument, CustomStringConvertible {
  var count: Int?

  init(count: Int?) { self.count = count }

  init?(argument: String) {
    guard let count = Int(argument), count > 0 else { return nil }
    self.count = count
  }

  var description: String { count.map(String.init) ?? "without end" }
}
