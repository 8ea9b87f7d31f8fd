import Glibc

/// The advisory lock that the writer of a capture holds on its directory.
///
/// The kernel drops it with the process, so a killed recorder leaves nothing to clean up.
final class CaptureLock: Sendable {
  private let directory: FileSystem.File

  /// Takes the lock; throws `captureInUse` when another writer has it.
  init(_ path: String) throws(StoreError) {
    directory = try FileSystem.open(path, O_RDONLY | O_DIRECTORY)
    // A reader that looks whether somebody writes holds a shared lock for some microseconds.
    for _ in 0..<20 {
      if try FileSystem.lock(directory, path) { return }
      usleep(5_000)
    }
    FileSystem.close(directory)
    throw .captureInUse(path: path)
  }

  deinit { FileSystem.close(directory) }

  /// Whether a writer holds the lock now.
  static func isHeld(_ path: String) throws(StoreError) -> Bool {
    let directory = try FileSystem.open(path, O_RDONLY | O_DIRECTORY)
    defer { FileSystem.close(directory) }
    return try !FileSystem.lock(directory, path, shared: true)
  }
}
