private import CLinux
import Glibc
import Threads
import ZeroMQ

/// The connections of a socket, and whether their peers have taken everything.
///
/// libzmq ends when the kernel has its bytes. A peer that reads slowly over ipc then loses what
/// the kernel holds for it: it sees the hang-up first. So a duplicate of each descriptor keeps the
/// connection up while libzmq closes its own, until the peer has read the rest.
///
/// Those with loopback addresses do not keep BBR, where the system has that for all.
@safe final class PeerConnections {
  private let monitor: Monitor
  /// Descriptors of libzmq's, while they are connected.
  private var connected: Set<CInt> = []
  /// Those that are not any more, until they are told.
  private var ended: [CInt] = []
  /// Those that were ended here and that libzmq still has.
  private var ending: Set<CInt> = []
  /// Connections whose handshake is done, less those that ended.
  private(set) var count = 0

  init(_ socket: Socket) throws(ZeroMQError) {
    monitor = try Monitor(
      socket,
      [
        .listening, .accepted, .connected, .handshakeSucceeded, .handshakeFailed, .disconnected,
        .closed,
      ])
  }

  /// Handshakes that failed and whose connection has not ended yet: it was never counted.
  private var failed = 0

  /// Reads what happened since the last call. Source: `zmq_socket_monitor(3)`.
  func update() throws(ZeroMQError) {
    while let event = try monitor.next() {
      let descriptor = CInt(truncatingIfNeeded: event.value)
      switch event.kind {
      case .listening:
        replace_bbr_on_loopback(descriptor)
      case .accepted, .connected:
        replace_bbr_on_loopback(descriptor)
        connected.insert(descriptor)
      case .handshakeSucceeded:
        count += 1
      case .disconnected, .closed:
        guard connected.remove(descriptor) != nil else { continue }
        ended.append(descriptor)
        ending.remove(descriptor)
        if failed > 0 {
          failed -= 1
        } else {
          count = max(0, count - 1)
        }
      default:
        failed += 1
      }
    }
  }

  /// Connections that ended by the last update and that were not told yet.
  func takeEnded() -> [CInt] {
    defer { ended = [] }
    return ended
  }

  /// As of the last update.
  func isConnected(_ descriptor: CInt) -> Bool { connected.contains(descriptor) }

  /// The connection whose peer takes nothing of what waits for it, for the longest; nil where nothing
  /// waits. `backlog` is what the calls before this one saw; `limit`, when a peer is too slow.
  func slowest(
    _ backlog: inout Backlog, now: Int64, limit: Int64
  ) throws(ZeroMQError) -> (connection: CInt, since: Int64)? {
    try update()
    return backlog.look(at: connected.subtracting(ending), now: now, limit: limit)
  }

  /// Ends a connection, whatever its peer has not taken. Source: `shutdown(2)`.
  func end(_ descriptor: CInt) {
    ending.insert(descriptor)
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  /// `127.0.0.1:40312`, `[::1]:40312`, `process 4711`; nil where the system does not tell.
  ///
  /// Source: `getpeername(2)`, `unix(7)`, SO_PEERCRED.
  static func name(of descriptor: CInt) -> String? {
    var text = [CChar](repeating: 0, count: peer_name_size)
    guard unsafe peer_name(descriptor, &text) == 0 else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Takes a hold of every connection, to be made before the socket closes. Source: `dup(2)`.
  func hold() throws(ZeroMQError) -> [HeldConnection] {
    try update()
    return connected.map { dup($0) }.filter { $0 >= 0 }.map { HeldConnection($0) }
  }
}

/// A duplicate of a connection's descriptor: the peer sees no end before this goes.
final class HeldConnection {
  private let descriptor: CInt

  init(_ descriptor: CInt) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Whether the peer has taken everything, or is gone. Source: `ioctl(2)`, SIOCOUTQ.
  var isDelivered: Bool {
    var item = pollfd(fd: descriptor, events: 0, revents: 0)
    let isGone = unsafe poll(&item, 1, 0) > 0 && item.revents & Int16(POLLHUP | POLLERR) != 0
    return isGone || undelivered_bytes(descriptor) <= 0
  }
}
