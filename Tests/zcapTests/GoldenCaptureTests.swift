import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// The captures of real traffic that are committed, each with what `ls` must say of it.
  @Suite struct GoldenCaptureTests {
    static let folder = "\(Programs.repository)/captures"

    /// Names of the captures with an expectation beside them.
    static let names: [String] = {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      return names.sorted().filter {
        FileManager.default.fileExists(atPath: "\(folder)/\($0)/expected-ls.jsonl")
      }
    }()

    @Test func someAreThereWhereCapturesAreCommitted() throws {
      let manager = FileManager.default
      let entries = (try? manager.contentsOfDirectory(atPath: Self.folder)) ?? []
      let captures = entries.filter {
        manager.fileExists(atPath: "\(Self.folder)/\($0)/capture.json")
      }
      #expect(captures.isEmpty || !Self.names.isEmpty)
    }

    @Test(arguments: names)
    func isListedAsExpected(name: String) throws {
      let rig = try Rig()
      let path = "\(Self.folder)/\(name)"
      let listing = try rig.run("ls", path, "--json")
      #expect(listing.exitCode == 0, "\(listing)")
      #expect(listing.standardOutput == (try Self.text("\(path)/expected-ls.jsonl")))

      let messages = try rig.run("ls", path, "--messages", "--json")
      #expect(messages.exitCode == 0)
      let expected = try Self.text("\(path)/expected-messages.jsonl")
      #expect(!expected.isEmpty && messages.standardOutput.hasPrefix(expected))
    }

    @Test(arguments: names)
    func isReplayedWhole(name: String) throws {
      let rig = try Rig()
      let path = "\(Self.folder)/\(name)"
      let sizes = try rig.list(path, "--messages").map { $0.integers("frames") ?? [] }
      #expect(try rig.replayed(path).map { $0.frames.map(\.count) } == sizes)
    }

    private static func text(_ path: String) throws -> String {
      String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }
  }
}
