import ArgumentParser
import CaptureIndex
import CaptureStore

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List captures, what is in one, or its messages.",
    discussion: """
      Without a capture: the store. With one: a row for each endpoint, topic and codec tag. With \
      --messages: a row for each message. Works on a capture that is being recorded.
      """)

  @Argument(help: ArgumentHelp("A capture: a path, or a name in the store.", valueName: "capture"))
  var capture: String?

  @Flag(help: "List messages.")
  var messages = false

  @OptionGroup var selection: SelectionOptions

  @Option(
    name: .customLong("endpoint"),
    help: ArgumentHelp(
      "Only this endpoint, as recorded (repeatable).", valueName: "address"))
  var endpoints: [String] = []

  @Option(
    name: .customLong("codec"),
    help: ArgumentHelp(
      "Only this tag, of a message or of one of its frames (repeatable).", valueName: "tag"))
  var codecs: [String] = []

  @Option(help: ArgumentHelp("At most this many messages.", valueName: "messages"))
  var limit: Int?

  @Flag(help: "One JSON object a line.")
  var json = false

  func validate() throws {
    if messages && capture == nil { throw ValidationError("--messages: name a capture") }
    let isSelecting = !selection.topics.isEmpty || !endpoints.isEmpty || !codecs.isEmpty
    if isSelecting && capture == nil {
      throw ValidationError("-t, --endpoint and --codec: name a capture")
    }
    if !messages && (selection.from != nil || selection.until != nil || limit != nil) {
      throw ValidationError("--from, --until and --limit go with --messages")
    }
    if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1") }
  }

  func run() throws {
    guard let capture else {
      let isComplete = try StoreListing(directory: Store.directory).write(isJSON: json)
      if !isComplete { throw ExitCode.incomplete }
      return
    }
    let index = try IndexReader(Capture(path: Store.path(forExisting: capture)))
    var selection = try selection.resolved(in: index)
    let known = index.capture.manifest.endpoints.map(\.address)
    for endpoint in endpoints where !known.contains(endpoint) {
      throw ValidationError(
        "--endpoint \(endpoint): the capture has \(known.joined(separator: ", "))")
    }
    selection.endpoints = endpoints
    selection.codecs = codecs
    guard messages else {
      let isComplete = try TopicListing(index, selection).write(isJSON: json)
      if !isComplete { throw ExitCode.incomplete }
      return
    }
    let damages = try MessageListing(index, selection, limit: limit).write(isJSON: json)
    let lost = try index.messagesLost(in: selection)
    if damages > 0 || lost > 0 {
      let lostText = lost > 0 ? "\(Units.count(lost)) messages are lost in it" : ""
      let damageText = damages > 0 ? "\(damages) damaged records were passed over" : ""
      let text = [lostText, damageText].filter { !$0.isEmpty }.joined(separator: ", ")
      Console.complain("\(index.capture.path): \(text)")
      throw ExitCode.incomplete
    }
  }
}
