import Foundation

/// Where the programs are that tests start.
public enum Programs {
  /// `$ZCAP_BINARY`, else the `zcap` that was built beside the tests.
  public static func zcap() throws -> String {
    let named = ProcessInfo.processInfo.environment["ZCAP_BINARY"].map { [$0] } ?? []
    // The test bundle is the program itself, or an argument of swiftpm-testing-helper.
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let bundles = ([own] + CommandLine.arguments).filter { $0.hasSuffix(".xctest") }
    let candidates = named + bundles.map { "\(folder(of: $0))/zcap" }
    guard let found = (named.isEmpty ? candidates : named).first(where: isExecutable) else {
      throw TestFailure("zcap is not built: looked for \(candidates); set ZCAP_BINARY")
    }
    return found.hasPrefix("/") ? found : "\(FileManager.default.currentDirectoryPath)/\(found)"
  }

  /// `$ZCAP_TEST_PYTHON`, else that of `.venv`. It needs pyzmq.
  public static func python() throws -> String {
    let path =
      ProcessInfo.processInfo.environment["ZCAP_TEST_PYTHON"] ?? "\(repository)/.venv/bin/python"
    guard isExecutable(path) else {
      throw TestFailure(
        "\(path): no Python for the tests; make it with "
          + "'python3 -m venv .venv && .venv/bin/pip install pyzmq', or set ZCAP_TEST_PYTHON")
    }
    return path
  }

  /// The root of the checkout that the tests were built from.
  public static let repository = folder(of: folder(of: folder(of: #filePath)))

  private static func folder(of path: String) -> String {
    String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }

  private static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }
}
