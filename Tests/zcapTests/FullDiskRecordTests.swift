import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// `zcap record` onto a disk until nothing more fits.
  @Suite(.enabled(if: MountedDisk.isAllowed)) struct FullDiskRecordTests {
    private struct Ended {
      var run: ProcessRun
      var published: Int
      var path: String
      var rig: Rig
    }

    /// Publishes numbered messages until the recorder has ended.
    private static func record(onto disk: MountedDisk, _ options: String...) throws -> Ended {
      let rig = try Rig()
      let path = "\(disk.path)/full"
      let publisher = try Publisher(binding: rig.endpoint("load"))
      let recorder = try rig.start(
        ["record", publisher.endpoint, "-o", path, "--json", "--segment-size", "4MiB"] + options)
      try publisher.waitForSubscriptions()
      let deadline = monotonicSeconds() + 60
      var published = 0
      while published % 64 != 0 || recorder.isRunning && monotonicSeconds() < deadline {
        try publisher.publish(
          "load", String(published), String(repeating: "x", count: published * 7 % 9_000))
        published += 1
      }
      return Ended(run: try recorder.wait(), published: published, path: path, rig: rig)
    }

    /// What was told is what is there: the beginning of what was published, and sealed.
    private static func check(_ ended: Ended) throws {
      #expect(ended.run.exitCode == 3, "\(ended.run)")
      let summary = try ended.run.summary
      let told = try #require(summary.integer("messages"))
      #expect(told > 1_000 && told < ended.published)
      #expect(summary["complete"] == false)
      let arrivals = try ended.rig.replayed(ended.path)
      #expect(arrivals.numberingFault(frame: 1, count: told) == nil)
      #expect(arrivals.enumerated().allSatisfy { $1.frames[2].count == $0 * 7 % 9_000 })
      let listing = try ended.rig.run("ls", ended.path, "--json")
      #expect(listing.exitCode == 0 && listing.complaints == [], "\(listing)")
    }

    @Test(arguments: MountedDisk.Kind.allCases)
    func aFullDiskEndsTheRecordingWithAllThatWasTold(kind: MountedDisk.Kind) throws {
      let disk = try MountedDisk(kind)
      let ended = try Self.record(onto: disk, "--min-free", "0")
      try Self.check(ended)
      let reasons = ended.run.complaints.filter { $0.contains("No space left on device") }
      #expect(!reasons.isEmpty, "\(ended.run.standardError)")
      #expect(try ended.run.summary.text("failure")?.contains("No space left on device") == true)
    }

    @Test(arguments: MountedDisk.Kind.allCases)
    func theFloorLeavesRoomToOthers(kind: MountedDisk.Kind) throws {
      let disk = try MountedDisk(kind)
      let ended = try Self.record(onto: disk, "--min-free", "20MiB")
      try Self.check(ended)
      #expect(try ended.run.summary.text("failure")?.contains("--min-free") == true)
      var space = statvfs()
      #expect(statvfs(disk.path, &space) == 0)
      // The index has its share, too.
      #expect(Int(space.f_bavail) * Int(space.f_frsize) >= 18 << 20)
    }

    /// Room for hardly more than two segments: each makes room for the one after the next.
    @Test(arguments: ["12MiB", "24MiB"])
    func aRingGoesOnWhereItsDiskHasRoomForLittle(segmentSize: String) throws {
      let disk = try MountedDisk(.tmpfs)
      let rig = try Rig()
      let path = "\(disk.path)/ring"
      let publisher = try Publisher(binding: rig.endpoint("load"))
      let count = 12_000
      let recorder = try rig.start([
        "record", publisher.endpoint, "-o", path, "--json", "--keep", "1GiB", "--segment-size",
        segmentSize, "--min-free", "0", "--count", String(count),
      ])
      try publisher.waitForSubscriptions()
      for number in 0..<count {
        try publisher.publish("load", String(number), String(repeating: "x", count: 10_000))
      }
      let run = try recorder.wait()
      #expect(run.exitCode == 0, "\(run)")
      let told = run.complaints.filter { $0.contains("no room") }
      #expect(told.count == 1 && told[0].contains("for all that --keep asks for"), "\(run)")
      let summary = try run.summary
      #expect(summary.integer("messages") == count)
      let arrivals = try rig.replayed(path)
      let numbers = arrivals.map { Int(String(decoding: $0.frames[1], as: UTF8.self)) }
      let first = try #require(numbers.first ?? nil)
      #expect(arrivals.count == count - first && arrivals.count < 6_000)
    }
  }
}
