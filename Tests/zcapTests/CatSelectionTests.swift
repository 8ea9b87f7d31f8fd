import CaptureStore
import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// `zcap cat`: single values, frames as files, and what is being recorded.
  @Suite struct CatSelectionTests {
    private static let pixels = (0..<24).map { UInt8($0 * 10) }

    private func made(_ rig: Rig) throws {
      var capture = MadeCapture()
      capture.add(at: 0, "pose", #"{"x": 1.50, "name": "a\tb", "list": [{"y": 7}], "a.b": null}"#)
      capture.add(at: 1_000_000_000, "words", "some text")
      capture.entries.append(
        .init(
          nanoseconds: 2_000_000_000,
          frames: [
            Array("cam".utf8), Array(#"{"dtype":"uint8","shape":[2,4,3],"x":2}"#.utf8), Self.pixels,
          ]))
      capture.add(at: 3_000_000_000, "pose", #"{"x": -2, "x": 3}"#, #"{"x": 4}"#, "")
      try capture.write(rig.capture("made"))
    }

    @Test func fieldsAreColumns() throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.run("cat", "made", "--fields", #"x,name,list[0].y,list,"a.b""#)
      #expect(run.exitCode == 0 && run.standardError.isEmpty, "\(run)")
      let rows = run.standardOutput.split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
      #expect(rows.count == 5 && rows[4] == [""], "a message without any of them is left out")
      #expect(
        rows[0] == ["sequence", "time", "topic", "x", "name", "list[0].y", "list", #""a.b""#])
      #expect(
        rows[1][0] == "0"
          && rows[1][2...] == ["pose", "1.50", #"a\tb"#, "7", #"[{"y":7}]"#, "null"])
      #expect(rows[2][0] == "2" && rows[2][2...] == ["cam", "2", "", "", "", ""])
      #expect(rows[3][0] == "3" && rows[3][2...] == ["pose", "3", "", "", "", ""])
      let listing = try rig.list("made", "--messages").compactMap { $0.text("time") }
      #expect(rows[1][1] == listing[0] && rows[3][1] == listing[3])
      // The limit counts what is shown.
      let two = try rig.run("cat", "made", "--fields", "x", "--limit", "2", "--frame", "1")
      #expect(two.standardOutput.split(separator: "\n").count == 3)
    }

    /// What an error cut off has no value.
    @Test func fieldsOfAFrameThatIsCutAreThoseThatAreThere() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      let map: [UInt8] =
        [0x82, 0xA2] + Array("id".utf8) + [7, 0xA4] + Array("last".utf8) + [0xCD, 1]
      capture.entries.append(.init(nanoseconds: 0, frames: [Array("t".utf8), map]))
      try capture.write(rig.capture("made"))
      let run = try rig.run("cat", "made", "--as", "t#1=msgpack", "--fields", "id, last")
      #expect(run.exitCode == 3 && run.complaints.count == 1, "\(run)")
      let row = run.standardOutput.split(separator: "\n")[1].split(
        separator: "\t", omittingEmptySubsequences: false)
      #expect(row[3...] == ["7", ""], "\(run)")
      let twice = try rig.run("cat", "made", "--fields", "id,id")
      #expect(twice.exitCode == 64 && twice.complaints.count == 1, "\(twice)")
    }

    @Test func fieldsAsJSONAreObjectsOfThem() throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.run("cat", "made", "--json", "--fields", #"x,list[0].y,"a.b""#)
      #expect(run.exitCode == 0 && run.standardError.isEmpty, "\(run)")
      let frames = run.standardOutput.split(separator: "\n").map { line in
        line.components(separatedBy: "\"frames\":").last ?? ""
      }
      #expect(
        frames == [
          #"[{"codec":"json","value":{"x":1.50,"list[0].y":7,"\"a.b\"":null}}]}"#,
          #"[{"codec":"json","value":{"x":2}}]}"#,
          #"[{"codec":"json","value":{"x":3}},{"codec":"json","value":{"x":4}}]}"#,
        ])
    }

    @Test func framesBecomeFiles() throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.run("cat", "made", "--save-frames", "out", "-t", "cam", "-t", "words")
      #expect(run.exitCode == 0, "\(run)")
      let names = try FileManager.default.contentsOfDirectory(atPath: rig.directory.file("out"))
      #expect(
        names.sorted() == [
          "000000000001.0.txt", "000000000001.1.txt", "000000000002.0.txt", "000000000002.1.json",
          "000000000002.2.npy",
        ])
      #expect(
        run.standardOutput.split(separator: "\n").last
          == "out/000000000002.2.npy  ndarray(uint8,2x4x3)")
      let load =
        "import numpy as n; a = n.load('out/000000000002.2.npy'); print(a.tolist(), a.dtype)"
      let numpy = try ChildProcess(
        Programs.python(), ["-c", load].map { Array($0.utf8) }, directory: rig.directory.path
      ).wait()
      var rows: [[[UInt8]]] = []
      for row in 0..<2 {
        rows.append((0..<4).map { Array(Self.pixels[row * 12 + $0 * 3..<row * 12 + $0 * 3 + 3]) })
      }
      #expect(numpy.standardOutput == "\(rows) uint8\n", "\(numpy)")

      // What is there already stays.
      let again = try rig.run("cat", "made", "--save-frames", "out", "-t", "cam")
      #expect(again.exitCode == 1 && again.complaints.count == 1, "\(again)")
      let picture = try rig.run(
        "cat", "made", "--save-frames", "png", "--png", "bgr", "-t", "cam", "--frame", "2")
      #expect(picture.standardOutput == "png/000000000002.2.png  ndarray(uint8,2x4x3)\n")
      let png = try Data(
        contentsOf: URL(fileURLWithPath: rig.directory.file("png/000000000002.2.png")))
      #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47]))
    }

    @Test func whatIsBeingRecordedIsShownAsItComes() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", "-o", "live", publisher.endpoint])
      try publisher.waitForSubscriptions()
      try publisher.publish("load", #"{"n":1}"#)
      try rig.waitForMessages(counted: 1, in: "live")
      let all = try rig.start(["cat", "live", "--follow", "--json"])
      let some = try rig.start(["cat", "live", "--follow", "--fields", "n", "--limit", "2"])
      let stopped = try rig.start(["cat", "live", "--follow"])
      _ = try all.waitForLine { $0.contains(#"{"n":1}"#) }
      _ = try stopped.waitForLine { $0.contains(#"{"n":1}"#) }
      stopped.send(signal: SIGINT)
      let end = try stopped.wait(seconds: 10)
      #expect(end.exitCode == 0 && end.standardError.isEmpty, "\(end)")
      try publisher.publish("load", #"{"n":2}"#)
      _ = try all.waitForLine { $0.contains(#"{"n":2}"#) }
      let two = try some.wait(seconds: 10)
      let values = two.standardOutput.split(separator: "\n").map { $0.split(separator: "\t").last }
      #expect(two.exitCode == 0 && values == ["n", "1", "2"], "\(two)")
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
      // It ends with its recorder.
      let run = try all.wait(seconds: 20)
      #expect(run.exitCode == 0 && run.standardError.isEmpty, "\(run)")
      #expect(run.standardOutput.split(separator: "\n").count == 2)
      #expect(try rig.run("cat", "live", "--json").standardOutput == run.standardOutput)
      #expect(try rig.run("cat", "live", "--json", "--follow").standardOutput == run.standardOutput)
    }

    /// By what is shown, and not by the samples that the index has seen.
    @Test func codecsAreThoseOfTheFramesThatAreShown() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      for number in 0..<400 as Range<Int64> {
        if number % 4 == 3 {
          let map = [0x82, 0xA5] + Array("alpha".utf8) + [7, 0xA4] + Array("beta".utf8) + [0xC3]
          capture.entries.append(.init(nanoseconds: number, frames: [Array("t".utf8), map]))
        } else {
          capture.add(at: number, "t", #"{"a":7}"#)
        }
      }
      capture.add(at: 400, "u", "ctr\u{1}")
      try capture.write(rig.capture("made"))
      func lines(_ arguments: String...) throws -> Int {
        let run = try rig.start(["cat", "made", "--json"] + arguments).wait()
        #expect(run.exitCode == 0, "\(run)")
        return run.standardOutput.split(separator: "\n").count
      }
      #expect(try lines("--codec", "msgpack") == 100 && lines("--codec", "json") == 300)
      #expect(try lines("--codec", "json", "--codec", "msgpack") == 400)
      #expect(try lines("--codec", "text|json") == 300)
      #expect(try lines("--codec", "struct", "--as", "u#1=struct(<I)") == 1)
      #expect(try lines("--codec", "msgpack", "--follow") == 100)
      // The listing has samples, and says so.
      let rows = try rig.list("made")
      #expect(rows.filter { $0.text("topic") == "t" }.allSatisfy { $0["sampled"] == true })
      #expect(rows.filter { $0.text("topic") == "u" }.allSatisfy { $0["sampled"] == nil })
      #expect(try rig.run("ls", "made").standardError.contains("~ is by samples"))
      let none = try rig.run("cat", "made", "--codec", "nonsense")
      #expect(none.exitCode == 0 && none.standardOutput.isEmpty, "\(none)")
      #expect(none.standardError.contains("they have json, msgpack, "), "\(none)")
    }

    /// As `tail -f` does: also where nothing comes that could not be written.
    @Test func aFollowerEndsWithWhoeverReadsIt() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", publisher.endpoint, "-o", "live", "--json"])
      try publisher.waitForSubscriptions()
      try publisher.publish("load", "x")
      _ = try recorder.waitForLine { try JSONRow($0).integer("messages") == 1 }
      let zcap = try Programs.zcap()
      let shell = try ChildProcess(
        "/bin/sh", ["-c", "'\(zcap)' cat live --follow --json | head -n 1"].map { Array($0.utf8) },
        environment: ["ZCAP_STORE": rig.store], directory: rig.directory.path)
      let run = try shell.wait(seconds: 10)
      #expect(run.standardOutput.hasPrefix("{\"sequence\":0,"), "\(run)")
      #expect(recorder.isRunning)
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
    }

    /// An answer without a line has a reason.
    @Test func nothingIsSaidToBeNothing() throws {
      let rig = try Rig()
      try made(rig)
      for (arguments, reason) in [
        (["-t", "nobody"], "no message is selected"), (["--fields", "nothing"], "has nothing"),
        (["--frame", "12"], "has a frame 12"),
      ] {
        let run = try rig.start(["cat", "made", "--json"] + arguments).wait()
        #expect(run.exitCode == 0 && run.standardOutput.isEmpty, "\(run)")
        #expect(run.standardError.contains(reason), "\(run)")
      }
    }

    @Test func fieldsBehindWordsAreFound() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.add(at: 0, #"weather {"temp": 4}"#)
      try capture.write(rig.capture("made"))
      let run = try rig.run("cat", "made", "--fields", "temp,value.temp")
      #expect(run.standardOutput.split(separator: "\n").last?.hasSuffix("\t4\t4") == true, "\(run)")
    }

    /// What is being recorded is shown up to now, whatever the index knows of it.
    @Test func whatIsBeingRecordedIsShownUpToNow() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(["record", publisher.endpoint, "-o", "live", "--json"])
      try publisher.waitForSubscriptions()
      for count in 1...5 {
        for number in 0..<50 { try publisher.publish("load", String((count - 1) * 50 + number)) }
        _ = try recorder.waitForLine { try JSONRow($0).integer("messages") == count * 50 }
        let run = try rig.run("cat", "live", "--json")
        let lines = run.standardOutput.split(separator: "\n")
        #expect(run.exitCode == 0 && lines.count == count * 50, "\(run.standardError)")
        #expect(lines.enumerated().allSatisfy { $1.hasPrefix("{\"sequence\":\($0),") })
      }
      recorder.send(signal: SIGINT)
      #expect(try recorder.wait().exitCode == 0)
    }

    @Test func arraysOfNumPysOwnFilesBecomePictures() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4, 3), }"
      let header =
        [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.utf8.count + 1), 0] + Array(text.utf8) + [
          10
        ]
      capture.entries.append(
        .init(nanoseconds: 0, frames: [Array("cam".utf8), header + Self.pixels]))
      try capture.write(rig.capture("made"))
      let run = try rig.run(
        "cat", "made", "--frame", "1", "--save-frames", "out", "--png", "rgb")
      #expect(run.exitCode == 0 && run.standardError.contains("1 picture of arrays"), "\(run)")
      let files = try FileManager.default.contentsOfDirectory(atPath: rig.directory.file("out"))
      #expect(files == ["000000000000.1.png"])
    }

    @Test(arguments: [
      ["--fields", "a..b"], ["--fields", ""], ["--fields", "a", "--raw"], ["--png", "rgb"],
      ["--fields", "a", "--save-frames", "out"], ["--save-frames", "out", "--json"],
      ["--save-frames", "out", "--png", "grb"],
    ])
    func whatMeansNothingTogetherIsRefused(arguments: [String]) throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.start(["cat", "made"] + arguments).wait()
      #expect(run.exitCode == 64 && run.complaints.count == 1, "\(run)")
      #expect(!FileManager.default.fileExists(atPath: rig.directory.file("out")))
    }

    @Test func aDirectoryThatCannotBeMadeIsTold() throws {
      let rig = try Rig()
      try made(rig)
      let run = try rig.run("cat", "made", "--save-frames", "none/there")
      #expect(run.exitCode == 1 && run.complaints.count == 1, "\(run)")
    }
  }
}
