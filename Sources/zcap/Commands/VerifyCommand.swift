import ArgumentParser
import CaptureStore
import Foundation

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every byte of captures, and their indexes against them.",
    discussion: """
      Reads all of it: first pages, headers, bodies, frame tables, sequences, checkpoints and \
      footers; then makes the index again and compares. Changes nothing. Of a capture that is \
      being recorded, what is committed by now is checked. A missing index is no damage.

      Exit codes: 0 all is whole; 3 something is damaged, lost, torn or not sealed, or an index \
      differs; 1 something could not be checked.
      """)

  @Argument(
    help: ArgumentHelp(
      "Captures: paths, or names in the store. (default: all of the store)", valueName: "capture"))
  var captures: [String] = []

  @Flag(help: "One JSON object a line.")
  var json = false

  private static var threads: Int { ProcessInfo.processInfo.activeProcessorCount }

  func run() throws {
    var isWhole = true
    let paths = captures.isEmpty ? try Store.captures() : captures
    let isChecked = Store.forEach(paths) { path in
      let report = try VerificationReport(Capture(path: path), threads: Self.threads)
      var output = DataOutput()
      output.writeLine(json ? report.json : report.text)
      output.flush()
      if !json { report.complain() }
      isWhole = isWhole && report.isWhole
    }
    if paths.isEmpty { Console.say("\(Store.directory): no captures") }
    if !isChecked { throw ExitCode.failure }
    if !isWhole { throw ExitCode.incomplete }
  }
}
