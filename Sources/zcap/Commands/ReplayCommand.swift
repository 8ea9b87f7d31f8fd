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

  @Option(help: ArgumentHelp("Bind this endpoint and send all on it.", valueName: "endpoint"))
  var bind: EndpointAddress?

  @Option(help: ArgumentHelp("Connect to this endpoint and send all to it.", valueName: "endpoint"))
  var connect: EndpointAddress?

  @Option(
    name: .customLong("map"),
    help: ArgumentHelp(
      """
      Send what was recorded from one endpoint on another (repeatable). The new one is bound; \
      with '>' before it, connected to.
      """, valueName: "recorded=new"))
  var maps: [EndpointMapping] = []

  @Option(help: ArgumentHelp("Socket type: pub or push.", valueName: "type"))
  var type: ReplayPlan.SocketKind = .pub

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Times the recorded pace: 1, 0.5, 10, or max.", valueName: "rate"))
  var rate: PaceArgument = PaceArgument(pace: .rate(1))

  @OptionGroup var selection: SelectionOptions

  @Option(
    defaultAsFlag: LoopCount(count: nil),
    help: ArgumentHelp("Play this many times; without a number, until stopped.", valueName: "n"))
  var loop: LoopCount?

  @Option(
    help: ArgumentHelp(
      "Wait until every socket has this many subscribers (peers, for push).", valueName: "n"))
  var waitSubscribers = 0

  @Option(help: ArgumentHelp("Give up waiting for subscribers after this.", valueName: "time"))
  var waitTimeout: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "How long the end may wait for peers to take what was sent.", valueName: "time"))
  var linger = TimeSpan(nanoseconds: 30_000_000_000)

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
    let ways = [bind != nil, connect != nil, !maps.isEmpty].filter { $0 }.count
    guard ways == 1 else {
      throw ValidationError("say where to: one of --bind, --connect or --map")
    }
    try bind?.validate(isBound: true)
    try connect?.validate(isBound: false)
    for map in maps { try map.new.validate(isBound: map.isBound) }
    for (index, map) in maps.enumerated() {
      if maps[..<index].contains(where: { $0.recorded == map.recorded }) {
        throw ValidationError("--map \(map.recorded): mapped twice")
      }
    }
    if waitTimeout != nil && waitSubscribers == 0 {
      throw ValidationError("--wait-timeout goes with --wait-subscribers")
    }
    if waitSubscribers < 0 { throw ValidationError("--wait-subscribers \(waitSubscribers)") }
  }

  func run() throws {
    let index = try IndexReader(Capture(path: Store.path(forExisting: capture)))
    let plan = try plan(index)
    let stop = StopSignals.token()
    let replayer = try Replayer(index, plan, stop: stop)
    let report = ReplayReport(
      plan: plan, capture: index.capture.path, endpoints: replayer.endpoints, isJSON: json)
    report.begin()
    let isDone = StopToken()
    let display = WorkerThread(name: "zcap display") {
      report.follow(replayer, until: isDone)
    }
    let result = Result { try replayer.run() }
    isDone.request()
    display.join()
    let summary = try result.get()
    report.end(summary)
    if !summary.isComplete { throw ExitCode.incomplete }
  }

  private func plan(_ index: IndexReader) throws -> ReplayPlan {
    let routing: ReplayPlan.Routing =
      if let bind {
        .single(.init(address: bind.text, isBound: true))
      } else if let connect {
        .single(.init(address: connect.text, isBound: false))
      } else {
        .byEndpoint(maps.map { ($0.recorded, .init(address: $0.new.text, isBound: $0.isBound)) })
      }
    var plan = ReplayPlan(routing: routing)
    plan.kind = type
    plan.pace = rate.pace
    plan.selection = try selection.resolved(in: index)
    plan.loops = loop.map(\.count) ?? 1
    plan.peersAwaited = waitSubscribers
    plan.waitNanosecondsMax = waitTimeout?.nanoseconds
    plan.lingerNanoseconds = linger.nanoseconds
    return plan
  }
}

/// `RECORDED=NEW`, `RECORDED=>NEW` to connect.
struct EndpointMapping: ExpressibleByArgument {
  var recorded: String
  var new: EndpointAddress
  var isBound: Bool

  init?(argument: String) {
    // Addresses may contain '=': the one meant stands before a scheme.
    let split = argument.indices.first { index in
      let rest = argument[argument.index(after: index)...].drop { $0 == ">" }
      let scheme = rest.prefix { $0.isLetter }
      return argument[index] == "=" && !scheme.isEmpty
        && rest.dropFirst(scheme.count).hasPrefix("://")
    }
    guard let split, split > argument.startIndex else { return nil }
    recorded = String(argument[..<split])
    let rest = argument[argument.index(after: split)...]
    isBound = !rest.hasPrefix(">")
    guard let new = EndpointAddress(argument: String(isBound ? rest : rest.dropFirst())) else {
      return nil
    }
    self.new = new
  }
}

/// A number above zero, or `max`.
struct PaceArgument: ExpressibleByArgument {
  var pace: ReplayPlan.Pace

  init(pace: ReplayPlan.Pace) { self.pace = pace }

  init?(argument: String) {
    if argument == "max" {
      pace = .max
    } else {
      guard let rate = Double(argument), rate > 0, rate.isFinite else { return nil }
      pace = .rate(rate)
    }
  }

  var defaultValueDescription: String { "1" }
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
