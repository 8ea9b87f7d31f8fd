import ArgumentParser
import Replaying

/// What the timeline of a replay is made of, and who is told its time.
struct TimelineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      How several captures lie on one timeline: absolute, each where its clock had it, or start, all \
      from their first messages on.
      """, valueName: "how"))
  var align: ReplayPlan.Alignment?

  @Flag(
    help: """
      Follow a capture that is being recorded: send what is there at once, then each message when it \
      comes, until the recording ends.
      """)
  var follow = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("With --follow: so long after it was recorded.", valueName: "time"))
  var delay: TimeSpan?

  @Option(
    help: ArgumentHelp(
      """
      Publish the recorded time that is played at this endpoint, which is bound: 'clock', Unix \
      nanoseconds as an i64, and the rate as an f64, little-endian.
      """, valueName: "endpoint"))
  var clock: EndpointAddress?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How often a second; 100 without it.", valueName: "n"))
  var clockRate: Double?

  @Option(
    help: ArgumentHelp(
      "Write to this file (CSV) when each message was to leave and when it did.",
      valueName: "file"))
  var timing: String?

  /// How often a clock may be asked to tick.
  private static let clockRates = 0.01...10_000

  func check(_ pacing: PacingOptions, captures: Int, isLooping: Bool) throws {
    if align != nil && captures == 1 {
      throw ValidationError("--align is for several captures: name another one")
    }
    if delay != nil && !follow { throw ValidationError("--delay goes with --follow") }
    if clockRate != nil && clock == nil { throw ValidationError("--clock-rate goes with --clock") }
    if let clockRate, !Self.clockRates.contains(clockRate) {
      throw ValidationError("--clock-rate \(clockRate): a number from 0.01 to 10000")
    }
    try clock?.validate(isBound: true)
    guard follow else { return }
    if captures > 1 { throw ValidationError("--follow takes one capture") }
    if isLooping { throw ValidationError("--follow and --loop: one of them") }
    if pacing.isGiven {
      throw ValidationError("--follow has a pace of its own; --delay sets how far behind it is")
    }
  }

  func apply(to plan: inout ReplayPlan) {
    plan.alignment = align ?? .absolute
    plan.followNanoseconds = follow ? delay?.nanoseconds ?? 0 : nil
    plan.clock = clock.map {
      ReplayPlan.Clock(address: $0.text, messagesPerSecond: clockRate ?? 100)
    }
    plan.timingPath = timing
  }
}
