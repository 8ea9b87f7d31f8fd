import ArgumentParser
import CaptureIndex
import CaptureStore

struct ReindexCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reindex",
    abstract: "Make the index of a capture anew from its segments.",
    discussion: """
      The index is derived: this loses nothing, and is the way to tell topics by another rule, \
      or what was lost by a counter in the messages. \
      Every byte of the capture is checked on the way.
      """)

  @Argument(help: "Captures: paths, or names in the store.")
  var captures: [String]

  @Option(
    help: ArgumentHelp(
      """
      How topics are told: auto, frame, delimiter:X, prefix:N or none. The capture keeps it. \
      (default: the one it has)
      """, valueName: "rule"))
  var topicRule: TopicRule?

  @Option(
    name: .customLong("sequence"),
    help: ArgumentHelp(
      """
      A counter in the payload, by which losses are found: PREFIX:frame=1:offset=0:u32le \
      (repeatable; takes the place of those that the capture has).
      """, valueName: "rule"))
  var sequences: [SequenceArgument] = []

  func validate() throws {
    for sequence in sequences { _ = try sequence.rule() }
  }

  func run() throws {
    let given = sequences.isEmpty ? nil : try sequences.map { try $0.rule() }
    var isIncomplete = false
    let isChecked = Store.forEach(captures) { path in
      let capture = try Capture(path: path)
      let indexer = try Indexer.rebuild(capture, rule: topicRule, sequences: given)
      let messages = indexer.nextSequence - UInt64(indexer.messagesMissing)
      Console.say("\(capture.path): \(Units.count(messages)) messages indexed")
      let index = try IndexReader(Capture(path: capture.path))
      CompletenessReport.tellIdleRules(index)
      let known = try index.completeness()
      if !CompletenessReport(capture.path, known).write() { isIncomplete = true }
    }
    if !isChecked { throw ExitCode.failure }
    if isIncomplete { throw ExitCode.incomplete }
  }
}
