import CaptureStore
import Threads
import ZeroMQ

/// Publishes the time of the timeline, for programs of a rig that take it for theirs.
///
/// A PUB socket that is bound, and a message of three frames so many times a second of real time:
///
/// | frame | bytes | |
/// |---|---|---|
/// | 0 | 5 | `clock` |
/// | 1 | 8 | the recorded time that is played: Unix nanoseconds, i64, little-endian |
/// | 2 | 8 | how fast it goes, times real time: f64, little-endian; 0 in a pause, NaN at full speed |
///
/// The time stands still in a pause, and goes back in a loop and where somebody seeks.
final class ClockPublisher {
  /// With wildcards resolved.
  let address: String
  private let publisher: Publisher
  private var thread: WorkerThread?
  private let isEnded = StopToken()

  /// Old times are of no use to those who are behind.
  private static let waitingMax = 16

  /// Binds the socket. `origin`: Unix nanoseconds of position 0 of the recording. Throws
  /// `ZeroMQError`.
  init(_ clock: ReplayPlan.Clock, _ counters: ReplayCounters, origin: Int64) throws(ZeroMQError) {
    let socket = try Socket(.pub, in: Context())
    try socket.set(.sendHighWaterMark, Self.waitingMax)
    try socket.set(.lingerMilliseconds, 100)
    try socket.bind(clock.address)
    address = try socket.lastEndpoint
    publisher = Publisher(
      socket: socket, counters: counters, origin: origin,
      interval: max(1, Int64(1e9 / clock.messagesPerSecond)))
  }

  /// Begins to publish.
  func start() {
    thread = WorkerThread(name: "zcap clock") { [publisher, isEnded] in
      publisher.run(until: isEnded)
    }
  }

  /// Ends that; once more does nothing.
  func finish() {
    isEnded.request()
    thread?.join()
    thread = nil
  }

  /// Used by its thread alone.
  private struct Publisher: @unchecked Sendable {
    let socket: Socket
    let counters: ReplayCounters
    let origin: Int64
    let interval: Int64

    func run(until isEnded: StopToken) {
      var due = CaptureClock.monotonicNanoseconds()
      while !isEnded.wait(untilMonotonicNanoseconds: due) {
        let now = CaptureClock.monotonicNanoseconds()
        if let time = counters.timelineTime {
          try? socket.send(frames(of: time, at: now))
        }
        due = max(due + interval, now)
      }
    }

    private func frames(of time: TimelineTime, at now: Int64) -> [[UInt8]] {
      let unix = UInt64(bitPattern: origin &+ time.position(at: now))
      let speed = (time.speed ?? .nan).bitPattern
      return [Array("clock".utf8), Self.bytes(unix), Self.bytes(speed)]
    }

    private static func bytes(_ number: UInt64) -> [UInt8] {
      (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
  }
}
