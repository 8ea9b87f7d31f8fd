import Glibc
import Replaying
import Threads

/// The keys that control a replay on a terminal, while it runs.
///
/// The terminal hands over each key at once and does not show it; when this ends it is as it was.
@safe final class Keyboard: @unchecked Sendable {
  static let help =
    "keys: space pause, right step, up/down rate, , . 10 s, < > 60 s, 0-9 tenths, n mark, q stop"

  private let before: termios
  private let thread: WorkerThread
  private let isEnded = StopToken()

  /// nil where standard input is no terminal. Keys that would end or stop the process while the terminal
  /// is so have no meaning.
  init?(_ replayer: Replayer, _ control: ReplayControl, stop: StopToken) {
    var settings = termios()
    guard isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
    before = settings
    FileFaults.terminal = before
    settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
    withUnsafeMutableBytes(of: &settings.c_cc) { characters in
      for key in [VQUIT, VSUSP] { characters[Int(key)] = 0 }
    }
    tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    let span = replayer.spanNanoseconds
    thread = WorkerThread(name: "zcap keys") { [isEnded] in
      var keys = [UInt8](repeating: 0, count: 64)
      while !isEnded.isRequested {
        var items = [
          pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
          pollfd(fd: isEnded.fileDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&items, 2, -1)
        guard items[0].revents != 0, !isEnded.isRequested else { continue }
        let count = read(STDIN_FILENO, &keys, keys.count)
        guard count > 0 else { return }
        for request in KeyRequest.all(in: keys[..<count], span: span) {
          switch request {
          case .verb(let verb): control.ask(verb)
          case .stop: stop.request()
          }
        }
      }
    }
  }

  /// Gives the terminal back. Called once.
  func finish() {
    isEnded.request()
    thread.join()
    var settings = before
    tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    FileFaults.terminal = nil
  }
}

/// What a key asks for.
enum KeyRequest: Equatable {
  case verb(ReplayControl.Verb)
  case stop

  private static let second: Int64 = 1_000_000_000

  /// The keys that were pressed, in order; those without a meaning are passed over. `span`: of the
  /// recording, in nanoseconds.
  static func all(in bytes: ArraySlice<UInt8>, span: Int64) -> [KeyRequest] {
    var requests: [KeyRequest] = []
    var rest = bytes
    while let key = rest.popFirst() {
      // Arrows are three bytes, ESC [ A or ESC O A. With other keys held down, and for others of their
      // kind, parameters stand before the last.
      if key == 0x1B, rest.first == UInt8(ascii: "[") || rest.first == UInt8(ascii: "O") {
        rest.removeFirst()
        let parameters = rest.prefix { (0x20...0x3F).contains($0) }
        rest = rest.dropFirst(parameters.count)
        guard let last = rest.popFirst(), parameters.isEmpty else { continue }
        if let request = arrow(last) { requests.append(request) }
      } else if let request = plain(key, span) {
        requests.append(request)
      }
    }
    return requests
  }

  private static func arrow(_ key: UInt8) -> KeyRequest? {
    switch key {
    case UInt8(ascii: "A"): .verb(.faster(2))
    case UInt8(ascii: "B"): .verb(.faster(0.5))
    case UInt8(ascii: "C"): .verb(.step(1))
    default: nil
    }
  }

  private static func plain(_ key: UInt8, _ span: Int64) -> KeyRequest? {
    switch key {
    case UInt8(ascii: " "): .verb(.toggle)
    case UInt8(ascii: ","): .verb(.move(-10 * second))
    case UInt8(ascii: "."): .verb(.move(10 * second))
    case UInt8(ascii: "<"): .verb(.move(-60 * second))
    case UInt8(ascii: ">"): .verb(.move(60 * second))
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      .verb(.seek(span / 10 * Int64(key - UInt8(ascii: "0"))))
    case UInt8(ascii: "n"): .verb(.nextMark)
    case UInt8(ascii: "q"): .stop
    default: nil
    }
  }
}
