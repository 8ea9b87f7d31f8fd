import Foundation
import TestSupport
import Testing

/// A command line that must be refused.
struct BadInput: Sendable, CustomTestStringConvertible {
  var arguments: [String]
  /// What the one line must name.
  var mention: String
  var exitCode: Int32

  /// `$D` stands for the directory of the test.
  init(_ arguments: [String], mention: String, exit code: Int32 = 64) {
    self.arguments = arguments
    self.mention = mention
    exitCode = code
  }

  var testDescription: String { arguments.joined(separator: " ") }
}

extension ZcapTests {
  /// Bad input is told in one line that names it, and changes nothing.
  @Suite struct BadInputTests {
    @Test(arguments: BadInput.recordings + BadInput.listings + BadInput.replays)
    func isRefused(input: BadInput) throws {
      let rig = try Rig()
      try MadeCapture.evenly(20, nanoseconds: 1_000_000_000).write(rig.capture("good"))
      for name in ["newer", "newer-segment", "broken"] {
        try MadeCapture.evenly(3, nanoseconds: 1_000_000).write(rig.capture(name))
      }
      try rig.makeManifestNewer(in: "newer")
      try rig.makeSegmentNewer(in: "newer-segment")
      let manifest = URL(fileURLWithPath: "\(rig.capture("broken"))/capture.json")
      try Data(#"{"format": 1, "uuid": "#.utf8).write(to: manifest)
      try FileManager.default.createDirectory(
        atPath: rig.capture("folder"), withIntermediateDirectories: false)
      try Data("text".utf8).write(to: URL(fileURLWithPath: rig.capture("file")))
      try MadeCapture.evenly(3, nanoseconds: 1_000_000).write(rig.capture("gone"))
      try FileManager.default.removeItem(atPath: "\(rig.capture("gone"))/capture.json")
      let taken = try Publisher()
      let before = try rig.listing(of: rig.directory.path)

      let place = { (text: String) in
        text.replacingOccurrences(of: "$D", with: rig.directory.path)
          .replacingOccurrences(of: "$TAKEN", with: taken.endpoint)
      }
      let run = try rig.start(input.arguments.map(place)).wait(seconds: 10)
      #expect(run.exitCode == input.exitCode, "\(run)")
      #expect(run.complaints.count == 1, "\(run.standardError)")
      #expect(run.standardError.hasPrefix("zcap: ") && run.standardError.hasSuffix("\n"))
      #expect(run.standardError.contains(place(input.mention)), "\(run.standardError)")
      #expect(run.standardOutput.isEmpty)
      #expect(try rig.listing(of: rig.directory.path) == before)
    }
  }
}

extension BadInput {
  static let newCapture = ["-o", "$D/new/capture"]

