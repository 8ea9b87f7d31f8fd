import ArgumentParser
import CaptureIndex
import CaptureStore

struct ListCommand: ParsableCommand, CheckedCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List captures, what is in one, or its messages.",
    discussion: """
      Without a capture: the store. With one: a row for each endpoint, topic and codec tag, those \
      that are guesses with a question mark. With --messages: a row for each message. With --events: a row for each thing that happened to the \
      recording, losses first of all. Works on a capture that is being recorded.
      """)

  @Argument(help: ArgumentHelp("A capture: a path, or a name in the store.", valueName: "capture"))
  var capture: String?

  @Flag(help: "List messages.")
  var messages = false

  @Flag(help: "List what happened: connections lost and made, stalls, gaps, damage.")
  var events = false

  @Flag(
    help: ArgumentHelp(
      "Exit with 3 where anything is missing or may be, and say what.",
      discussion: """
        Also where nobody can tell: a publisher that went away while recording went on may have \
        published meanwhile.
        """))
  var requireComplete = false

  @OptionGroup var selection: SelectionOptions

  @OptionGroup var filter: FilterOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("At most this many messages, or events.", valueName: "rows"))
  var limit: Int?

  @Flag(help: "One JSON object a line.")
  var json = false

  func check() throws {
    if messages && capture == nil { throw ValidationError("--messages: name a capture") }
    if events && capture == nil { throw ValidationError("--events: name a capture") }
    if events && messages { throw ValidationError("--events and --messages: one at a time") }
    if events && !(selection.topics.isEmpty && filter.codecs.isEmpty) {
      throw ValidationError("--events: events have no topic and no codec; leave -t and --codec")
    }
    let isSelecting = !selection.topics.isEmpty || !filter.isEmpty
    if isSelecting && capture == nil {
      throw ValidationError("-t, --endpoint and --codec: name a capture")
    }
    if !messages && !events && (selection.from != nil || selection.until != nil || limit != nil) {
      throw ValidationError("--from, --until and --limit go with --messages or --events")
    }
    if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1") }
  }

  func run() throws {
    guard let capture else {
      let listing = StoreListing(directory: Store.directory, requiresComplete: requireComplete)
      if try !listing.write(isJSON: json) { throw ExitCode.incomplete }
      return
    }
    let index = try IndexReader(Capture(path: Store.path(forExisting: capture)))
    let selection = try filter.apply(to: selection.resolved(in: index), in: index)
    var losses = try list(index, selection)
    if requireComplete { losses = try CompletenessReport.doubts(index) ?? losses }
    if let losses {
      Console.complain(losses)
      throw ExitCode.incomplete
    }
  }

  /// Returns what is known to be missing, of that which is listed.
  private func list(_ index: IndexReader, _ selection: Selection) throws -> String? {
    if events {
      try EventListing(index, selection, limit: limit).write(isJSON: json)
    } else if messages {
      let losses = try MessageListing(index, selection, limit: limit).write(isJSON: json)
      let known = try index.completeness(of: selection)
      return CompletenessReport(index, known).losses(and: losses)
    } else {
      try TopicListing(index, selection).write(isJSON: json)
      return CompletenessReport(index, try index.completeness()).losses()
    }
    return CompletenessReport(index, try index.completeness(of: selection)).losses()
  }
}
