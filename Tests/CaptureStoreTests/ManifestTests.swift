import Foundation
import TestSupport
import Testing

@testable import CaptureStore

@Suite struct ManifestTests {
  private func write(_ text: String, _ directory: TemporaryDirectory) throws {
    try Data(text.utf8).write(to: URL(filePath: CapturePath.manifest(directory.path)))
  }

  @Test func aManifestComesBackAsItWas() throws {
    let directory = try TemporaryDirectory()
    var manifest = Manifest.test(endpoints: 3, topicRule: "delimiter:/")
    manifest.host = "höst \"quoted\" \u{2028} \\ / \u{1F600}"
    manifest.labels = ["": "", "a/b": "ü\n\t\u{0}", "long": String(repeating: "x", count: 100_000)]
    manifest.endpoints[1].isBound = true
    manifest.endpoints[1].subscriptions = []
    try manifest.save(capture: directory.path)
    #expect(try Manifest.load(capture: directory.path) == manifest)
    #expect(try FileSystem.system.names(in: directory.path) == ["capture.json"])
  }

  @Test func subscriptionPrefixesAreBytes() throws {
    var random = SplitMix64()
    let directory = try TemporaryDirectory()
    var manifest = Manifest.test()
    var prefixes: [[UInt8]] = [
      [], [0], [0xFF], [0xEF, 0xBB, 0xBF], [0xED, 0xA0, 0x80], Array("base64".utf8),
      Array("e\u{301}".utf8), Array("\u{E9}".utf8), [0xC0, 0x80], Array("{\"base64\": 1}".utf8),
      Array(0...255), [0xF0, 0x9F, 0x98],
    ]
    prefixes += (0..<200).map { _ in random.bytes(random.int(0...6)) }
    manifest.endpoints[0].subscriptions = prefixes.map { SubscriptionPrefix($0) }
    try manifest.save(capture: directory.path)
    let loaded = try Manifest.load(capture: directory.path)
    #expect(loaded.endpoints[0].subscriptions.map(\.bytes) == prefixes)
  }

  @Test func textPrefixesAreReadableAndOthersAreBase64() throws {
    func json(_ bytes: [UInt8]) throws -> String {
      String(decoding: try JSONEncoder().encode(SubscriptionPrefix(bytes)), as: UTF8.self)
    }
    #expect(try json(Array("orders".utf8)) == "\"orders\"")
    #expect(try json([0xFF, 0x00]) == "{\"base64\":\"\\/wA=\"}")
  }

  @Test func theNamesInTheFileAreThoseOfTheFormat() throws {
    let directory = try TemporaryDirectory()
    try write(
      """
      {"format": 1, "uuid": "00010203-0405-0607-0809-0A0B0C0D0E0F", "host": "h",
       "created": "c", "recorder": "r", "topicRule": "none", "labels": {"a": "b"},
       "endpoints": [{"address": "tcp://x:1", "socket": "SUB", "bound": true,
                      "subscriptions": ["a", {"base64": "/w=="}], "later": 1}],
       "unknown": {"of": "a later version"}}
      """, directory)
    let manifest = try Manifest.load(capture: directory.path)
    #expect(manifest.uuid.uuidString == "00010203-0405-0607-0809-0A0B0C0D0E0F")
    #expect(SegmentBytes.littleEndian(manifest.captureID) == Array(0..<16))
    #expect(manifest.endpoints.first?.isBound == true)
    #expect(manifest.endpoints.first?.subscriptions.map(\.bytes) == [[0x61], [0xFF]])
    #expect(manifest.labels == ["a": "b"])
    #expect(manifest.topicRule == "none")
  }

  @Test(arguments: [
    ("", "it is not JSON"), ("{", "it is not JSON"), ("\u{0}", "it is not JSON"),
    ("[]", "wrong type"), ("{}", "\"format\" is missing"), ("{\"format\": \"1\"}", "wrong type"),
    ("{\"format\": 0}", "format 0 does not exist"), ("{\"format\": -1}", "does not exist"),
    ("{\"format\": 1}", "is missing"), ("{\"format\": 1e99}", "it is not JSON"),
    ("{\"format\": 1.5}", "it is not JSON"), (String(repeating: "[", count: 200_000), "not JSON"),
  ]) func aDamagedManifestIsRefusedWithAReason(text: String, reason: String) throws {
    let directory = try TemporaryDirectory()
    try write(text, directory)
    let error = #expect(throws: StoreError.self) { try Manifest.load(capture: directory.path) }
    guard case .damagedManifest(let path, let told) = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(path == CapturePath.manifest(directory.path))
    #expect(told.contains(reason))
    #expect(!told.contains("\n") && told.count < 200)
  }

