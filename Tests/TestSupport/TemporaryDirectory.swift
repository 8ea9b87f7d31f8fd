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

/// Copies a directory, also while files in it are written and cut: Foundation's own copy never ends
/// when a file is cut under it.
public func copyTree(_ path: String, to copy: String) throws {
  let manager = FileManager.default
  try manager.createDirectory(atPath: copy, withIntermediateDirectories: false)
  for name in try manager.contentsOfDirectory(atPath: path) {
    let source = "\(path)/\(name)"
    let attributes = try manager.attributesOfItem(atPath: source)
    if attributes[.type] as? FileAttributeType == .typeDirectory {
      try copyTree(source, to: "\(copy)/\(name)")
    } else {
      let file = try FileHandle(forReadingFrom: URL(filePath: source))
      let bytes = try file.readToEnd() ?? Data()
      try file.close()
      try bytes.write(to: URL(filePath: "\(copy)/\(name)"))
    }
  }
}
