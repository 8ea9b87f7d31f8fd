import CaptureStore
import Glibc
import Threads

/// SIGINT, SIGTERM and SIGHUP as a request to finish; another one later ends the process at once.
enum StopSignals {
  /// One Ctrl-C often arrives twice: `timeout` and some shells signal the process and its group.
  private static let echoNanoseconds: Int64 = 1_000_000_000

  /// Call before any other thread is started: they inherit the blocked signals.
  ///
  /// Source: `pthread_sigmask(3)`, `sigwait(3)`.
  static func token() -> StopToken {
    let token = StopToken()
    var signals = signals()
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    _ = WorkerThread(name: "zcap signals") {
      var waited = self.signals()
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

  /// A terminal that is gone ends a recording as Ctrl-C does, but not one that `nohup` started.
  private static func signals() -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM, SIGHUP] where !isIgnored(number) {
      sigaddset(&signals, number)
    }
    return signals
  }

  private static func isIgnored(_ number: CInt) -> Bool {
    guard number == SIGHUP else { return false }
    var action = sigaction()
    return sigaction(number, nil, &action) == 0
      && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
