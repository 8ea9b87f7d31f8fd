import Foundation
import TestSupport
import Testing

/// Everything that drives the program, one test at a time: they measure time, and two cores are
/// soon taken.
@Suite(.serialized) enum ZcapTests {}

/// What one test works with: a directory of its own with a store in it, and zcap run there.
final class Rig {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// `$ZCAP_STORE` of every zcap that is started here.
  var store: String { directory.file("store") }

  /// The path of a capture in the store.
  func capture(_ name: String) -> String { "\(store)/\(name)" }

  /// An ipc endpoint that no other test uses.
  func endpoint(_ name: String) -> String { directory.endpoint(name) }

  /// Starts zcap.
  func start(
    _ arguments: [String], environment: [String: String?] = [:]
  ) throws -> ChildProcess {
    try start(bytes: arguments.map { Array($0.utf8) }, environment: environment)
  }

  /// Starts zcap with arguments that need not be text.
  func start(
    bytes arguments: [[UInt8]], environment: [String: String?] = [:]
  ) throws -> ChildProcess {
    try ChildProcess(
      Programs.zcap(), arguments,
      environment: ["ZCAP_STORE": store].merging(environment) { $1 }, directory: directory.path)
  }

  /// Runs zcap to its end.
  func run(_ arguments: String..., seconds: Double = 60) throws -> ProcessRun {
    try start(arguments).wait(seconds: seconds)
  }

  /// Runs a `zcap ls` that should work; its JSON rows.
  func list(_ arguments: String...) throws -> [JSONRow] {
    let run = try start(["ls"] + arguments + ["--json"]).wait()
    guard run.exitCode == 0 else { throw TestFailure("\(run.command): \(run)") }
    return try JSONRow.rows(run.standardOutput)
  }

  /// Runs a script of `Scripts` with Python.
  func python(_ script: String, _ arguments: [String]) throws -> ChildProcess {
    let path = "\(Programs.repository)/Tests/zcapTests/Scripts/\(script)"
    return try ChildProcess(
      Programs.python(), ([path] + arguments).map { Array($0.utf8) },
      environment: ["PYTHONDONTWRITEBYTECODE": "1"], directory: directory.path)
  }

  /// Every file and folder below a path with its size, as text: for before and after.
  func listing(of path: String) throws -> [String] {
    let manager = FileManager.default
    return try manager.subpathsOfDirectory(atPath: path).sorted().map { name in
      let attributes = try manager.attributesOfItem(atPath: "\(path)/\(name)")
      let isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
      return isFolder ? "\(name)/" : "\(name) \(attributes[.size] ?? "?") bytes"
    }
  }
}

extension ProcessRun {
  /// The last JSON object that it printed: the summary.
  var summary: JSONRow {
    get throws {
      guard let row = try JSONRow.rows(standardOutput).last, row["event"] == "summary" else {
        throw TestFailure("\(command): no summary; it said \(standardOutput) \(standardError)")
      }
      return row
    }
  }

  /// Lines of standard error.
  var complaints: [Substring] { standardError.split(separator: "\n") }
}
