import ArgumentParser
import CaptureIndex
import CaptureStore
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

  @Option(
    name: .customLong("codec"),
    help: ArgumentHelp(
      """
      What frames are where their bytes do not say it, such as 'imu/*#1=struct(<Id:seq,t)': of topics \
      that match the glob, the frame of this number, from 0 (repeatable; the first that fits counts; \
      see 'zcap tag --help').
      """, valueName: "glob#n=codec"))
  var codecs: [CodecRuleArgument] = []

  @Option(
    name: .customLong("schema"),
    help: ArgumentHelp(
      "A schema, to be kept with the capture (repeatable); see 'zcap cat --help'.",
      valueName: "file"))
  var schemas: [String] = []

  func check() throws {
    for sequence in sequences { _ = try sequence.rule() }
    for codec in codecs { _ = try codec.rule() }
  }

  func apply(to plan: inout RecordingPlan) throws {
    plan.topicRule = topicRule ?? .auto
    plan.sequences = try sequences.map { try $0.rule() }
    plan.codecs = try codecs.map { try $0.rule() }
    plan.schemas = try SchemaFiles.read(schemas)
    let present = Capture.exists(at: plan.capture) ? try Capture(path: plan.capture) : nil
    try plan.codecs.check(SchemaFiles.schemas(plan.schemas, of: plan.isAppending ? present : nil))
  }
}
