private import CLinux
import CaptureStore
import Glibc

/// What the kernel holds for peers while a send waits for room, and since when a peer takes none of it.
///
/// That libzmq has no room says little: a full pipe shows room again only when half of it is gone, so
/// a peer that reads slowly leaves it full for long. What the kernel holds moves with each read.
struct Backlog {
  /// How long a peer that nothing moves for is watched closely: one that reads some times a second is
  /// met in it.
  private static let watchNanoseconds: Int64 = 500_000_000

  private struct Seen {
    /// Changes when the peer takes something.
    var mark: Int64
    /// Bytes that TCP saw arrive are counted; over ipc there is only what waits, and libzmq fills that
    /// up again within microseconds.
    var isCounted: Bool
    var since: Int64
    var waiting: CInt
  }

  private var seen: [CInt: Seen] = [:]

  /// Looks at connections. Returns the one whose peer has taken nothing of what waits for it for the
  /// longest, and since when; of equal ones, that for which the most waits. nil where nothing waits
  /// for anybody. Peers that would be older than `limit` are watched more closely before.
  ///
  /// Source: `ioctl(2)`, SIOCOUTQ; `tcp(7)`, TCP_INFO.
  mutating func look(
    at connections: Set<CInt>, now: Int64, limit: Int64
  ) -> (connection: CInt, since: Int64)? {
    var found: [CInt: Seen] = [:]
    for connection in connections {
      let waiting = undelivered_bytes(connection)
      guard waiting > 0 else { continue }
      let acknowledged = acknowledged_bytes(connection)
      let isCounted = acknowledged >= 0
      let mark = isCounted ? acknowledged : Int64(waiting)
      let before = seen[connection]
      let since = before?.mark == mark ? before!.since : now
      found[connection] = Seen(mark: mark, isCounted: isCounted, since: since, waiting: waiting)
    }
    let suspects = found.filter { !$0.value.isCounted && now - $0.value.since > limit }
    for connection in Self.watch(suspects.keys) {
      found[connection]!.since = CaptureClock.monotonicNanoseconds()
    }
    seen = found
    return found.min {
      ($0.value.since, $1.value.waiting) < ($1.value.since, $0.value.waiting)
    }
    .map { ($0.key, $0.value.since) }
  }

  /// The connections for which what waits moves within a moment. Meanwhile they take no more, so that
  /// whatever a peer reads is seen.
  ///
  /// Source: `socket(7)`, SO_SNDBUF; a larger one wakes who waits to send.
  private static func watch(_ connections: some Collection<CInt>) -> [CInt] {
    if connections.isEmpty { return [] }
    let sizes = connections.map { ($0, send_buffer($0)) }
    for (connection, _) in sizes { _ = set_send_buffer(connection, 0) }
    defer { for (connection, size) in sizes { _ = set_send_buffer(connection, size) } }
    // What libzmq was writing just now is not to count.
    usleep(2_000)
    var still = connections.map { (connection: $0, waiting: undelivered_bytes($0)) }
    var moved: [CInt] = []
    let end = CaptureClock.monotonicNanoseconds() + watchNanoseconds
    while !still.isEmpty, CaptureClock.monotonicNanoseconds() < end {
      usleep(1_000)
      still.removeAll { connection, waiting in
        guard undelivered_bytes(connection) != waiting else { return false }
        moved.append(connection)
        return true
      }
    }
    return moved
  }
}
