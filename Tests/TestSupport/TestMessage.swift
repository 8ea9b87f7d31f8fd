public import CaptureStore
import Foundation

/// A message as a test thinks of it: what goes into a capture and has to come out of it.
public struct TestMessage: Hashable, Sendable {
  public var endpoint: UInt16
  public var time: Int64
  public var frames: [[UInt8]]

  public init(endpoint: UInt16 = 0, time: Int64 = 0, _ frames: [[UInt8]]) {
    self.endpoint = endpoint
    self.time = time
    self.frames = frames
  }

  public init(endpoint: UInt16 = 0, time: Int64 = 0, _ frames: String...) {
    self.init(endpoint: endpoint, time: time, frames.map { Array($0.utf8) })
  }

  public var bytes: Int { frames.reduce(0) { $0 + $1.count } }

  /// A copy of a recorded one; nil when its frame table is impossible.
  public init?(_ record: RecordHeader, in segment: Segment) {
    var frames: [[UInt8]] = []
    for index in 0..<record.frameCount {
      guard let frame = segment.frame(index, of: record) else { return nil }
      frames.append(frame.withUnsafeBytes { Array($0) })
    }
    self.init(endpoint: record.endpoint, time: record.monotonicNanoseconds, frames)
  }
}

/// Lends frames to C-like interfaces, back to back in one buffer.
public func withFrames<Result, Failure: Error>(
  _ frames: [[UInt8]], _ body: (Span<UnsafeRawBufferPointer>) throws(Failure) -> Result
) throws(Failure) -> Result {
  let size = frames.reduce(0) { $0 + $1.count }
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, size), alignment: 1)
  defer { buffer.deallocate() }
  var offset = 0
  let pointers = frames.map { frame in
    let place = UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + frame.count])
    place.copyBytes(from: frame)
    offset += frame.count
    return UnsafeRawBufferPointer(place)
  }
  return try body(pointers.span)
}

extension CaptureWriter {
  public func append(_ message: TestMessage) throws(StoreError) {
    try withFrames(message.frames) { frames throws(StoreError) in
      try append(
        endpoint: message.endpoint, monotonicNanoseconds: message.time, frames: frames)
    }
  }
}

extension Manifest {
  /// A manifest with as many endpoints as a test needs: `ipc://0`, `ipc://1`, and so on.
  public static func test(
    endpoints: Int = 1, topicRule: String = "auto", keep: Retention? = nil
  ) -> Manifest {
    Manifest(
      host: "test", created: "2024-01-01T00:00:00Z", recorder: "tests",
      endpoints: (0..<endpoints).map {
        RecordedEndpoint(
          address: "ipc://\($0)", socket: "SUB", isBound: false,
          subscriptions: [SubscriptionPrefix([])])
      }, topicRule: topicRule, keep: keep, labels: [:])
  }
}

extension Capture {
  /// Records messages into a new capture and seals it.
  public static func recorded(
    _ path: String, _ messages: [TestMessage], manifest: Manifest = .test(),
    segmentSize: Int = CaptureWriter.segmentSizes.lowerBound
  ) throws -> Capture {
    let writer = try CaptureWriter(creating: path, manifest: manifest, segmentSize: segmentSize)
    for message in messages { try writer.append(message) }
    try writer.finish()
    writer.unlock()
    let capture = try Capture(path: path)
    // Children of other tests hold its lock until they have become their programs.
    try capture.waitUntilUnused()
    return capture
  }
}
