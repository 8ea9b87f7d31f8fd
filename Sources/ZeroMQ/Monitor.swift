import CZeroMQ
import Synchronization

/// Tells what happens to the connections of a socket, over `tcp` and `ipc`.
///
/// libzmq's threads hand over each event with a send that waits for the reader, and nothing else
/// of theirs goes on meanwhile. So the reader connects at once, takes any number of events unread,
/// and leaves only after the last: monitor and socket may end in any order, and whichever ends
/// first stops the events. Source: `zmq_socket_monitor(3)`.
public final class Monitor {
  /// Where the events arrive: for a `Poller`.
  public let socket: Socket

  private weak var watched: Socket?
  private let number: Int
  private var message = Message(reservingFrames: 2)

  private static let count = Atomic<Int>(0)

  /// Starts to watch a socket, best before it binds or connects. A socket has one monitor: an
  /// earlier one gets no more events.
  public init(_ watched: Socket, _ kinds: Kind = .all) throws(ZeroMQError) {
    number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
    let endpoint = "inproc://zcap-monitor-\(number)"
    socket = try Socket(.pair, in: watched.context)
    try socket.set(.receiveHighWaterMark, 0)
    try socket.set(.lingerMilliseconds, 0)
    let handle = unsafe watched.handle
    try check("monitor a socket") {
      unsafe zmq_socket_monitor(handle, endpoint, CInt(kinds.rawValue))
    }
    self.watched = watched
    watched.monitorNumber = number
    try socket.connect(endpoint)
  }

  deinit {
    guard let watched, watched.monitorNumber == number else { return }
    watched.monitorNumber = 0
    _ = unsafe zmq_socket_monitor(watched.handle, nil, 0)
  }

  /// The next event that is there already; nil when there is none.
  public func next() throws(ZeroMQError) -> Event? {
    guard try socket.receive(into: &message, waiting: false) else { return nil }
    return Event(message)
  }
}
