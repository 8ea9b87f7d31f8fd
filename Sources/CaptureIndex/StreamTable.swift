import CaptureStore
import PayloadCodecs

/// The streams of a capture: what came with one topic from one endpoint.
struct StreamTable {
  typealias ID = Int

  struct Stream {
    let endpoint: Int
    let topic: TopicTable.ID
    var messages: Int64 = 0
    var tags = FrameTags()
    var eras = 0
    /// By shape, since the last era began.
    var summaries: [MessageShape: Int] = [:]
    /// The shape and the summary of the last message, and of all that `unsettled` counts.
    var shape: MessageShape?
    var summary = 0
    /// Messages that their summary does not count yet.
    var unsettled = Tally()
    /// What every message is held against, by the tags that are held.
    var checks: [FrameCheck] = []
    /// The tags that rules give to its frames; nil while nobody has looked.
    var ruledTags: [CodecTag?]?
    /// Its counters; nil while nobody has looked.
    var counters: [Int]?
    /// Whose message came next, the last time.
    fileprivate var follower: ID = 0

    /// Whether the next message tells nothing new by its shape, and is no sample.
    func isUsual(_ shape: MessageShape) -> Bool { shape == self.shape && !isSampleDue }

    /// Whether the next message is one of those that are looked at.
    var isSampleDue: Bool {
      messages < FrameTags.firstSamples || messages % FrameTags.sampleStride == 0
    }

    /// Counts a message. Returns whether it is the first one that is unsettled.
    mutating func count(bytes: Int, time: Int64) -> Bool {
      messages += 1
      unsettled.add(bytes: bytes, time: time)
      return unsettled.messages == 1
    }
  }

  private(set) var topics = TopicTable()
  /// By id.
  var streams: [Stream] = []
  private var last: ID = 0
  /// By endpoint, then by topic id: 1 + the id of the stream, 0 where there is none.
  private var tabled: [[Int32]] = []
  /// The same for endpoints that a table each would cost too much for.
  private var rare: [Key: ID] = [:]
  private static let endpointsTabled = 64

  private struct Key: Hashable {
    var endpoint: Int
    var topic: TopicTable.ID
  }

  /// The stream of a message with this topic, or without one.
  @inline(__always)
  mutating func id(endpoint: Int, topic: RawSpan?) -> ID {
    // Traffic repeats itself: what came behind the last message mostly comes again.
    if last < streams.count {
      let guess = streams[last].follower
      if streams[guess].endpoint == endpoint && topics.isTopic(topic, streams[guess].topic) {
        last = guess
        return guess
      }
    }
    return find(endpoint: endpoint, topic: topic)
  }

  private mutating func find(endpoint: Int, topic: RawSpan?) -> ID {
    let id = id(endpoint: endpoint, topic: topics.id(of: topic))
    streams[last].follower = id
    last = id
    return id
  }

  mutating func id(endpoint: Int, topic: TopicTable.ID) -> ID {
    guard endpoint < Self.endpointsTabled else {
      let key = Key(endpoint: endpoint, topic: topic)
      if let known = rare[key] { return known }
      rare[key] = streams.count
      return add(Stream(endpoint: endpoint, topic: topic))
    }
    while tabled.count <= endpoint { tabled.append([]) }
    if tabled[endpoint].count <= topic {
      let missing = max(topic + 1, tabled[endpoint].count * 2) - tabled[endpoint].count
      tabled[endpoint].append(contentsOf: repeatElement(0, count: missing))
    }
    let known = Int(tabled[endpoint][topic])
    if known != 0 { return known - 1 }
    tabled[endpoint][topic] = Int32(streams.count + 1)
    return add(Stream(endpoint: endpoint, topic: topic))
  }

  private mutating func add(_ stream: Stream) -> ID {
    streams.append(stream)
    return streams.count - 1
  }

  /// Takes up the topics that an index kept, in their order.
  mutating func resume(_ names: [[UInt8]]) {
    for name in names { _ = unsafe topics.id(of: name.span.bytes) }
  }
}
