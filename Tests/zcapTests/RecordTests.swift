import Foundation
import TestSupport
import Testing

extension ZcapTests {
  @Suite struct RecordTests {
    @Test func anEndpointThatAppearsLaterIsRecorded() throws {
      let rig = try Rig()
      // A port that was free a moment ago, and a path that does not exist.
      let tcp = try Publisher().endpoint
      let ipc = rig.endpoint("later")
      let recorder = try rig.start(["record", tcp, ipc, "-o", "late", "--count", "2"])
      try waitFor("the capture") { FileManager.default.fileExists(atPath: rig.capture("late")) }
      let publishers = try [Publisher(binding: tcp), Publisher(binding: ipc)]
      for publisher in publishers {
        try publisher.waitForSubscriptions()
        try publisher.publish("topic", "payload")
      }
      #expect(try recorder.wait().exitCode == 0)
      #expect(try rig.list("late").map { $0["endpoint"] } == [.text(tcp), .text(ipc)])
    }

    @Test func boundEndpointsTakeSeveralPublishers() throws {
      let rig = try Rig()
      let endpoint = rig.endpoint("collector")
      let recorder = try rig.start(["record", "--bind", endpoint, "-o", "bound", "--count", "4"])
      let publishers = try [Publisher(connecting: endpoint), Publisher(connecting: endpoint)]
      for publisher in publishers { try publisher.waitForSubscriptions() }
      for publisher in publishers { for text in ["1", "2"] { try publisher.publish("t", text) } }
      #expect(try recorder.wait().exitCode == 0)
      #expect(try rig.list("bound").map { $0["messages"] } == [4])
      let manifest = try rig.manifest("bound")
      let endpoints = try #require(manifest["endpoints"] as? [[String: Any]])
      #expect(endpoints.map { $0["bound"] as? Bool } == [true])
    }

    @Test func aWildcardThatIsBoundIsToldAsWhatItBecame() throws {
      let rig = try Rig()
      let recorder = try rig.start(
        ["record", "--bind", "tcp://127.0.0.1:*", "-o", "bound", "--count", "1", "--json"])
      let started = try JSONRow(try recorder.waitForLine())
      let endpoint = try #require(started.texts("endpoints")?.first)
      let publisher = try Publisher(connecting: endpoint)
      try publisher.waitForSubscriptions()
      try publisher.publish("t", "x")
      #expect(try recorder.wait().exitCode == 0)
      #expect(try rig.list("bound").map { $0["endpoint"] } == [.text(endpoint)])
    }

    @Test func onlySubscribedPrefixesAreRecorded() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      try rig.record([publisher], to: "some", ["-t", "a", "--topic", "c/"], subscriptions: 2) {
        for topic in ["a", "b", "ab", "c", "c/1"] { try publisher.publish(topic, "payload") }
        return 3
      }
      #expect(try rig.list("some").map { $0["topic"] } == ["a", "ab", "c/1"])
    }

    @Test func aPrefixMayBeAnyBytes() throws {
      let rig = try Rig()
      let publisher = try Publisher(binding: rig.endpoint("binary"))
      let prefix: [UInt8] = [0xFF, 0x80, 0x01]
      let words = ["record", publisher.endpoint, "-o", "bytes", "--count", "1", "-t"]
      let recorder = try rig.start(bytes: words.map { Array($0.utf8) } + [prefix])
      #expect(try publisher.waitForSubscriptions() == [prefix])
      try publisher.publish([[0xEF, 0xBF, 0xBD, 0x01], [1]])
      try publisher.publish([prefix + [0x00], [2]])
      #expect(try recorder.wait(seconds: 20).exitCode == 0)
      let topic = Data(prefix + [0x00]).base64EncodedString()
      #expect(try rig.list("bytes").map { $0["topic_base64"] } == [.text(topic)])
    }

    @Test func labelsAreKeptInTheManifest() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      try rig.record([publisher], to: "labelled", ["--label", "site=Kiel", "--label", "run=a=b"]) {
        try publisher.publish("t", "x")
        return 1
      }
      let labels = try rig.manifest("labelled")["labels"] as? [String: String]
      #expect(labels == ["site": "Kiel", "run": "a=b"])
    }

    @Test(arguments: [true, false])
    func theDefaultNameIsTheTimeInTheStore(isStoreNamed: Bool) throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let recorder = try rig.start(
        ["record", publisher.endpoint, "--count", "1"],
        environment: isStoreNamed ? [:] : ["ZCAP_STORE": String?.none])
      try publisher.waitForSubscriptions()
      try publisher.publish("t", "x")
      #expect(try recorder.wait().exitCode == 0)
      let store = isStoreNamed ? rig.store : rig.directory.file("captures")
      let names = try FileManager.default.contentsOfDirectory(atPath: store)
      #expect(names.count == 1)
      let name = try #require(names.first)
      #expect(try name.wholeMatch(of: Regex(#"\d{4}-\d\d-\d\dT\d\d-?\d\d-?\d\d.*Z"#)) != nil)
    }

    @Test func aCaptureIsReadableByItsOwnerOnly() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      try rig.record([publisher], to: "private") {
        try publisher.publish("t", "x")
        return 1
      }
      let manager = FileManager.default
      let path = rig.capture("private")
      let names = try manager.subpathsOfDirectory(atPath: path)
      #expect(names.contains("capture.json") && names.contains("index.sqlite"))
      for file in [path] + names.map({ "\(path)/\($0)" }) {
        let attributes = try manager.attributesOfItem(atPath: file)
        let isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue
        #expect(mode == (isFolder ? 0o700 : 0o600), "\(file)")
      }
    }

    @Test func aMessageLargerThanASegmentIsRecorded() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      let large = [UInt8](repeating: 0xAB, count: 3 << 20)
      try rig.record([publisher], to: "large", ["--segment-size", "64KiB"]) {
        for frames in [[[1]], [large, []], [[2]]] { try publisher.publish(frames) }
        return 3
      }
      let frames = try rig.list("large", "--messages").map { $0["frames"] }
      #expect(frames == [[1], .integers([3 << 20, 0]), [1]])
    }

    @Test func aSecondWriterIsRefusedAndTheFirstGoesOn() throws {
      let rig = try Rig()
      let publisher = try Publisher()
      try rig.record([publisher], to: "mine") {
        try publisher.publish("t", "1")
        let second = try rig.run("record", rig.endpoint("other"), "-o", "mine")
        #expect(second.exitCode == 1)
        #expect(second.complaints.count == 1)
        #expect(second.standardError.contains("mine: another zcap is recording"))
        let reindex = try rig.run("reindex", "mine")
        #expect(reindex.exitCode == 1)
        #expect(reindex.standardError.contains("mine: another zcap is recording"))
        try publisher.publish("t", "2")
        return 2
      }
      #expect(try rig.storeRow("mine")["state"] == "sealed")
      #expect(try rig.storeRow("mine")["messages"] == 2)
    }
  }
}

extension Rig {
  /// `capture.json` of a capture.
  func manifest(_ name: String) throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(capture(name))/capture.json"))
    return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
  }
}
