import ArgumentParser
import CaptureIndex
import CaptureStore
import PayloadCodecs
import Threads

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
      A schema: a .proto, .fbs or .capnp file, which needs protoc, flatc or capnp here, or what one of \
      these made of it: protoc --include_imports -o, flatc --binary --schema --bfbs-builtins, \
      capnp compile -o- (repeatable).
      """, valueName: "file"))
  var schemas: [String] = []

  @Option(
    parsing: .unconditional, help: ArgumentHelp("At most this many messages.", valueName: "n"))
  var limit: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Only this frame of each message that has it, from 0.", valueName: "n"))
  var frame: Int?

  @Option(
    name: .customLong("fields"),
    help: ArgumentHelp(
      """
      Only these values of what frames say: a line of columns, with tabs between them, for each message \
      that has any, strings as JSON has them but for the quotes; with --json, objects of them. Arrays \
      have data up to 256 elements.
      """, valueName: "a.b,c[0]"))
  var fieldList: String?

  @Option(
    name: .customLong("save-frames"),
    help: ArgumentHelp(
      "Write frames as files into this directory: arrays as .npy, pictures and others by their kind; "
        + "those without bytes are left out.",
      valueName: "dir"))
  var saveDirectory: String?

  @Option(
    name: .customLong("png"),
    help: ArgumentHelp(
      """
      With --save-frames, arrays of image shape as .png, by the order of their colours: rgb, or bgr as \
      of OpenCV.
      """, valueName: "order"))
  var colours: ColourOrder?

  @Flag(help: "Go on with what is being recorded, until its recorder ends or Ctrl-C.")
  var follow = false

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
    if [json, raw, hex, saveDirectory != nil].filter({ $0 }).count > 1 {
      throw ValidationError("--json, --raw, --hex and --save-frames: one of them")
    }
    _ = try fields()
    if fieldList != nil, raw || hex || saveDirectory != nil {
      throw ValidationError("--fields: --raw, --hex and --save-frames take frames as they are")
    }
    if colours != nil, saveDirectory == nil {
      throw ValidationError("--png: --save-frames DIR says where the pictures go")
    }
    if saveDirectory?.isEmpty == true {
      throw ValidationError("--save-frames '': a directory has a name")
    }
    if raw || hex, !rules.isEmpty || !schemas.isEmpty {
      throw ValidationError("--as and --schema: --raw and --hex show bytes as they are")
    }
  }

  /// None where all is shown.
  private func fields() throws -> [FieldPath] {
    guard let fieldList else { return [] }
    guard let fields = FieldPath.list(fieldList) else {
      throw ValidationError(
        "--fields '\(fieldList)': write it like pose.x,items[0]; a name with a dot stands in quotes"
      )
    }
    if Set(fields).count < fields.count {
      throw ValidationError("--fields '\(fieldList)': one of them is there twice")
    }
    return fields
  }

  func run() throws {
    // Before any thread is started.
    let stop = follow ? StopSignals.token(outcome: "not all was shown") : nil
    let index = try IndexReader(Capture(path: Store.path(forExisting: capture)))
    let schemas = try SchemaFiles.schemas(SchemaFiles.read(schemas), of: index.capture)
    let said = try rules.map { try $0.rule() }
    try said.check(schemas)
    let reader = FrameReader(
      rules: said + [CodecRule](index.capture.manifest), schemas: schemas)
    // The index has seen samples of what frames are; what is shown is looked at.
    let selection = try filter.withoutCodecs.apply(
      to: selection.resolved(in: index), in: index)
    let view = try MessageOutput.View(
      format: format, frame: frame, fields: fields(),
      files: saveDirectory.map { try FrameFiles(directory: $0, colours: colours) },
      codecs: filter.codecs)
    var output = MessageOutput(index, reader, view)
    if format == .text, fieldList != nil { output.writeFieldTitle() }
    let losses =
      try stop.map { try show(index, selection, to: &output, stop: $0) }
      ?? show(index, selection, to: &output)
    if let files = output.files {
      let pictures =
        colours.map { _ in ", \(Units.count(files.pictures, "picture")) of arrays" } ?? ""
      Console.say("\(Units.count(files.count, "file")), \(Units.bytes(files.bytes))\(pictures)")
    }
    sayWhatIsNotShown(output, said)
    var complaints = losses.map { [$0] } ?? []
    if output.framesCut > 0 {
      complaints.append(
        "\(Units.count(output.framesCut, "frame")) could not be read whole; cat --json tells why")
    }
    for complaint in complaints { Console.complain(complaint) }
    if !complaints.isEmpty { throw ExitCode.incomplete }
  }

  /// An empty answer has a reason, as has a rule that changed nothing.
  private func sayWhatIsNotShown(_ output: borrowing MessageOutput, _ said: [CodecRule]) {
    if output.looked == 0 {
      Console.say("no message is selected")
      return
    }
    // Only who looks at everything can say it.
    if limit == nil, frame == nil, fieldList == nil, !output.isClosed {
      for rule in output.idleRules(said.count) {
        Console.say("--as '\(rule)': no frame is shown so")
      }
    }
    guard output.shown == 0 else { return }
    if !filter.codecs.isEmpty {
      let met = output.tagsMet.sorted().joined(separator: ", ")
      Console.say(
        "no message has the codec \(filter.codecs.joined(separator: ", ")); they have \(met)")
    } else if let fieldList {
      Console.say("no message has \(fieldList)")
    } else if let frame {
      Console.say("no message has a frame \(frame)")
    }
  }

  /// Shows what is there. Returns what is missing, for people.
  private func show(
    _ index: IndexReader, _ selection: Selection, to output: inout MessageOutput
  ) throws -> String? {
    if index.state == .recording { return try showUpToNow(index, selection, to: &output) }
    var messages = try index.messages(selection, pool: SegmentPool(index.capture))
    var count = 0
    defer { output.flush() }
    while count < limit ?? .max, !output.isClosed, let message = try messages.next() {
      if try output.write(message) { count += 1 }
    }
    let losses = MessageListing.losses(
      missing: messages.messagesMissing, retired: messages.messagesRetired,
      damages: messages.damages)
    return CompletenessReport(index, try index.completeness(of: selection)).losses(and: losses)
  }

  /// The same of what is being recorded: what the index knows, then what it does not know yet.
  private func showUpToNow(
    _ index: IndexReader, _ selection: Selection, to output: inout MessageOutput
  ) throws -> String? {
    let known = try index.knownPlace()
    // Whatever comes while it is shown is not waited for.
    var news = try index.followingUpToNow(selection, from: known)
    var messages = try index.messages(selection, pool: SegmentPool(index.capture))
    var count = 0
    defer { output.flush() }
    while count < limit ?? .max, !output.isClosed, let message = try messages.next(),
      message.record.sequence < known.sequence
    {
      if try output.write(message) { count += 1 }
    }
    var isCaughtUp = false
    while count < limit ?? .max, !output.isClosed, !isCaughtUp {
      switch news.next() {
      case .message(let message): if try output.write(message) { count += 1 }
      case .passed: continue
      case .caughtUp, .ended: isCaughtUp = true
      }
    }
    let losses = MessageListing.losses(
      missing: messages.messagesMissing + news.messagesMissing,
      retired: messages.messagesRetired + news.messagesRetired,
      damages: messages.damages + news.damages)
    return CompletenessReport(index, try index.completeness(of: selection)).losses(and: losses)
  }

  /// The same, and what comes. What only an index knows to be missing is told when the recording ended.
  private func show(
    _ index: IndexReader, _ selection: Selection, to output: inout MessageOutput, stop: StopToken
  ) throws -> String? {
    var messages = try index.following(selection)
    var count = 0
    var isEnded = false
    defer { output.flush() }
    while count < limit ?? .max, !output.isClosed, !stop.isRequested, !isEnded {
      switch messages.next() {
      case .message(let message): if try output.write(message) { count += 1 }
      case .passed: output.flush()
      case .caughtUp:
        output.flushForNow()
        _ = stop.wait(
          untilMonotonicNanoseconds: CaptureClock.monotonicNanoseconds() + Self.pauseNanoseconds)
      case .ended: isEnded = true
      }
    }
    guard isEnded else {
      let losses = MessageListing.losses(
        missing: messages.messagesMissing, retired: messages.messagesRetired,
        damages: messages.damages)
      return losses.isEmpty ? nil : "\(index.capture.path): \(losses.joined(separator: ", "))"
    }
    // The index tells the rest, with what else is known of it.
    let losses = MessageListing.losses(missing: 0, retired: messages.messagesRetired, damages: 0)
    let whole = try IndexReader(Capture(path: index.capture.path))
    return CompletenessReport(whole, try whole.completeness(of: selection)).losses(and: losses)
  }

  /// Between two looks for what came: as long as people take for at once.
  private static let pauseNanoseconds: Int64 = 50_000_000

  private var format: MessageOutput.Format {
    if json { return .json }
    if raw { return .raw }
    return hex ? .hex : .text
  }
}
