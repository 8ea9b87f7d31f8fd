import Glibc
import PayloadCodecs
import Synchronization

/// Standard output, for data: buffered, since a million small writes take seconds.
struct DataOutput: ~Copyable {
  private static let bufferSize = 64 << 10
  private var buffer: [UInt8] = []
  /// Nothing more can be written: whoever read it has gone, as in `zcap ls | head`, or `failure`.
  private(set) var isClosed = false
  /// The errno of a write that lost data, 0 while there is none; main looks at it at the end.
  static let failure = Atomic<CInt>(0)

  init() { buffer.reserveCapacity(Self.bufferSize) }

  mutating func writeLine(_ line: String) {
    buffer.append(contentsOf: line.utf8)
    buffer.append(UInt8(ascii: "\n"))
    flushIfFull()
  }

  mutating func write(text: some StringProtocol) {
    buffer.append(contentsOf: text.utf8)
    flushIfFull()
  }

  /// A number, with zeros in front up to `count` digits.
  mutating func write(digitsOf number: UInt64, count: Int = 1) {
    buffer.append(digitsOf: number, count: count)
  }

  mutating func write(_ bytes: [UInt8]) {
    buffer.append(contentsOf: bytes)
    flushIfFull()
  }

  mutating func write(_ bytes: RawSpan) {
    bytes.withUnsafeBytes { buffer.append(contentsOf: $0) }
    flushIfFull()
  }

  private mutating func flushIfFull() {
    if buffer.count >= Self.bufferSize { flush() }
  }

  /// Whether who read it has gone, while there is nothing to write that would tell. Source: `poll(2)`,
  /// POLLERR.
  mutating func lookForReader() {
    var item = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
    if poll(&item, 1, 0) == 1, item.revents & Int16(POLLERR) != 0 { isClosed = true }
  }

  /// Writes what is buffered. Source: `write(2)`.
  mutating func flush() {
    var written = 0
    while written < buffer.count && !isClosed {
      let result = buffer[written...].withUnsafeBytes {
        Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
      }
      if result >= 0 {
        written += result
      } else if errno == EAGAIN {
        var item = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        poll(&item, 1, -1)
      } else if errno != EINTR {
        if errno != EPIPE { Self.failure.store(errno, ordering: .relaxed) }
        isClosed = true
      }
    }
    buffer.removeAll(keepingCapacity: true)
  }
}
