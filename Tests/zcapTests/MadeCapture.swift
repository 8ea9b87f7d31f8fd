import CaptureStore

/// A capture made without a recorder, with receive times as the test wants them.
struct MadeCapture {
  struct Entry {
    var endpoint = 0
    /// Since the beginning of the capture.
    var nanoseconds: Int64
    var frames: [[UInt8]]
  }

  /// Addresses, in order of their ids.
  var endpoints = ["tcp://127.0.0.1:7001"]
  var topicRule = "auto"
  var segmentSize = 4 << 20
  /// On the monotonic clock; nil is when it is written.
  var start: Int64?
  var entries: [Entry] = []

  /// Messages at one distance from each other: a topic, and their number as text.
  static func evenly(
    _ count: Int, nanoseconds: Int64, topic: String = "tick"
  ) -> MadeCapture {
    var capture = MadeCapture()
    for number in 0..<count {
      capture.add(at: Int64(number) * nanoseconds, topic, String(number))
    }
    return capture
  }

  mutating func add(endpoint: Int = 0, at nanoseconds: Int64, _ frames: String...) {
    entries.append(
      Entry(endpoint: endpoint, nanoseconds: nanoseconds, frames: frames.map { Array($0.utf8) }))
  }

  func write(_ path: String) throws {
    let manifest = Manifest(
      host: "test", created: "2026-01-02T03:04:05.000Z", recorder: "zcapTests",
      endpoints: endpoints.map {
        RecordedEndpoint(
          address: $0, socket: "SUB", isBound: false, subscriptions: [SubscriptionPrefix([])])
      },
      topicRule: topicRule, labels: [:])
    let writer = try CaptureWriter(
      creating: path, manifest: manifest, segmentSize: segmentSize)
    let start = start ?? CaptureClock.monotonicNanoseconds()
    for entry in entries {
      let buffers = entry.frames.map { frame in
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.count, alignment: 8)
        copy.copyBytes(from: frame)
        return UnsafeRawBufferPointer(copy)
      }
      defer { for buffer in buffers { buffer.deallocate() } }
      try writer.append(
        endpoint: UInt16(entry.endpoint), monotonicNanoseconds: start + entry.nanoseconds,
        frames: buffers.span)
    }
    try writer.finish()
  }
}
