import Glibc
import Testing
import Threads
import ZeroMQ

/// Receives on a thread and in a context of its own, until it has as many messages as it wants, or
/// none came for a while.
final class SubscriberThread: Sendable {
  private let received = Guarded<[[[UInt8]]]>([])
  private let thread: WorkerThread

  init(
    _ type: SocketType, _ address: String, count: Int, highWaterMark: Int = 0,
    quietMilliseconds: Int = 15_000, pauseMicroseconds: useconds_t = 0
  ) {
    thread = WorkerThread(name: "subscriber") { [received] in
      do {
        let socket = try Socket(type, in: Context())
        try socket.set(.lingerMilliseconds, 0)
        try socket.set(.receiveTimeoutMilliseconds, quietMilliseconds)
        try socket.set(.receiveHighWaterMark, highWaterMark)
        if type == .sub { try socket.subscribe("") }
        try socket.connect(address)
        while received.withLock({ $0.count < count }), let frames = try socket.receiveFrames() {
          received.withLock { $0.append(frames) }
          // A subscriber that is slow, not one that is waited for.
          if pauseMicroseconds > 0 { usleep(pauseMicroseconds) }
        }
      } catch {
        Issue.record("\(error)")
      }
    }
  }

  var count: Int { received.withLock { $0.count } }

  /// Waits for the end and gives what came. Called once.
  func messages() -> [[[UInt8]]] {
    thread.join()
    return received.withLock { $0 }
  }
}
