import Foundation
import TestSupport
import Testing

@testable import CaptureStore

@Suite struct SystemCallsTests {
  @Test func aListingThatFailsOnTheWayIsNoShorterList() throws {
    let temporary = try TemporaryDirectory()
    let directory = try #require(opendir(temporary.path))
    defer { closedir(directory) }
    // In place of the directory: what cannot be listed.
    let other = open("/dev/null", O_RDONLY)
    #expect(dup2(other, dirfd(directory)) >= 0)
    close(other)
    #expect(LinuxCalls.names(in: directory) == nil)
    #expect(errno == ENOTDIR)
  }

  @Test func aListingIsWholeAndOneOfNothingFails() throws {
    let directory = try TemporaryDirectory()
    let names = (0..<2_000).map { "file-\($0)" }
    for name in names {
      #expect(FileManager.default.createFile(atPath: directory.file(name), contents: nil))
    }
    #expect(try FileSystem.system.names(in: directory.path) == names.sorted())
    let nowhere = directory.file("nowhere")
    #expect(
      throws: StoreError.system(operation: "read directory", path: nowhere, code: ENOENT)
    ) { _ = try FileSystem.system.names(in: nowhere) }
  }
}
