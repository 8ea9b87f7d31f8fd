import Glibc

/// The advisory lock on the directory of a capture: its writer's alone, or of one that keeps
/// writers away and lets readers see that nobody writes.
///
/// The kernel drops it with the process, so a killed recorder leaves nothing to clean up.
final class CaptureLock: Sendable {
  private let path: String
  private let files: FileSystem
  private let directory: FileSystem.File

  /// Takes the lock; throws `captureInUse` when another writer has it.
  init(_ path: String, _ files: FileSystem) throws(StoreError) {
    self.path = path
    self.files = files
    directory = try files.open(path, O_RDONLY | O_DIRECTORY)
    // A reader that looks whether somebody writes holds a shared lock for some microseconds.
    for _ in 0..<20 {
      if try files.lock(directory, path) { return }
      usleep(5_000)
    }
    throw .captureInUse(path: path)
  }

  /// From here on readers find that nobody writes; writers still find the lock taken.
  func letReadersIn() throws(StoreError) {
    guard try files.lock(directory, path, shared: true) else { throw .captureInUse(path: path) }
  }

  deinit { files.close(directory) }

  /// Whether a writer holds the lock now.
  static func isHeld(_ path: String, _ files: FileSystem) throws(StoreError) -> Bool {
    let directory = try files.open(path, O_RDONLY | O_DIRECTORY)
    defer { files.close(directory) }
    return try !files.lock(directory, path, shared: true)
  }
}
