import Glibc

/// Tells whether files of folders were written to or cut, without a look at each of them.
///
/// What is written to a mapping of a file is not seen, nor what another machine does. Where the
/// system has no room for one more, nothing is. Source: `inotify(7)`.
final class FileChanges {
  private let descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))

  init(_ folders: [String]) {
    for folder in folders { unsafe inotify_add_watch(descriptor, folder, UInt32(IN_MODIFY)) }
  }

  /// Whether anything was since the last call.
  func take() -> Bool {
    var isChanged = false
    unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { events in
      while unsafe read(descriptor, events.baseAddress!, events.count) > 0 { isChanged = true }
    }
    return isChanged
  }

  deinit { if descriptor >= 0 { close(descriptor) } }
}
