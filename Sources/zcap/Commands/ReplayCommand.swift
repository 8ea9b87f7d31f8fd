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
    abstract: "Publish a capture again, at its own pace or another.",
    discussion: """
      Messages leave in recorded order, when they are due. When a peer cannot keep up, the replay \
      waits for it: nothing is dropped. Subscribers that are to see the first message have to be \
      there before it: --wait-subscribers 1.
      """)

  @Argument(help: ArgumentHelp("A capture: a path, or a name in the store.", valueName: "capture"))
  var capture: String

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

  @OptionGroup(title: "Peers") var peers: PeerOptions

  @Flag(help: "Control it by keys, on a terminal: space pauses, q stops; it shows the others.")
  var keys = false

  @Option(
    help: ArgumentHelp(
      """
      Let programs control it at this endpoint: a REP socket that takes {"do":"pause"}, resume, step, \
      seek, rate, status or stop, as JSON.
      """, valueName: "endpoint"))
  var control: EndpointAddress?

  @Flag(help: "Tell what would be sent, and send nothing.")
  var dryRun = false

  @Flag(help: "Summary as a JSON object on standard output.")
  var json = false

  func check() throws {
    // A value that does not parse would count as the flag without one.
    if let given = CommandLine.arguments.first(where: { $0.hasPrefix("--loop=") }) {
      let value = String(given.dropFirst("--loop=".count))
      if LoopCount(argument: value) == nil {
        throw ValidationError("The value '\(value)' is invalid for '--loop', a number from 1 on")
      }
    }
    try targets.check()
    try pacing.check()
    try peers.check(targets.type)
    try control?.validate(isBound: true)
    if keys && isatty(STDIN_FILENO) != 1 {
      throw ValidationError("--keys needs a terminal; --control lets programs control a replay")
    }
  }

  func run() throws {
    let index = try IndexReader(Capture(path: Store.path(forExisting: capture)))
    let plan = try plan(index)
    if dryRun {
      try PreviewReport(plan: plan, capture: index.capture.path, isJSON: json)
        .show(ReplayPreview(index, plan))
      return
    }
    let stop = StopSignals.token()
    let verbs = ReplayControl()
    let replayer = try Replayer(index, plan, stop: stop, control: verbs)
    let socket = try control.map { try ControlSocket($0.text, of: replayer, verbs, stop: stop) }
    let report = ReplayReport(
      plan: plan, capture: index.capture.path, endpoints: replayer.endpoints, isJSON: json)
    report.begin()
    let isDone = StopToken()
    if let socket { Console.say("controlled at \(socket.address)") }
    let keyboard = keys ? Keyboard(replayer, verbs, stop: stop) : nil
    if keyboard != nil { Console.say(Keyboard.help) }
    let display = WorkerThread(name: "zcap display") {
      report.follow(replayer, until: isDone)
    }
    let result = Result { try replayer.run() }
    isDone.request()
    display.join()
    keyboard?.finish()
    socket?.finish()
    let summary = try result.get()
    report.end(summary)
    if !summary.isComplete { throw ExitCode.incomplete }
  }

  private func plan(_ index: IndexReader) throws -> ReplayPlan {
    var plan = ReplayPlan(routing: try targets.routing(index.capture))
    targets.apply(to: &plan)
    pacing.apply(to: &plan)
    peers.apply(to: &plan)
    plan.selection = try selection.resolved(in: index)
    plan.stateFirst = stateFirst.map(\.bytes)
    plan.loops = loop.map(\.count) ?? 1
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