  /// Numbers that would trap where somebody calculates with them.
  @Test func aRingThatNobodyCanRecordIsRefused() throws {
    let directory = try TemporaryDirectory()
    let beginnings: [(UInt64, UInt64)] = [(.max, 0), (0, .max), (FormatLimits.countMax + 1, 0)]
    for (segment, sequence) in beginnings {
      var manifest = Manifest.test()
      manifest.begins = .init(segment: segment, sequence: sequence)
      try expectDamaged(manifest, directory, "\"begins\" is out of range")
    }
    for keep in [
      Retention(nanoseconds: .min), Retention(nanoseconds: 0), Retention(bytes: -1),
      Retention(bytes: .min), Retention(messages: 0),
    ] {
      try expectDamaged(.test(keep: keep), directory, "\"keep\" is out of range")
    }
  }

  private func expectDamaged(
    _ manifest: Manifest, _ directory: TemporaryDirectory, _ reason: String
  ) throws {
    try manifest.save(capture: directory.path)
    let path = CapturePath.manifest(directory.path)
    #expect(throws: StoreError.damagedManifest(path: path, reason: reason)) {
      try Manifest.load(capture: directory.path)
    }
  }

  @Test func everyTruncationOfAManifestIsRefused() throws {
    let directory = try TemporaryDirectory()
    try Manifest.test(endpoints: 2).save(capture: directory.path)
    let path = CapturePath.manifest(directory.path)
    let whole = try Data(contentsOf: URL(filePath: path))
    for count in 0..<whole.count - 2 {
      try whole[..<count].write(to: URL(filePath: path))
      #expect(throws: StoreError.self) { try Manifest.load(capture: directory.path) }
    }
  }

  @Test func aNewerFormatIsNamedWhateverElseIsInIt() throws {
    let directory = try TemporaryDirectory()
    try write("{\"format\": 2, \"endpoints\": \"quite different\"}", directory)
    #expect(throws: StoreError.newerFormat(path: directory.path, version: 2)) {
      try Manifest.load(capture: directory.path)
    }
    #expect(
      "\(StoreError.newerFormat(path: "p", version: 2))"
        == "p: written in format version 2, this zcap reads up to 1; use a newer zcap")
  }

  @Test func whatIsNoCaptureIsToldApart() throws {
    let directory = try TemporaryDirectory()
    let file = directory.file("file")
    try Data("x".utf8).write(to: URL(filePath: file))
    #expect(throws: StoreError.noSuchCapture(path: directory.file("none"))) {
      try Capture(path: directory.file("none"))
    }
    #expect(throws: StoreError.noSuchCapture(path: file + "/below")) {
      try Capture(path: file + "/below")
    }
    #expect(throws: StoreError.notACapture(path: directory.path)) {
      try Capture(path: directory.path)
    }
    #expect(throws: StoreError.notACapture(path: file)) { try Capture(path: file) }
    try FileManager.default.createDirectory(
      atPath: CapturePath.manifest(directory.path), withIntermediateDirectories: false)
    #expect(throws: StoreError.notACapture(path: directory.path)) {
      try Capture(path: directory.path)
    }
  }

  @Test func anotherTopicRuleChangesNothingElse() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("c"), [TestMessage("kept")])
    try capture.replace(topicRule: "prefix:4")
    let changed = try Capture(path: capture.path)
    var expected = capture.manifest
    expected.topicRule = "prefix:4"
    #expect(changed.manifest == expected)
    #expect(try Manifest.load(capture: capture.path) == expected)
    #expect(CaptureWalk(changed).inOrder == [TestMessage("kept")])
  }

  @Test func aCaptureIsNamedByTheLastPartOfItsPath() throws {
    let directory = try TemporaryDirectory()
    let capture = try Capture.recorded(directory.file("name"), [])
    #expect(capture.name == "name")
    #expect(try Capture(path: directory.file("name///")).name == "name")
    #expect(try Capture(path: directory.file("name/")).path == directory.file("name"))
  }
}