  static let recordings: [BadInput] = [
    .init(["record", "foo://127.0.0.1:1"] + newCapture, mention: "foo"),
    .init(["record", "localhost:5555"] + newCapture, mention: "localhost:5555"),
    .init(["record", "tcp://127.0.0.1"] + newCapture, mention: "tcp://127.0.0.1"),
    .init(["record", "tcp://127.0.0.1:99999"] + newCapture, mention: "tcp://127.0.0.1:99999"),
    .init(["record", "tcp://"] + newCapture, mention: "tcp://"),
    .init(["record", "inproc://x"] + newCapture, mention: "inproc://x"),
    .init(["record", "tcp://::1:5555"] + newCapture, mention: "in brackets"),
    .init(["record", "tcp://[::1:5555"] + newCapture, mention: "in brackets"),
    .init(["record", "tcp://[::1]x:5555"] + newCapture, mention: "in brackets"),
    .init(["record", "tcp://[]:5555"] + newCapture, mention: "in brackets"),
    .init(["record", "tcp://:5555"] + newCapture, mention: "host is missing"),
    .init(["record", ""] + newCapture, mention: "''"),
    .init(["record"] + newCapture, mention: "endpoint"),
    .init(["record", "ipc://$D/ok.ipc", "-o", "$D/store/folder"], mention: "no capture", exit: 1),
    .init(["record", "ipc://$D/ok.ipc", "-o", "file", "--append"], mention: "no capture", exit: 1),
    .init(["record", "ipc://$D/ok.ipc", "--count", "-5"] + newCapture, mention: "-5"),
    .init(
      ["record", "ipc://$D/ok.ipc", "--keep", "60s", "--before", "2m"] + newCapture,
      mention: "keeps 1m00s only"),
    .init(["record", "ipc://$D/ok.ipc", "foo://x"] + newCapture, mention: "foo"),
    .init(["record", longIPC] + newCapture, mention: longIPC, exit: 1),
    .init(
      ["record", "--bind", "tcp://192.0.2.1:5555"] + newCapture, mention: "tcp://192.0.2.1:5555",
      exit: 1),
    .init(["record", "--bind", "$TAKEN"] + newCapture, mention: "$TAKEN", exit: 1),
    .init(["record", ipc, "-o", "good"], mention: "good: exists already", exit: 1),
    .init(["record", ipc, "-o", "$D/store/file/x"], mention: "$D/store/file", exit: 1),
    .init(["record", ipc, "-o", "$D/store/file"], mention: "$D/store/file", exit: 1),
    .init(["record", ipc, "-o", "/proc/zcap/x"], mention: "/proc/zcap", exit: 1),
    .init(["record", ipc, "--count", "0"] + newCapture, mention: "--count"),
    .init(["record", ipc, "--duration", "0"] + newCapture, mention: "--duration 0"),
    .init(["record", "tcp://*:7141"] + newCapture, mention: "tcp://*:7141': '*' is for --bind"),
    .init(["record", "tcp://h:0"] + newCapture, mention: "tcp://h:0"),
    .init(["record", ipc, ipc] + newCapture, mention: "named twice"),
    .init(["record", ipc, "--min-fre", "5%"] + newCapture, mention: "'--min-fre'"),
    .init(["record", ipc, "--min-fre=5%"] + newCapture, mention: "'--min-fre'"),
    .init(["record", ipc, "--sequence", "x:frame=1:offset=0:u32"], mention: "'u32' is no type"),
    .init(
      ["record", ipc, "--sequence", "x:frame=1:offset=0:u32le:shard"],
      mention: "'shard' is no type"),
    .init(["record", ipc, "--sequence", "x:frame=1:u32le"], mention: "four parts"),
    .init(["record", ipc, "--count", "-1"] + newCapture, mention: "--count"),
    .init(["record", ipc, "--duration", "soon"] + newCapture, mention: "soon"),
    .init(["record", ipc, "--duration", "nan"] + newCapture, mention: "nan"),
    .init(["record", ipc, "--duration", "10S"] + newCapture, mention: "say 10s, 1m30s or 500ms"),
    .init(["record", ipc, "--size", "1X"] + newCapture, mention: "(see 'zcap record --help')"),
    .init(["record", ipc, "--duration=-1s"] + newCapture, mention: "-1s"),
    .init(["record", ipc, "--size", "0"] + newCapture, mention: "'0'"),
    .init(["record", ipc, "--size", "1XB"] + newCapture, mention: "1XB"),
    .init(["record", ipc, "--hwm=-1"] + newCapture, mention: "--hwm"),
    .init(["record", ipc, "--io-threads", "0"] + newCapture, mention: "--io-threads"),
    .init(["record", ipc, "--segment-size", "1KiB"] + newCapture, mention: "--segment-size"),
    .init(["record", ipc, "--segment-size", "1000TiB"] + newCapture, mention: "--segment-size"),
    .init(["record", ipc, "--trigger", "x"] + newCapture, mention: "only with --keep"),
    .init(["record", ipc, "--cpu", "x"] + newCapture, mention: "--cpu"),
    .init(["record", ipc, "--cpu", "100000"] + newCapture, mention: "not a CPU"),
    .init(["bench", "--rounds", "0"], mention: "--rounds"),
    .init(["bench", "--size", "1GiB"], mention: "--size"),
    .init(["bench", "--folder", "/dev/null"], mention: "/dev/null", exit: 1),
    .init(["trigger", "absent"], mention: "no such capture", exit: 1),
    .init(["trigger", "good"], mention: "no ring", exit: 1),
    .init(["trigger", "good", "--before", "soon"], mention: "--before"),
    .init(
      ["record", ipc, "--keep", "1h", "--trigger", ""] + newCapture, mention: "every message"),
    .init(
      ["record", ipc, "--keep", "1h", "--trigger", "a", "-t", "b"] + newCapture,
      mention: "no such topic is subscribed to"),
    .init(["record", ipc, "--before", "1s"] + newCapture, mention: "--before: only with --keep"),
    .init(["record", ipc, "--after", "1s"] + newCapture, mention: "--after: only with --keep"),
    .init(
      ["record", ipc, "--append", "-o", "good", "--trigger", "x"],
      mention: "good is no ring"),
    .init(["record", ipc, "--keep", "100"] + newCapture, mention: "10GiB, 24h"),
    .init(["record", ipc, "--keep", "0msg"] + newCapture, mention: "--keep"),
    .init(["record", ipc, "--keep", "100KiB"] + newCapture, mention: "at least 512 KiB"),
    .init(["record", ipc, "--keep", "1h", "--keep", "2h"] + newCapture, mention: "given twice"),
    .init(
      ["record", ipc, "--keep", "1MiB", "--segment-size", "1MiB"] + newCapture,
      mention: "an eighth of --keep"),
    .init(
      ["record", ipc, "--append", "-o", "good", "--keep", "1h"], mention: "no ring",
      exit: 1),
    .init(["record", ipc, "--topic-rule", "first"] + newCapture, mention: "first"),
    .init(["record", ipc, "--topic-rule", "prefix:0"] + newCapture, mention: "prefix:0"),
    .init(["record", ipc, "--label", "nothing"] + newCapture, mention: "nothing"),
    .init(["record", ipc, "--frobnicate"] + newCapture, mention: "--frobnicate"),
    .init(
      ["record", ipc, "--sequence", "a:frame=x:offset=0:u8"] + newCapture, mention: "'frame=x'"),
    .init(
      ["record", ipc, "--sequence", "a:frame=0:off=0:u8:shared"] + newCapture, mention: "'off=0'"),
    .init(
      ["record", ipc, "-o", "good", "--append", "--topic-rule", "prefix:7"], mention: "reindex"),
  ]

