import ArgumentParser
import CaptureIndex
import Recording

/// What the index of a recording is to find in its messages.
struct MeaningOptions: ParsableArguments {
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

  func check() throws { for sequence in sequences { _ = try sequence.rule() } }

  func apply(to plan: inout RecordingPlan) throws {
    plan.topicRule = topicRule ?? .auto
    plan.sequences = try sequences.map { try $0.rule() }
  }
}
