import CaptureStore
import Glibc
import Threads

/// SIGINT, SIGTERM and SIGHUP as a request to finish; another one later ends the process at once.
enum StopSignals {
  /// One Ctrl-C often arrives twice: `timeout` and some shells signal the process and its group.
  private static let echoNanoseconds: Int64 = 1_000_000_000

  /// Call before any other thread is started: they inherit the blocked signals. `outcome` says what
  /// becomes of it where a second signal ends it at once.
  ///
  /// Source: `pthread_sigmask(3)`, `sigwait(3)`.
  static func token(outcome: String) -> StopToken {
    let token = StopToken()
    var signals = signals()
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    // To nobody, or to who asks for it: not the end of the process.
    var trigger = triggerSignal()
    pthread_sigmask(SIG_BLOCK, &trigger, nil)
    _ = WorkerThread(name: "zcap signals") {
      var waited = self.signals()
      var received: CInt = 0
      sigwait(&waited, &received)
      token.request()
      let requested = CaptureClock.monotonicNanoseconds()
      repeat {
        sigwait(&waited, &received)
      } while CaptureClock.monotonicNanoseconds() - requested < echoNanoseconds
      Console.complain("stopped at once; \(outcome)")
      FileFaults.giveTerminalBack()
      _exit(128 + received)
    }
    return token
  }

  /// Calls a function for each SIGUSR1 from now on, one at a time. Call before other threads of zcap
  /// are told to stop: a signal that nobody waits for would end the process.
  static func onTrigger(_ body: @escaping @Sendable () -> Void) {
    _ = WorkerThread(name: "zcap trigger") {
      var waited = triggerSignal()
      var received: CInt = 0
      while sigwait(&waited, &received) == 0 { body() }
    }
  }

  private static func triggerSignal() -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGUSR1)
    return signals
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