  static let listings: [BadInput] = [
    .init(["cat", "missing"], mention: "missing: no such capture", exit: 1),
    .init(["cat", "good", "--limit", "0"], mention: "--limit 0"),
    .init(["cat", "good", "--json", "--raw"], mention: "one of them"),
    .init(["cat", "good", "--as", "1=json"], mention: "'1=json'"),
    .init(["cat", "good", "--as", "*#1=protobuf(A)"], mention: "protobuf(A)"),
    .init(["cat", "good", "--schema", "$D/absent"], mention: "$D/absent"),
    .init(["cat", "good", "--schema", "/proc/self/cmdline"], mention: "/proc/self/cmdline"),
    .init(["ls", "missing"], mention: "missing: no such capture", exit: 1),
    .init(["ls", "folder"], mention: "folder: not a capture", exit: 1),
    .init(["ls", "file"], mention: "file: not a capture", exit: 1),
    .init(["ls", "broken"], mention: "it is not JSON; bring it back from a copy", exit: 1),
    .init(["ls", "newer"], mention: "newer: written in format version 2", exit: 1),
    .init(["ls", "newer-segment"], mention: "000.zseg: written in format version 2", exit: 1),
    .init(
      ["ls", "newer-segment", "--messages"], mention: "000.zseg: written in format version 2",
      exit: 1),
    .init(["ls", "good", "--messages", "--from", "+2s", "--until", "+1s"], mention: "--from"),
    .init(["ls", "good", "--messages", "--from", "+2s", "--until", "+2s"], mention: "--from"),
    .init(["ls", "good", "--messages", "--from", "yesterday"], mention: "yesterday"),
    .init(["ls", "good", "--messages", "--limit", "0"], mention: "--limit"),
    .init(["ls", "good", "--messages", "--limit=-3"], mention: "-3"),
    .init(["ls", "good", "--messages", "--endpoint", "tcp://x:1"], mention: "tcp://x:1"),
    .init(["ls", "--messages"], mention: "--messages"),
    .init(["ls", "-t", "a"], mention: "-t"),
    .init(["ls", "good", "--limit", "2"], mention: "--limit"),
    .init(["ls", "good", "--from", "+1s"], mention: "--from"),
    .init(
      ["reindex", "good", "--sequence", "x:frame=1:offset=0"],
      mention: "four parts"),
    .init(
      ["ls", "gone"],
      mention: "gone/capture.json: cannot be read as a manifest: it is missing; bring it back",
      exit: 1),
    .init(["ls", "good", "--limt", "2"], mention: "'--limt'"),
    .init(["reindex"], mention: "captures"),
    .init(["reindex", "missing"], mention: "missing: no such capture", exit: 1),
    .init(["reindex", "folder"], mention: "folder: not a capture", exit: 1),
    .init(["reindex", "newer"], mention: "newer: written in format version 2", exit: 1),
    .init(
      ["reindex", "newer-segment"], mention: "000.zseg: written in format version 2", exit: 1),
    .init(["reindex", "good", "--topic-rule", "some"], mention: "some"),
    .init(["reindex", "good", "--sequence", "some"], mention: "'some'"),
    .init(["frobnicate"], mention: "frobnicate"),
  ]

