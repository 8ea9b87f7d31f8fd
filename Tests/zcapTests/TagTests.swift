import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// What users say of frames: at record time, afterwards, and what that changes.
  @Suite struct TagTests {
    private static let rule = "imu/*#1=struct(<HB:seq,flags)"

    private func made(_ rig: Rig) throws {
      var capture = MadeCapture()
      for number in 0..<3 {
        capture.entries.append(
          .init(
            nanoseconds: Int64(number), frames: [Array("imu/\(number % 2)".utf8), [1, 0, 7]]))
      }
      try capture.write(rig.capture("made"))
    }

    private func codecs(_ rig: Rig) throws -> [String] {
      try rig.list("made", "--json").compactMap { $0.text("codec") }
    }

    @Test func aRuleThatIsAddedIsListedShownAndTakenOut() throws {
      let rig = try Rig()
      try made(rig)
      let none = try rig.run("tag", "made")
      #expect(none.exitCode == 0 && none.standardOutput.isEmpty)
      #expect(try codecs(rig) == ["text|raw", "text|raw"])

      let added = try rig.run("tag", "made", Self.rule, "imu/0#1=raw")
      #expect(added.exitCode == 0, "\(added)")
      #expect(try codecs(rig) == ["text|struct(<HB:seq,flags)", "text|struct(<HB:seq,flags)"])
      #expect(try rig.run("tag", "made").standardOutput == "\(Self.rule)\nimu/0#1=raw\n")
      let shown = try rig.run("cat", "made", "--json", "--limit", "1")
      #expect(
        shown.standardOutput.contains(
          #"{"codec":"struct(<HB:seq,flags)","value":{"seq":1,"flags":7}}"#), "\(shown)")
      #expect(try rig.run("verify", "made").exitCode == 0)

      // What is said last counts first.
      #expect(try rig.run("tag", "made", "imu/0#1=raw").exitCode == 0)
      #expect(try codecs(rig) == ["text|raw", "text|struct(<HB:seq,flags)"])
      let removed = try rig.run("tag", "made", "--remove", Self.rule, "--remove", "imu/0#1=raw")
      #expect(removed.exitCode == 0, "\(removed)")
      #expect(try codecs(rig) == ["text|raw", "text|raw"])
      #expect(try rig.run("tag", "made").standardOutput.isEmpty)
    }

    @Test func schemasTravelWithTheCapture() throws {
      let rig = try Rig()
      let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("PayloadCodecsTests/Fixtures")
      let message = try Data(
        contentsOf: fixtures.appendingPathComponent("everything.protobuf.bin"))
      var capture = MadeCapture()
      capture.entries.append(.init(nanoseconds: 0, frames: [Array("p".utf8), Array(message)]))
      // No bytes are a message, too: that of the defaults.
      capture.entries.append(.init(nanoseconds: 1, frames: [Array("p".utf8), []]))
      try capture.write(rig.capture("made"))
      let tag = "*#1=protobuf(zcap.test.Everything)"
      let without = try rig.run("tag", "made", tag)
      #expect(without.exitCode == 64 && without.complaints.count == 1, "\(without)")
      let schema = fixtures.appendingPathComponent("everything.desc").path
      #expect(try rig.run("tag", "made", tag, "--schema", schema).exitCode == 0)
      #expect(try rig.run("tag", "made").standardOutput == "\(tag)\nschema everything.desc\n")
      let shown = try rig.run("cat", "made", "--json", "--frame", "1")
      #expect(shown.standardOutput.contains(#""codec":"protobuf(zcap.test.Everything)""#))
      #expect(
        shown.standardOutput.contains(
          #"[{"codec":"protobuf(zcap.test.Everything)","value":{}}]"#), "\(shown)")
      #expect(
        shown.standardOutput.contains("someDouble") && !shown.standardOutput.contains("error"))
      // A rule that nothing would show any more keeps its schema.
      let kept = try rig.run("tag", "made", "--remove-schema", "everything.desc")
      #expect(kept.exitCode == 64 && kept.complaints.count == 1, "\(kept)")
      #expect(kept.standardError.contains(tag), "\(kept)")
      let both = try rig.run("tag", "made", "--remove-schema", "everything.desc", "--remove", tag)
      #expect(both.exitCode == 0, "\(both)")
      #expect(try rig.run("tag", "made").standardOutput.isEmpty)
      #expect(try rig.run("tag", "made", tag, "--schema", schema).exitCode == 0)
      try FileManager.default.removeItem(atPath: rig.capture("made") + "/schemas/everything.desc")
      let bare = try rig.run("cat", "made", "--json")
      #expect(bare.exitCode == 3 && bare.standardOutput.contains("its schema is not here"))
    }

    /// What is wrong with it, and not something else.
    @Test(arguments: [
      ("struct(<Id3f:seq)", "1 names, and the format has 5 values, or 3"),
      ("struct(<Id:a,a)", "a name is there twice"), ("struct(<Iz)", "no format of Python's struct"),
      ("ndarray(foo,3)", "'foo' is no type of numbers"), ("ndarray(uint8,-1)", "'-1' is no shape"),
      ("jsno", "no such codec; there are raw, text, json"),
      ("protobuf(Everything)", "the schemas have zcap.test.Everything"),
      ("flatbuffers(A)", "a type of a schema needs --schema"),
    ])
    func aTagThatNothingShowsSaysWhy(tag: String, reason: String) throws {
      let rig = try Rig()
      try MadeCapture.evenly(1, nanoseconds: 1).write(rig.capture("made"))
      let folder = "\(Programs.repository)/Tests/PayloadCodecsTests/Fixtures"
      let schema = "\(folder)/everything.desc"
      let run = try rig.run("cat", "made", "--as", "*#1=\(tag)", "--schema", schema)
      #expect(run.exitCode == 64 && run.complaints.count == 1, "\(run)")
      #expect(run.standardError.contains(reason), "\(run)")
    }

    @Test func aRuleThatFitsNothingIsTold() throws {
      let rig = try Rig()
      try MadeCapture.evenly(3, nanoseconds: 1, topic: "imu").write(rig.capture("made"))
      let run = try rig.run("tag", "made", "IMU#1=raw", "imu#7=raw", "imu#1=raw", "imu#1=raw")
      #expect(run.exitCode == 0 && run.complaints.count == 3, "\(run)")
      #expect(run.standardError.contains("'IMU#1=raw': no topic matches"))
      #expect(run.standardError.contains("'imu#7=raw': no message"))
      let rules = try rig.run("tag", "made").standardOutput.split(separator: "\n")
      #expect(rules == ["IMU#1=raw", "imu#7=raw", "imu#1=raw"])
      let cat = try rig.run("cat", "made", "--as", "nobody#1=raw")
      #expect(cat.exitCode == 0 && cat.standardError.contains("no frame is shown so"), "\(cat)")
    }

    @Test func aRecordingKeepsWhatItIsTold() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start([
        "record", "--json", "-o", "made", publisher.endpoint, "--codec", "load#1=ndarray(uint8)",
        "--count", "2",
      ])
      try publisher.waitForSubscriptions()
      for text in ["ab", "cd"] { try publisher.publish("load", text) }
      #expect(try recorder.wait().exitCode == 0)
      #expect(try rig.run("tag", "made").standardOutput == "load#1=ndarray(uint8)\n")
      #expect(try codecs(rig) == ["text|ndarray(uint8)"])
    }

    @Test func whatIsSaidAgainCountsFirst() throws {
      let rig = try Rig()
      for rules in [["a#1=raw", "*#1=json"], ["*#1=json"]] {
        let publisher = try Publisher()
        let recorder = try rig.start(
          ["record", "-o", "made", publisher.endpoint, "--count", "1"]
            + rules.flatMap { ["--codec", $0] } + (rules.count == 1 ? ["--append"] : []))
        try publisher.waitForSubscriptions()
        try publisher.publish("a", "[1]")
        #expect(try recorder.wait().exitCode == 0)
      }
      #expect(try rig.run("tag", "made").standardOutput == "*#1=json\na#1=raw\n")
    }

    @Test func schemasThatWouldNotBeFoundAgainAreRefused() throws {
      let rig = try Rig()
      try made(rig)
      let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("PayloadCodecsTests/Fixtures")
      let schema = try Data(contentsOf: fixtures.appendingPathComponent("everything.desc"))
      let other = try Data(contentsOf: fixtures.appendingPathComponent("everything.bfbs"))
      for (name, bytes) in [
        (".hidden", schema), ("a.desc.new", schema), ("one/a.desc", schema), ("two/a.desc", other),
      ] {
        let file = URL(fileURLWithPath: rig.capture(name))
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try bytes.write(to: file)
      }
      for names in [[".hidden"], ["a.desc.new"], ["one/a.desc", "two/a.desc"]] {
        let run = try rig.start(
          ["tag", "made"] + names.flatMap { ["--schema", rig.capture($0)] }
        ).wait()
        #expect(run.exitCode == 64 && run.complaints.count == 1, "\(run)")
      }
      #expect(try rig.run("tag", "made").standardOutput.isEmpty)
    }

    /// Each imports from a root two folders above it.
    private static let sources = [
      "protos/lab/one/sample.proto": """
      syntax = "proto3"; package lab; import "lab/two/unit.proto";
      message Sample { Unit unit = 1; }
      """,
      "protos/lab/two/unit.proto": """
      syntax = "proto3"; package lab; message Unit { string name = 1; }
      """,
      "lab/one/sample.fbs": """
      include "two/unit.fbs"; namespace lab; table Sample { unit: Unit; } root_type Sample;
      """,
      "lab/two/unit.fbs": "namespace lab; table Unit { name: string; }",
      "lab/one/sample.capnp": """
      @0xd8a1f2b3c4d5e6f7; using Two = import "/two/unit.capnp"; struct Sample { unit @0 :Two.Unit; }
      """,
      "lab/two/unit.capnp": "@0xe8a1f2b3c4d5e6f7; struct Unit { name @0 :Text; }",
      "wrong.proto": "syntax = \"proto3\"; message {", "wrong.fbs": "table {",
      "wrong.capnp": "@0xd8a1f2b3c4d5e6f7; struct {",
    ]

    private func write(_ sources: [String: String], for rig: Rig) throws {
      for (name, text) in sources {
        let file = URL(fileURLWithPath: rig.directory.file(name))
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
      }
    }

    @Test(arguments: [
      ("protos/lab/one/sample.proto", "protobuf(lab.Sample)", "sample.desc"),
      ("lab/one/sample.fbs", "flatbuffers(lab.Sample)", "sample.bfbs"),
      ("lab/one/sample.capnp", "capnp(Sample)", "sample.request"),
    ])
    func sourcesOfSchemasAreCompiled(source: String, tag: String, name: String) throws {
      let rig = try Rig()
      try made(rig)
      try write(Self.sources, for: rig)
      let tagged = try rig.run("tag", "made", "p#1=\(tag)", "--schema", source)
      #expect(tagged.exitCode == 0, "\(tagged)")
      #expect(try rig.run("tag", "made").standardOutput == "p#1=\(tag)\nschema \(name)\n")
    }

    @Test(arguments: ["proto", "fbs", "capnp"])
    func whatDoesNotCompileIsOneLineOfItsCompiler(language: String) throws {
      let rig = try Rig()
      try made(rig)
      try write(Self.sources, for: rig)
      let source = "wrong.\(language)"
      let wrong = try rig.run("tag", "made", "--schema", source)
      #expect(wrong.exitCode == 64 && wrong.complaints.count == 1, "\(wrong)")
      let compiler = ["proto": "protoc", "fbs": "flatc", "capnp": "capnp"][language]!
      // Where it is wrong, as the compiler has it.
      #expect(wrong.standardError.contains(" \(compiler): "), "\(wrong)")
      #expect(wrong.standardError.contains("\(source):1:"), "\(wrong)")
      let missing = try rig.start(
        ["tag", "made", "--schema", source], environment: ["PATH": "/nowhere"]
      ).wait()
      #expect(missing.exitCode == 64 && missing.complaints.count == 1, "\(missing)")
      #expect(missing.standardError.contains("apt install"), "\(missing)")
      #expect(try rig.run("tag", "made").standardOutput.isEmpty)
    }

    @Test(arguments: [
      ["tag", "made", "imu"], ["tag", "made", "*#1=jsom"], ["tag", "made", "--remove", "a#1=raw"],
      ["tag", "made", "--remove-schema", "x"], ["tag", "made", "--schema", "/nowhere"],
      ["cat", "made", "--as", "imu"], ["cat", "made", "--as", "*#1=struct(y)"],
    ])
    func whatIsWrongIsOneLine(arguments: [String]) throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.start(arguments).wait()
      #expect(run.exitCode == 64 && run.complaints.count == 1, "\(run)")
      #expect(try rig.run("tag", "made").standardOutput.isEmpty)
    }
  }
}
