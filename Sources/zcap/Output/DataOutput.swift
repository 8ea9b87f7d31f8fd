import Glibc

/// Standard output, for data: buffered, since a million small writes take seconds.
struct DataOutput: ~Copyable {
  private static let bufferSize = 64 << 10
  private var buffer: [UInt8] = []
  /// Whoever read the output has gone, as in `zcap ls | head`.
  private(set) var isClosed = false

  init() { buffer.reserveCapacity(Self.bufferSize) }

  mutating func writeLine(_ line: String) {
    buffer.append(contentsOf: line.utf8)
    buffer.append(UInt8(ascii: "\n"))
    if buffer.count >= Self.bufferSize { flush() }
  }

  /// Writes what is buffered. Source: `write(2)`.
  mutating func flush() {
    var written = 0
    while written < buffer.count && !isClosed {
      let result = buffer[written...].withUnsafeBytes {
        write(STDOUT_FILENO, $0.baseAddress, $0.count)
      }
      if result >= 0 {
        written += result
      } else if errno != EINTR {
        isClosed = true
      }
    }
    buffer.removeAll(keepingCapacity: true)
  }
}