  static let replays: [BadInput] =
    ["0", "-1", "nan", "inf", "-inf", "fast", "", "1e-400"].map {
      .init(["replay", "good", "--bind", ipc, "--rate", $0], mention: "'\($0)'")
    } + [
      .init(["replay", "good", "--bind", ipc, "--rate", "1001"], mention: "from 0.001 to 1000"),
      .init(["replay", "good", "--bind", ipc, "--rate", "1e-4"], mention: "from 0.001 to 1000"),
      .init(["replay", "missing", "--bind", ipc], mention: "missing: no such capture", exit: 1),
      .init(["replay", "folder", "--bind", ipc], mention: "folder: not a capture", exit: 1),
      .init(["replay", "broken", "--bind", ipc], mention: "broken/capture.json", exit: 1),
      .init(
        ["replay", "newer", "--bind", ipc], mention: "newer: written in format version 2",
        exit: 1),
      .init(
        ["replay", "newer-segment", "--bind", ipc],
        mention: "000.zseg: written in format version 2", exit: 1),
      .init(["replay", "good", "--bnid", ipc], mention: "'--bnid'"),
      .init(["replay", "good", "--connect", "tcp://*:7141"], mention: "'*' is for --bind"),
      .init(["replay", "good"], mention: "--bind"),
      .init(["replay", "good", "--bind", ipc, "--connect", ipc], mention: "--connect"),
      .init(["replay", "good", "--bind", "foo://x"], mention: "foo"),
      .init(["replay", "good", "--connect", "tcp://nowhere"], mention: "tcp://nowhere"),
      .init(["replay", "good", "--bind", "$TAKEN"], mention: "$TAKEN", exit: 1),
      .init(["replay", "good", "--map", "tcp://127.0.0.1:7001"], mention: "tcp://127.0.0.1:7001"),
      .init(["replay", "good", "--map", "tcp://x:1=\(ipc)"], mention: "tcp://x:1", exit: 1),
      .init(
        ["replay", "good", "--bind", ipc, "--from", "-1s", "--until", "+1s"], mention: "--from"),
      .init(
        ["replay", "good", "--bind", ipc, "-t", "nothing"], mention: "no message matches",
        exit: 1),
      .init(["replay", "good", "--bind", ipc, "--type", "router"], mention: "router"),
      .init(["replay", "good", "--bind", ipc, "--loop=0"], mention: "'0'"),
      .init(["replay", "good", "--bind", ipc, "--loop", "0"], mention: "'0'"),
      .init(["replay", "good", "--bind", ipc, "--loop=often"], mention: "often"),
      .init(["replay", "good", "--bind", ipc, "--wait-subscribers=-1"], mention: "-1"),
      .init(["replay", "good", "--bind", ipc, "--wait-timeout", "long"], mention: "long"),
      .init(["replay", "good", "--bind", ipc, "--wait-timeout", "1s"], mention: "--wait-timeout"),
      .init(["replay", "good", "--bind", ipc, "--linger=-1s"], mention: "-1s"),
    ]

  private static let ipc = "ipc://$D/new.ipc"
  private static let longIPC = "ipc:///tmp/\(String(repeating: "long", count: 40))"
}
