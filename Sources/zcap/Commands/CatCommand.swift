import ArgumentParser
import CaptureIndex
import CaptureStore
import PayloadCodecs

struct CatCommand: ParsableCommand, CheckedCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat",
    abstract: "Show what messages say, decoded.",
    discussion: """
      Each frame is shown as what its bytes are found to be: JSON, MessagePack, Pickle (described, \
      never executed), text, NumPy's arrays, or as the rules of the capture say ('zcap tag'). What \
      needs a schema is shown by --schema and --as. A codec with a question mark is a guess. Works on \
      a capture that is being recorded.
      """)

  @Argument(help: ArgumentHelp("A capture: a path, or a name in the store.", valueName: "capture"))
  var capture: String

  @OptionGroup var selection: SelectionOptions
  @OptionGroup var filter: FilterOptions

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp(
      """
      Show frames as this codec says, such as '*#1=protobuf(pkg.Type)': of topics that match the glob, \
      the frame of this number, from 0 (repeatable; the first that fits counts).
      """, valueName: "glob#n=tag"))
  var rules: [CodecRuleArgument] = []

  @Option(
    name: .customLong("schema"),
    help: ArgumentHelp(
      """
      A compiled schema: of protoc --include_imports -o, of flatc --binary --schema --bfbs-builtins, or \
      of capnp compile -o- (repeatable).
      """, valueName: "file"))
  var schemas: [String] = []

  @Option(help: ArgumentHelp("At most this many messages.", valueName: "n"))
  var limit: Int?

  @Option(help: ArgumentHelp("Only this frame of each message, from 0.", valueName: "n"))
  var frame: Int?

  @Flag(help: "One JSON object a line.")
  var json = false

  @Flag(help: "The bytes of the frames, and nothing else.")
  var raw = false

  @Flag(help: "The bytes of the frames as hexadecimal numbers.")
  var hex = false

  func check() throws {
    for rule in rules { _ = try rule.rule() }
    if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1") }
    if let frame, frame < 0 { throw ValidationError("--frame \(frame): frames count from 0") }
    if [json, raw, hex].filter({ $0 }).count > 1 {
      throw ValidationError("--json, --raw and --hex: one of them")
    }
    if raw || hex, !rules.isEmpty || !schemas.isEmpty {
      throw ValidationError("--as and --schema: --raw and --hex show bytes as they are")
    }
  }

  func run() throws {
    let index = try IndexReader(Capture(path: Store.path(forExisting: capture)))
    let schemas = try SchemaFiles.schemas(SchemaFiles.read(schemas), of: index.capture)
    let said = try rules.map { try $0.rule() }
    try said.check(schemas)
    let reader = FrameReader(
      rules: said + [CodecRule](index.capture.manifest), schemas: schemas)
    let selection = try filter.apply(to: selection.resolved(in: index), in: index)
    var output = MessageOutput(index, reader, format: format, frame: frame)
    var messages = try index.messages(selection, pool: SegmentPool(index.capture))
    var count = 0
    while count < limit ?? .max, !output.isClosed, let message = try messages.next() {
      output.write(message)
      count += 1
    }
    output.flush()
    let losses = MessageListing.losses(
      missing: messages.messagesMissing, retired: messages.messagesRetired,
      damages: messages.damages)
    let known = try index.completeness(of: selection)
    if let losses = CompletenessReport(index, known).losses(and: losses) {
      Console.complain(losses)
      throw ExitCode.incomplete
    }
  }

  private var format: MessageOutput.Format {
    if json { return .json }
    if raw { return .raw }
    return hex ? .hex : .text
  }
}
