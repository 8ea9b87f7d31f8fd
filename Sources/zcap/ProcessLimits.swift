private import CLinux
import Glibc

/// What a recording process sets up for itself before anything else.
enum ProcessLimits {
  /// As many open files as the system grants without asking: a ring keeps up to a quarter of them
  /// open to use them again, and a socket takes one for each peer.
  /// Source: `setrlimit(2)`.
  static func openAsManyFilesAsAllowed() {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(kind, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(kind, &limit)
  }

  /// Memory of messages that are done with is kept for the next ones. By itself the C library gives
  /// large pieces back to the system each time and takes a fault for each page of the next: at
  /// 256 KiB a receiver is half as fast again without. Source: `mallopt(3)`.
  static func keepFreedMemory() {
    keep_freed_memory(32 << 20)
  }
}
