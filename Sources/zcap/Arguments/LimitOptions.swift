import ArgumentParser
import Recording

/// When a recording ends by itself.
struct LimitOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Stop after this time, such as 10s or 1h30m.", valueName: "time"))
  var duration: TimeSpan?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Stop after this many messages.", valueName: "messages"))
  var count: UInt64?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Stop after this many bytes of frames.", valueName: "bytes"))
  var size: ByteSize?

  func check() throws {
    if count == 0 { throw ValidationError("--count 0: there would be nothing to record") }
    if duration?.nanoseconds == 0 {
      throw ValidationError("--duration 0: there would be nothing to record")
    }
  }

  func apply(to plan: inout RecordingPlan) {
    plan.durationNanosecondsMax = duration?.nanoseconds
    plan.messagesMax = count
    plan.bytesMax = size.map { UInt64($0.bytes) }
  }
}
