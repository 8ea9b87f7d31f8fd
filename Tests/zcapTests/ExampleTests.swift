import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// The examples of scripts/examples/producers: what each says that zcap shows is what it shows.
  @Suite struct ExampleTests {
    private static let folder = "\(Programs.repository)/scripts/examples/producers"

    static let names: [String] = {
      let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      return files.filter { $0.hasSuffix(".py") && $0 != "publish.py" }.sorted()
    }()

    @Test func thereAreSome() { #expect(Self.names.count >= 9) }

    @Test(arguments: names) func anExampleShowsWhatItSays(name: String) throws {
      let rig = try Rig()
      let text = try String(contentsOfFile: "\(Self.folder)/\(name)", encoding: .utf8)
      let lines = text.components(separatedBy: "\"\"\"")[1].split(separator: "\n")
        .map { $0.trimmingCharacters(in: .whitespaces) }
      let record = try #require(lines.first { $0.hasPrefix("zcap record") })
      let values = lines.filter { $0.hasPrefix("{") || $0.hasPrefix("[") }
      #expect(!values.isEmpty && lines.contains("zcap cat demo --json"))

      let endpoint = rig.endpoint("example")
      let arguments = record.split(separator: " ").dropFirst(2).map { word in
        let word = word.filter { $0 != "'" }
        if word == "ENDPOINT" { return endpoint }
        return FileManager.default.fileExists(atPath: "\(Self.folder)/\(word)")
          ? "\(Self.folder)/\(word)" : word
      }
      let recorder = try rig.start(["record", "--json"] + arguments)
      let producer = try ChildProcess(
        Programs.python(), ["\(Self.folder)/\(name)", endpoint].map { Array($0.utf8) },
        environment: ["PYTHONDONTWRITEBYTECODE": "1"], directory: rig.directory.path)
      #expect(try producer.wait().exitCode == 0)
      try waitFor("a message") {
        try rig.list("demo").contains { ($0.number("messages") ?? 0) > 0 }
      }
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
      let shown = try rig.run("cat", "demo", "--json")
      #expect(shown.exitCode == 0 && !shown.standardOutput.contains(#""error""#), "\(shown)")
      for value in values {
        #expect(shown.standardOutput.contains("\"value\":\(value)}"), "\(shown)")
      }
    }
  }
}
