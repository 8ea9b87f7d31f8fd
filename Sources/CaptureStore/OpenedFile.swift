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

  /// How many files this process may have open now.
  ///
  /// Source: `getrlimit(2)`, RLIMIT_NOFILE.
  static var countMax: Int {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(kind, &limit) == 0 else { return 0 }
    return Int(clamping: limit.rlim_cur)
  }

  deinit { files.close(descriptor) }
}
