import Foundation
import TestSupport
import Testing

extension Rig {
  /// Replays a capture at full speed into one subscriber; all that arrives, to the last message.
  func replayed(
    _ name: String, _ options: String..., exitCode: Int32 = 0
  ) throws -> [Subscriber.Arrival] {
    let endpoint = endpoint("replayed")
    let subscriber = try Subscriber(connecting: endpoint)
    let replay = try start(
      ["replay", name, "--bind", endpoint, "--rate", "max", "--json"]
        + ["--wait-subscribers", "1", "--wait-timeout", "30s"] + options)
    let arrivals = try subscriber.receiveAll()
    let run = try replay.wait()
    #expect(run.exitCode == exitCode, "\(run)")
    #expect(try run.summary["messages"] == .integer(arrivals.count))
    return arrivals
  }
}
