import CaptureStore
import Glibc
import Threads

/// SIGINT and SIGTERM as a request to finish; another one later ends the process at once.
enum StopSignals {
  /// One Ctrl-C often arrives twice: `timeout` and some shells signal the process and its group.
  private static let echoNanoseconds: Int64 = 1_000_000_000

  /// Call before any other thread is started: they inherit the blocked signals.
  ///
  /// Source: `pthread_sigmask(3)`, `sigwait(3)`.
  static func token() -> StopToken {
    let token = StopToken()
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    _ = WorkerThread(name: "zcap signals") {
      var waited = sigset_t()
      sigemptyset(&waited)
      sigaddset(&waited, SIGINT)
      sigaddset(&waited, SIGTERM)
      var received: CInt = 0
      sigwait(&waited, &received)
      token.request()
      let requested = CaptureClock.monotonicNanoseconds()
      repeat {
        sigwait(&waited, &received)
      } while CaptureClock.monotonicNanoseconds() - requested < echoNanoseconds
      Console.complain("stopped at once; what was committed is in the capture")
      _exit(128 + received)
    }
    return token
  }
}
