import Glibc

/// The CPUs of this machine that this process may run on.
public enum Processors {
  /// Empty when the system does not tell. Source: `proc_pid_status(5)`, Cpus_allowed_list.
  public static var allowed: Set<Int> {
    guard let file = unsafe fopen("/proc/self/status", "re") else { return [] }
    defer { unsafe fclose(file) }
    var line = [UInt8](repeating: 0, count: 4096)
    while unsafe fgets(&line, CInt(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }, as: UTF8.self)
      let fields = text.split(separator: ":")
      if fields.count == 2, fields[0] == "Cpus_allowed_list" { return parse(fields[1]) }
    }
    return []
  }

  /// Numbers and ranges: `0-3,8`.
  static func parse(_ list: Substring) -> Set<Int> {
    var processors: Set<Int> = []
    for range in list.split(whereSeparator: { ", \t\n".contains($0) }) {
      let bounds = range.split(separator: "-").compactMap { Int($0) }
      if let first = bounds.first, let last = bounds.last, first <= last {
        processors.formUnion(first...last)
      }
    }
    return processors
  }
}
