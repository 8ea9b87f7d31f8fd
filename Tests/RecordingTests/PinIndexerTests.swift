import CaptureStore
import Foundation
import TestSupport
import Testing

@testable import Recording

@Suite(.timeLimit(.minutes(1))) struct PinIndexerTests {
  @Test func everyCaptureHasItsIndexInTheEnd() throws {
    let directory = try TemporaryDirectory()
    let paths = (0..<20).map { directory.file("\($0)") }
    let indexer = PinIndexer()
    for path in paths {
      _ = try Capture.recorded(path, [TestMessage("topic", "payload")])
      indexer.add(path)
      indexer.add("\(path).is-not-there")
    }
    indexer.finish()
    #expect(paths.allSatisfy { FileManager.default.fileExists(atPath: "\($0)/index.sqlite") })
  }

  @Test func itEndsWithoutWork() { PinIndexer().finish() }
}
