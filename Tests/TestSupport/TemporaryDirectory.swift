import Foundation

/// A directory of a test's own, removed with everything in it when the test is over.
public final class TemporaryDirectory: Sendable {
  public let path: String

  public init() throws {
    path = "/tmp/zcap-test-\(UUID().uuidString.prefix(13))"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A path inside.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// An ipc endpoint that no other test uses.
  public func endpoint(_ name: String) -> String { "ipc://\(path)/\(name).ipc" }
}
