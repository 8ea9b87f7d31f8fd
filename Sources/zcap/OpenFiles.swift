import Glibc

/// How many files this process may have open.
enum OpenFiles {
  /// As many as the system lets it have without asking: a ring keeps all its segments open.
  /// Source: `setrlimit(2)`.
  static func allowMost() {
    var limit = rlimit()
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(kind, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(kind, &limit)
  }
}
