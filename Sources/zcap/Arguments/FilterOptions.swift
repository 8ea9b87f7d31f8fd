import ArgumentParser
import CaptureIndex
import CaptureStore

/// `--endpoint`, `--codec`: what `ls` and `cat` select by, besides topics and times.
struct FilterOptions: ParsableArguments {
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

  var isEmpty: Bool { endpoints.isEmpty && codecs.isEmpty }

  /// The same, whatever the codecs.
  var withoutCodecs: FilterOptions {
    var options = self
    options.codecs = []
    return options
  }

  /// Throws `ValidationError` where the capture has no such endpoint.
  func apply(to selection: Selection, in index: IndexReader) throws -> Selection {
    let known = index.capture.manifest.endpoints.map(\.address)
    for endpoint in endpoints where !known.contains(endpoint) {
      throw ValidationError(
        "--endpoint \(endpoint): the capture has \(known.joined(separator: ", "))")
    }
    var selection = selection
    selection.endpoints = endpoints
    selection.codecs = codecs
    return selection
  }
}
