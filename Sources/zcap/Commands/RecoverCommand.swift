import ArgumentParser
import CaptureIndex
import CaptureStore

struct RecoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "End what a recorder that was killed left open.",
    discussion: """
      Each segment without an end is ended at its last valid record; torn bytes behind it are kept \
      aside in a .torn file, and what is missing is written down. Then the index is made anew. \
      Reading a capture does not need this: it makes the capture whole on disk, so that it can be \
      copied and checked. A capture that is whole stays as it is.
      """)

  @Argument(help: "Captures: paths, or names in the store.")
  var captures: [String]

  @Flag(help: "One JSON object a line.")
  var json = false

  func run() throws {
    var isComplete = true
    let isChecked = Store.forEach(captures) { path in
      let capture = try Capture(path: path)
      let recovery = try Recovery.recover(capture, known: Indexer.knownPlace(of: capture))
      if try recovery.isNeeded || !IndexReader(capture).isOnDisk {
        _ = try Indexer.rebuild(capture)
      }
      let report = try RecoveryReport(capture, recovery, IndexReader(capture))
      isComplete = report.write(isJSON: json) && isComplete
    }
    if !isChecked { throw ExitCode.failure }
    if !isComplete { throw ExitCode.incomplete }
  }
}
