import Glibc

/// What happens when a file that is mapped ends under us, or its disk goes. There is no going on: the
/// system tells whoever touches the page by SIGBUS, and where libzmq gives it to the kernel, that
/// refuses it, which libzmq takes for an error of its own and aborts.
enum FileFaults {
  /// What is written then. Set once, before there are threads that could need it.
  nonisolated(unsafe) private static var fault = Line("")
  nonisolated(unsafe) private static var abort = Line("")
  /// How the terminal was before keys were taken from it, which it is to be again.
  nonisolated(unsafe) static var terminal: termios?

  /// Text that needs no memory to be had when it is written.
  private struct Line {
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init(_ text: String) {
      bytes = .allocate(capacity: text.utf8.count)
      _ = bytes.initialize(from: text.utf8)
    }

    func write() { _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
  }

  /// From here on either is one line on standard error, and exit code 1. Source: `sigaction(2)`,
  /// `signal-safety(7)`: a handler may write and exit.
  static func tell(of captures: [String]) {
    let name = captures.joined(separator: ", ")
    let next = "`zcap verify` tells what is left\n"
    fault = Line(
      "zcap: \(name): a segment was cut, or its disk failed, while it was sent; what was sent last may "
        + "not be what was recorded; \(next)")
    abort = Line(
      "zcap: \(name): libzmq gave up, for the reason above; where that is a bad address, "
        + "a segment was cut, or its disk failed, while it was sent; \(next)")
    handle(SIGBUS) { _ in
      FileFaults.end(with: FileFaults.fault)
    }
    handle(SIGABRT) { _ in
      FileFaults.end(with: FileFaults.abort)
    }
  }

  /// Source: `signal-safety(7)`, of `tcsetattr`, too.
  private static func end(with line: Line) -> Never {
    line.write()
    giveTerminalBack()
    _exit(1)
  }

  /// Before the process ends at once.
  static func giveTerminalBack() {
    if var before = terminal { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
  }

  private static func handle(_ signal: CInt, _ handler: @escaping @convention(c) (CInt) -> Void) {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = handler
    sigaction(signal, &action, nil)
    // Whoever started this process may have blocked it, for all threads that follow.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, signal)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }
}
