import Foundation
import TestSupport
import Testing

extension ZcapTests {
  @Suite struct KilledRecorderTests {
    @Test(arguments: ["256MiB", "1MiB", "64KiB"])
    func everyMessageUpToTheKillIsThere(segmentSize: String) throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("load"))
      let recorder = try rig.start(
        ["record", publisher.endpoint, "-o", "killed", "--json", "--segment-size", segmentSize])
      try publisher.waitForSubscriptions()

      // Under load: the publisher does not stop before the recorder is dead.
      let deadline = monotonicSeconds() + 60
      var told = 0
      try publisher.publishLoad { number in
        guard number % 512 == 0 else { return true }
        guard recorder.isRunning, monotonicSeconds() < deadline else { return false }
        told = try Self.messagesTold(recorder)
        if told >= 10_000 { kill(recorder.pid, SIGKILL) }
        return true
      }
      #expect(try recorder.wait().ending == .signal(SIGKILL))
      #expect(told >= 10_000)
      print("segments of \(segmentSize): at least \(told) messages recorded when killed")

      let before = try rig.listing(of: rig.store)
      let row = try rig.storeRow("killed")
      let count = try #require(row.integer("messages"))
      #expect(row["state"] == "unclean" && row["lost"] == 0)
      #expect(count >= told)
      let listing = try rig.run("ls", "killed", "--json")
      #expect(listing.exitCode == 0)
      #expect(listing.standardError.contains("not sealed"))
      let messages = try rig.run("ls", "killed", "--messages", "--json")
      #expect(messages.exitCode == 0)
      let lines = messages.standardOutput.split(separator: "\n")
      #expect(lines.count == count)
      #expect(lines.enumerated().allSatisfy { $1.hasPrefix("{\"sequence\":\($0),") })

      let arrivals = try rig.replayed("killed")
      #expect(arrivals.numberingFault(frame: 1, count: count) == nil)
      #expect(arrivals.enumerated().allSatisfy { $1.frames[2].count == $0 % 700 })
      #expect(try rig.listing(of: rig.store) == before, "reading changes nothing")

      #expect(try rig.run("reindex", "killed").exitCode == 0)
      #expect(try rig.storeRow("killed") == row)
      #expect(try rig.run("ls", "killed", "--json").standardOutput == listing.standardOutput)
    }

    /// What the last whole status line says.
    private static func messagesTold(_ recorder: ChildProcess) throws -> Int {
      let lines = recorder.standardOutput.split(
        separator: "\n", omittingEmptySubsequences: false
      ).dropLast()
      return try lines.last.flatMap { try JSONRow(String($0)).integer("messages") } ?? 0
    }
  }
}
