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
    guard from != nil || until != nil else { return try resolved(in: nil) }
    return try resolved(in: index.overview())
  }

  /// The selections for captures on one timeline: where each stands on its own, times are counted from
  /// its own ends, else from those of all together.
  func resolved(in indexes: [IndexReader], eachOnItsOwn: Bool) throws -> [Selection] {
    guard indexes.count > 1, !eachOnItsOwn, from != nil || until != nil else {
      return try indexes.map { try resolved(in: $0) }
    }
    let overviews = try indexes.map { try $0.overview() }
    var all = overviews[0]
    all.first = overviews.compactMap(\.first).min()
    all.last = overviews.compactMap(\.last).max()
    let selection = try resolved(in: all)
    return indexes.map { _ in selection }
  }

  private func resolved(in overview: IndexReader.Overview?) throws -> Selection {
    var selection = Selection()
    selection.topicPrefixes = topics.map(\.bytes)
    if let overview {
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
