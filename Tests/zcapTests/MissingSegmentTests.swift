import Foundation
import Glibc
import TestSupport
import Testing

@testable import CaptureStore

extension ZcapTests {
  /// Captures that lack segments which their index knows.
  @Suite struct MissingSegmentTests {
    private static let count = 900

    /// A capture of several segments with its index, in which something is then done to one of them.
    private static func rig(
      damaging number: Int?, _ damage: (String) throws -> Void
    ) throws -> (rig: Rig, intact: Int) {
      let rig = try Rig()
      var made = MadeCapture.evenly(
        count, nanoseconds: 1_000, topic: String(repeating: "t", count: 200))
      made.segmentSize = 64 << 10
      try made.write(rig.capture("c"))
      #expect(try rig.run("reindex", "c").exitCode == 0)
      let segments = try Capture(path: rig.capture("c")).segmentFiles()
      #expect(segments.count > 2)
      let segment = segments[number ?? segments.count - 1]
      var first: [Int] = []
      for file in segments {
        let opened = try #require(try Segment(path: file.path, files: .system))
        first.append(Int(opened.header.firstSequence))
      }
      let next = number.map { first[$0 + 1] } ?? count
      try damage(segment.path)
      return (rig, count - (next - first[Int(segment.number)]))
    }

    enum Damage: CaseIterable, Sendable {
      case deleted, firstPage

      func apply(_ path: String) throws {
        switch self {
        case .deleted: try FileManager.default.removeItem(atPath: path)
        case .firstPage:
          var bytes = try Data(contentsOf: URL(filePath: path))
          bytes.replaceSubrange(..<4096, with: Data(count: 4096))
          try bytes.write(to: URL(filePath: path))
        }
      }
    }

    @Test(arguments: Damage.allCases, [0, 1])
    func messagesOfALostSegmentAreMissing(damage: Damage, segment: Int) throws {
      let (rig, intact) = try Self.rig(damaging: segment, damage.apply)
      let lost = "c: \(Self.count - intact) messages are lost"
      let listing = try rig.run("ls", "c", "--messages", "--json")
      #expect(listing.exitCode == 3 && listing.complaints.count == 1, "\(listing.standardError)")
      #expect(listing.standardError.contains(lost), "\(listing)")
      #expect(try JSONRow.rows(listing.standardOutput).count == intact)

      let replay = try rig.run(
        "replay", "c", "--bind", rig.endpoint("r"), "--rate", "max", "--loop", "2", "--json")
      #expect(replay.exitCode == 3)
      #expect(replay.standardError.contains(lost), "\(replay)")
      let summary = try replay.summary
      #expect(summary["messages"] == .integer(2 * intact) && summary["damaged"] == 0)
      #expect(summary["lost"] == .integer(Self.count - intact))
    }

    /// The index tells that already, and everybody what the index tells.
    @Test func messagesOfTheLastSegmentAreToldAsTheIndexDoes() throws {
      let (rig, intact) = try Self.rig(damaging: nil, Damage.deleted.apply)
      let lost = "\(Self.count - intact) messages are lost"
      let listing = try rig.run("ls", "c")
      #expect(listing.exitCode == 3 && listing.standardError.contains("c: \(lost)"), "\(listing)")
      let replay = try rig.run(
        "replay", "c", "--bind", rig.endpoint("r"), "--rate", "max", "--json")
      #expect(replay.exitCode == 3 && replay.standardError.contains("c: \(lost)"), "\(replay)")
      let summary = try replay.summary
      #expect(summary["lost"] == .integer(Self.count - intact) && summary["damaged"] == 0)
    }

    @Test func aCaptureWithNothingToReplaySaysWhy() throws {
      let rig = try Rig()
      let manager = FileManager.default
      for name in ["empty", "none", "foreign"] {
        let count = name == "empty" ? 0 : 5
        try MadeCapture.evenly(count, nanoseconds: 1_000).write(rig.capture(name))
        #expect(try rig.run("reindex", name).exitCode == 0)
      }
      func segment(_ name: String) -> String { CapturePath.segment(rig.capture(name), 0) }
      try manager.removeItem(atPath: segment("foreign"))
      try manager.moveItem(atPath: segment("none"), toPath: segment("foreign"))
      for (name, reason) in [
        ("empty", "there are no messages in it"), ("none", "it has no segments; bring"),
        ("foreign", "can be read; `zcap verify \(rig.capture("foreign"))` tells why"),
      ] {
        let run = try rig.run("replay", name, "--bind", rig.endpoint("r"))
        #expect(run.exitCode == 1 && run.complaints.count == 1, "\(run)")
        #expect(run.standardError.contains(reason), "\(run)")
      }
    }
  }
}
