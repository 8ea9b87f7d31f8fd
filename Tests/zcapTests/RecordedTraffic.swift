import Foundation
import TestSupport
import Testing

extension Rig {
  /// Records what `publish` publishes, and how many that is, into a capture of the store; ends the
  /// recording when all of it has been seen by `zcap ls`. Returns the summary.
  @discardableResult
  func record(
    _ publishers: [Publisher], to name: String, _ options: [String] = [],
    subscriptions: Int = 1, publish: () throws -> Int
  ) throws -> JSONRow {
    let endpoints = publishers.map(\.endpoint)
    let recorder = try start(["record", "--json", "-o", name] + options + endpoints)
    for publisher in publishers { try publisher.waitForSubscriptions(subscriptions) }
    try waitForMessages(publish(), in: name)
    recorder.send(signal: SIGINT)
    let run = try recorder.wait()
    #expect(run.exitCode == 0, "\(run)")
    return try run.summary
  }

  /// Waits until `zcap ls` tells so many messages of a capture, which may still be recorded.
  func waitForMessages(_ count: Int, in name: String) throws {
    try waitFor("\(count) messages in \(name)") {
      let rows = try list(name)
      return rows.reduce(0) { $0 + ($1.integer("messages") ?? 0) } >= count
    }
  }

  /// The row of a capture in `zcap ls`.
  func storeRow(_ name: String) throws -> JSONRow {
    guard let row = try list().first(where: { $0.text("capture") == name }) else {
      throw TestFailure("zcap ls does not list \(name)")
    }
    return row
  }
}
