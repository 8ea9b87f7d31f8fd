import Foundation

/// Standard error, for people: a line at a time, and one line that changes on a terminal.
enum Console {
  static let isTerminal = isatty(STDERR_FILENO) == 1

  /// Whether colour is wanted on standard output. Source: <https://no-color.org>.
  static let isColoured =
    isatty(STDOUT_FILENO) == 1
    && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
    && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// An error: `zcap: ...`.
  static func complain(_ text: String) { write("\(clear)zcap: \(printable(text))\n") }

  /// Something worth knowing.
  static func say(_ text: String) { write("\(clear)\(printable(text))\n") }

  /// Names and addresses may come from a capture: nothing in them commands the terminal.
  private static func printable(_ text: String) -> String {
    Table.printable(Array(text.utf8), limit: .max)
  }

  /// Replaces the status line, on a terminal only: as much of it as fits, since what is wrapped stays.
  static func showStatus(_ text: String) {
    guard isTerminal else { return }
    var window = winsize()
    let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &window) == 0 && window.ws_col > 1
    write("\(clear)\(text.prefix(isKnown ? Int(window.ws_col) - 1 : .max))")
  }

  private static let clear = isTerminal ? "\r\u{1B}[K" : ""

  private static func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}
