import Glibc

/// An open file, closed when its last owner goes.
final class OpenedFile: Sendable {
  let descriptor: FileSystem.File
  private let files: FileSystem

  init(
    _ path: String, _ flags: CInt, mode: UInt32 = 0, files: FileSystem
  ) throws(StoreError) {
    self.files = files
    descriptor = try files.open(path, flags, mode: mode)
  }

  deinit { files.close(descriptor) }
}
