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
      "How topics are told: auto, frame, delimiter:X, prefix:N or none. (default: as recorded)",
      valueName: "rule"))
  var topicRule: TopicRule?

  @Option(
    name: .customLong("sequence"),
    help: ArgumentHelp(
      """
      A counter in the payload, by which losses are found: PREFIX:frame=1:offset=0:u32le \
      (repeatable; replaces those that were recorded).
      """, valueName: "rule"))
  var sequences: [SequenceArgument] = []

  func run() throws {
    var isIncomplete = false
    for name in captures {
      let capture = try Capture(path: Store.path(forExisting: name))
      let given = sequences.isEmpty ? nil : sequences.map(\.rule)
      let indexer = try Indexer.rebuild(capture, rule: topicRule, sequences: given)
      let messages = indexer.nextSequence - UInt64(indexer.messagesMissing)
      Console.say("\(capture.path): \(Units.count(messages)) messages indexed")
      let known = try IndexReader(Capture(path: capture.path)).completeness()
      if !CompletenessReport(capture.path, known).write() { isIncomplete = true }
    }
    if isIncomplete { throw ExitCode.incomplete }
  }
}
