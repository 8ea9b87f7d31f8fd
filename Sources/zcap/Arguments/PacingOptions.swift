import ArgumentParser
import Replaying

/// How fast a replay plays, and what happens when that is too fast.
struct PacingOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Times the recorded pace, from 0.001 to 1000: 1 (as it is without), 0.5, 10; or max.",
      valueName: "rate"))
  var rate: PaceArgument?

  @Option(
    name: .customLong("msgs-per-second"), parsing: .unconditional,
    help: ArgumentHelp("Evenly, so many messages a second.", valueName: "n"))
  var messagesPerSecond: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Evenly, so many bytes of frames a second.", valueName: "bytes"))
  var bytesPerSecond: ByteSize?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Play longer silences as if they were this long.", valueName: "time"))
  var maxGap: TimeSpan?

  @Option(
    help: ArgumentHelp(
      """
      When messages are late: slip sends them at once and catches up, drop leaves those out that are \
      later than --max-lateness (or 10ms), keep-gaps moves the rest by as much.
      """, valueName: "policy"))
  var late = ReplayPlan.LatePolicy.slip

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Exit with 3 where a message went out later than this after its time.", valueName: "time"))
  var maxLateness: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "Spin for this long before each message; 0 saves the CPU and is less exact.",
      valueName: "time"))
  var spin = TimeSpan(nanoseconds: 60_000)

  private var paces: [ReplayPlan.Pace] {
    [
      rate?.pace, messagesPerSecond.map { .messagesPerSecond($0) },
      bytesPerSecond.map { .bytesPerSecond(Double($0.bytes)) },
    ].compactMap { $0 }
  }

  /// Whether anything about when messages are due was said.
  var isGiven: Bool { !paces.isEmpty || maxGap != nil || late == .keepGaps }

  func check() throws {
    guard paces.count <= 1 else {
      throw ValidationError("one of --rate, --msgs-per-second and --bytes-per-second")
    }
    if case .rate(let rate) = rate?.pace, !ReplayControl.rates.contains(rate) {
      throw ValidationError("--rate: a number from 0.001 to 1000, or max")
    }
    if let messagesPerSecond, !(messagesPerSecond > 0 && messagesPerSecond.isFinite) {
      throw ValidationError("--msgs-per-second \(messagesPerSecond): a number above 0")
    }
    if let bytesPerSecond, bytesPerSecond.bytes <= 0 {
      throw ValidationError("--bytes-per-second: a size above 0, such as 10MB")
    }
    if paces.first == .max, late != .slip || maxLateness != nil {
      throw ValidationError("--rate max: nothing is ever late; leave --late and --max-lateness")
    }
    if maxGap != nil, rate == nil || paces.first == .max, !paces.isEmpty {
      throw ValidationError(
        "--max-gap goes with the recorded pace, at --rate 0.5, 1, 10 and the like")
    }
  }

  func apply(to plan: inout ReplayPlan) {
    plan.pace = paces.first ?? .rate(1)
    plan.gapNanosecondsMax = maxGap?.nanoseconds
    plan.late = late
    plan.latenessMax = maxLateness?.nanoseconds
    plan.spinNanoseconds = spin.nanoseconds
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
