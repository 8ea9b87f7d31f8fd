import ArgumentParser
import CaptureIndex
import CaptureStore

struct ReindexCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reindex",
    abstract: "Make the index of a capture anew from its segments.",
    discussion: """
      The index is derived: this loses nothing, and is the way to tell topics by another rule. \
      Every byte of the capture is checked on the way.
      """)

  @Argument(help: "Captures: paths, or names in the store.")
  var captures: [String]

  @Option(
    help: ArgumentHelp(
      "How topics are told: auto, frame, delimiter:X, prefix:N or none. (default: as recorded)",
      valueName: "rule"))
  var topicRule: TopicRule?

  func run() throws {
    var isIncomplete = false
    for name in captures {
      let capture = try Capture(path: Store.path(forExisting: name))
      if try capture.isBeingRecorded { throw StoreError.captureInUse(path: capture.path) }
      let rule = topicRule ?? TopicRule(capture.manifest.topicRule) ?? .auto
      let indexer = try Indexer.rebuild(capture, rule: rule)
      if let topicRule { try capture.replace(topicRule: topicRule.description) }
      let messages = indexer.nextSequence - UInt64(indexer.messagesLost)
      Console.say("\(capture.path): \(Units.count(messages)) messages indexed")
      if indexer.messagesLost > 0 || indexer.bytesDamaged > 0 {
        isIncomplete = true
        Console.complain(
          "\(capture.path): \(Units.count(indexer.messagesLost)) messages are lost, "
            + "\(Units.bytes(indexer.bytesDamaged)) hold no valid record")
      }
    }
    if isIncomplete { throw ExitCode.incomplete }
  }
}
