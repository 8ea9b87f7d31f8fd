import ArgumentParser
import CaptureIndex

/// `-t`, `--from`, `--until`: the selection that `ls --messages` and `replay` share.
struct SelectionOptions: ParsableArguments {
  @Option(
    name: [.short, .customLong("topic")],
    help: ArgumentHelp(
      "Only topics that start with this (repeatable).", valueName: "prefix"))
  var topics: [TopicPrefix] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Only messages from this time on.", valueName: "when"))
  var from: TimePoint?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Only messages before this time.", valueName: "when"))
  var until: TimePoint?

  /// The selection for a capture; throws when `--from` is not before `--until`.
  func resolved(in index: IndexReader) throws -> Selection {
    var selection = Selection()
    selection.topicPrefixes = topics.map(\.bytes)
    if from != nil || until != nil {
      let overview = try index.overview()
      selection.from = from?.resolved(in: overview)
      selection.until = until?.resolved(in: overview)
    }
    if let from = selection.from, let until = selection.until, from >= until {
      throw ValidationError(
        "--from \(Units.time(from)) is not before --until \(Units.time(until))")
    }
    return selection
  }
}
