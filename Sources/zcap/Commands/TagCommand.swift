import ArgumentParser
import CaptureIndex
import CaptureStore
import PayloadCodecs

struct TagCommand: ParsableCommand, CheckedCommand {
  static let configuration = CommandConfiguration(
    commandName: "tag",
    abstract: "Say what frames of a capture are, where their bytes do not.",
    discussion: """
      A rule is GLOB#FRAME=CODEC: of topics that match the glob, the frame of this number, from 0, is \
      of this codec. Without rules those of the capture are listed. Of several that fit the first \
      counts; new ones come first. 'ls' tells the codecs of frames 0 to 15, 'cat' of all. The messages \
      stay as they are, and the index is made anew.

      Codecs are raw, text, json, msgpack, pickle, npy, ndarray(uint8,480x640x3), struct(<IdH:seq,t,n) \
      in the words of Python, and protobuf(pkg.Type), flatbuffers(Type), capnp(Type) of a schema.
      """)

  @Argument(help: "A capture: a path, or a name in the store.")
  var capture: String

  @Argument(
    help: ArgumentHelp("Rules to add, such as 'imu/*#1=msgpack'.", valueName: "glob#n=codec"))
  var rules: [CodecRuleArgument] = []

  @Option(help: ArgumentHelp("Take this rule out (repeatable).", valueName: "glob#n=codec"))
  var remove: [CodecRuleArgument] = []

  @Option(
    name: .customLong("schema"),
    help: ArgumentHelp(
      "Keep a schema with the capture, compiled (repeatable); see 'zcap cat --help'.",
      valueName: "file"))
  var schemas: [String] = []

  @Option(
    name: .customLong("remove-schema"),
    help: ArgumentHelp("Take a schema out, by its name (repeatable).", valueName: "name"))
  var schemasRemoved: [String] = []

  func check() throws { for rule in rules + remove { _ = try rule.rule() } }

  func run() throws {
    let path = Store.path(forExisting: capture)
    let capture = try Capture(path: path)
    let before = [CodecRule](capture.manifest)
    if rules.isEmpty && remove.isEmpty && schemas.isEmpty && schemasRemoved.isEmpty {
      return try list(before, capture)
    }
    let removed = try remove.map { try $0.rule() }
    for rule in removed where !before.contains(rule) {
      throw ValidationError("--remove '\(rule)': \(path) has no such rule")
    }
    let names = Set(try capture.schemaFiles().map(\.name))
    for name in schemasRemoved where !names.contains(name) {
      throw ValidationError(
        "--remove-schema \(name): \(path) has no such schema"
          + (names.isEmpty ? "" : "; it has \(names.sorted().joined(separator: ", "))"))
    }
    let files = try SchemaFiles.read(schemas)
    var added: [CodecRule] = []
    for rule in try rules.map({ try $0.rule() }) where !added.contains(rule) { added.append(rule) }
    let after = added + before.filter { !removed.contains($0) && !added.contains($0) }
    let shown = before.shown(by: try SchemaFiles.schemas([], of: capture))
    let gone = schemasRemoved + files.map(\.name)
    try after.filter { added.contains($0) || shown.contains($0) }
      .check(SchemaFiles.schemas(files, of: capture, except: gone))
    // What can fail comes first: a capture that is being recorded keeps its rules.
    if after != before {
      let indexer = try Indexer.rebuild(capture, codecs: after)
      let messages = indexer.nextSequence - UInt64(indexer.messagesMissing)
      Console.say("\(path): \(Units.count(messages)) messages indexed by its new rules")
      try complainOfIdle(added, capture)
    }
    try capture.add(files)
    for name in schemasRemoved { _ = try capture.removeSchema(name) }
  }

  /// A rule that no frame fits is most likely misspelt.
  private func complainOfIdle(_ rules: [CodecRule], _ capture: Capture) throws {
    let rows = try IndexReader(Capture(path: capture.path)).topicRows()
    for rule in rules {
      let topics = rows.filter { rule.matches(topic: $0.topic) }
      if topics.isEmpty {
        Console.complain("'\(rule)': no topic matches")
      } else if !topics.contains(where: { $0.codec.split(separator: "|").count > rule.frame }),
        rule.frame < 16
      {
        Console.complain("'\(rule)': no message of the topics that match has so many frames")
      }
    }
  }

  private func list(_ rules: [CodecRule], _ capture: Capture) throws {
    var output = DataOutput()
    for rule in rules { output.writeLine(rule.description) }
    for file in try capture.schemaFiles() {
      output.writeLine("schema \(Table.printable(Array(file.name.utf8), limit: .max))")
    }
    output.flush()
    if rules.isEmpty { Console.say("\(capture.path): no rules; its codecs are found by looking") }
  }
}
