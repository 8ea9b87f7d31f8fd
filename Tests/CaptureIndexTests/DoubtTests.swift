import CaptureStore
import Foundation
import TestSupport
import Testing

@testable import CaptureIndex

/// What a capture that misses nothing that is counted must still not be called complete for.
@Suite struct DoubtTests {
  private let directory: TemporaryDirectory
  private let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.file("c")
  }

  private static let started = StoredEvent("started")
  private static let ended = StoredEvent("ended", ["reason": .text("stopped")])

  private func doubts(
    _ events: [StoredEvent], connected: [UInt16] = [0, 1], messagesOf: [UInt16] = [],
    rules: [String] = []
  ) throws -> [Doubt] {
    var manifest = Manifest.test(endpoints: 2)
    manifest.sequences = rules
    let writer = try CaptureWriter(creating: path, manifest: manifest, segmentSize: 64 << 10)
    for (number, event) in events.enumerated() {
      try writer.append(event: event)
      guard number == 0 else { continue }
      for endpoint in connected {
        let event = StoredEvent("connected", ["endpoint": .text("ipc://\(endpoint)")])
        try writer.append(event: event, endpoint: endpoint)
      }
      for endpoint in messagesOf {
        try writer.append(TestMessage(endpoint: endpoint, time: 1, "topic", "x"))
      }
    }
    try writer.finish()
    writer.unlock()
    return try IndexReader(Capture(path: path)).doubts()
  }

  @Test func aRecordingFromItsStartToItsEndLeavesNone() throws {
    #expect(try doubts([Self.started, Self.ended]) == [])
  }

  /// What went wrong is said, and not what else it might be.
  @Test func aWindowSaysWhatKeptItFromBeingWhole() throws {
    #expect(try doubts([Self.started, Self.ended]) == [])
    var manifest = try Manifest.load(capture: path)
    let said = #"{"from":"2026-01-01T00:00:00Z","until":"2026-01-01T00:01:00Z"}"#
    var window = try JSONDecoder().decode(Manifest.Window.self, from: Data(said.utf8))
    manifest.window = window
    try manifest.save(capture: path)
    #expect(try IndexReader(Capture(path: path)).doubts() == [.windowCut])
    window.late = true
    window.failure = "no room"
    manifest.window = window
    try manifest.save(capture: path)
    #expect(
      try IndexReader(Capture(path: path)).doubts() == [.windowFailed("no room"), .windowLate])
    // By the clock that nobody sets, whatever the others say.
    manifest.window = try JSONDecoder().decode(Manifest.Window.self, from: Data(said.utf8))
    manifest.window?.ended = "2025-01-01T00:00:00Z"
    manifest.window?.cut = false
    try manifest.save(capture: path)
    #expect(try IndexReader(Capture(path: path)).doubts() == [])
  }

  @Test func aCaptureOfAnotherProgramTellsNothing() throws {
    #expect(try doubts([]) == [])
  }

  @Test func aRecordingWithoutItsEndMayHaveBeenLonger() throws {
    #expect(try doubts([Self.started]) == [.endless])
  }

  @Test func betweenTwoRecordingsNobodyListened() throws {
    #expect(
      try doubts([Self.started, Self.ended, Self.started, Self.ended]) == [.parts(2)])
  }

  @Test func aRecorderThatWasKilledInBetweenLeftNoEnd() throws {
    #expect(try doubts([Self.started, Self.started, Self.ended]) == [.parts(2), .endless])
  }

  @Test func aFailureEndedIt() throws {
    let failed = StoredEvent("ended", ["reason": .text("failure"), "failure": .text("disk full")])
    #expect(try doubts([Self.started, failed]) == [.endedEarly("disk full")])
  }

  @Test func anEndpointThatNeverWasThereIsTold() throws {
    let silent = try doubts([Self.started, Self.ended], connected: [], messagesOf: [1])
    #expect(silent == [.silent(endpoint: "ipc://0")])
  }

  @Test func aCounterThatNoMessageHasIsTold() throws {
    let rules = ["topic:frame=1:offset=0:u8", "other:frame=1:offset=0:u8"]
    let found = try doubts([Self.started, Self.ended], messagesOf: [0], rules: rules)
    #expect(found == [.idle(rule: rules[1])])
  }
}
