public import CaptureIndex
import CaptureStore

/// What a replay would send, found without a socket.
public struct ReplayPreview: Sendable {
  /// Of one loop, as everything here.
  public var messages: UInt64 = 0
  /// Bytes of frames.
  public var bytes: UInt64 = 0
  /// Recorded time from the first message to the last, long silences as they are played.
  public var timelineNanoseconds: Int64 = 0
  /// How long playing it takes, where the peers keep up; nil at full speed.
  public var durationNanoseconds: Int64?
  /// The longest silence, as played, and the sequence of the message behind it.
  public var longestGap: (nanoseconds: Int64, sequence: UInt64) = (0, 0)
  /// Messages of the busiest second of recorded time.
  public var messagesPerSecondMax: UInt64 = 0
  /// Messages by where they go, in the order of the sockets.
  public var targets: [(target: ReplayPlan.Target, messages: UInt64)] = []
  /// Places that could not be read, and messages that the index knows and that are not there.
  public private(set) var damages = 0
  public private(set) var messagesMissing: Int64 = 0
  /// Messages of a ring that made room meanwhile.
  public private(set) var messagesRetired: Int64 = 0
  /// What each capture lacks in the span of its selection.
  public private(set) var sources: [Completeness] = []
  /// Messages of the state before the first one.
  public var messagesOfState = 0

  /// Reads all that is selected. Throws `ReplayError` and what keeps the captures from being read.
  public init(_ captures: [ReplaySource], _ plan: ReplayPlan) throws {
    let route = try Route(plan.routing, captures.map(\.index.capture.manifest))
    let sources = try [TimelineSource](captures, route, plan.alignment)
    targets = route.targets.map { ($0, 0) }
    var reader = try TimelineReader(sources, from: nil)
    var clock = TimelineClock(gapNanosecondsMax: plan.gapNanosecondsMax)
    clock.beginLoop()
    var second = BusiestSecond()
    var lastBytes = 0
    while case .message(let found) = try reader.next() {
      let before = clock.played
      let position = clock.advance(to: found.position)
      if messages > 0, position - before > longestGap.nanoseconds {
        longestGap = (position - before, found.message.record.sequence)
      }
      messages += 1
      lastBytes = found.message.frameBytes
      bytes += UInt64(lastBytes)
      targets[found.socket].messages += 1
      second.add(position)
    }
    guard messages > 0 else { throw try sources[0].reasonForNothing() }
    timelineNanoseconds = clock.played
    messagesPerSecondMax = second.most
    durationNanoseconds = duration(plan.pace, lastBytes: UInt64(lastBytes))
    damages = reader.losses.damages
    messagesMissing = reader.losses.messagesMissing
    messagesRetired = reader.losses.messagesRetired
    self.sources = try sources.map { try $0.completeness() }
    messagesOfState = try sources.reduce(0) {
      try $0 + $1.state(plan.stateFirst, before: nil).count
    }
  }

  public var isComplete: Bool {
    damages == 0 && messagesMissing == 0 && messagesRetired == 0
      && sources.allSatisfy(\.isComplete)
  }

  /// Nothing is waited for behind the last message.
  private func duration(_ pace: ReplayPlan.Pace, lastBytes: UInt64) -> Int64? {
    let seconds: Double
    switch pace {
    case .max: return nil
    case .rate(let rate): seconds = Double(timelineNanoseconds) / 1e9 / rate
    case .messagesPerSecond(let rate): seconds = Double(messages - 1) / rate
    case .bytesPerSecond(let rate): seconds = Double(bytes - lastBytes) / rate
    }
    return Int64(min(seconds * 1e9, 9e18))
  }
}

/// The most messages that lie within one second of a timeline.
private struct BusiestSecond {
  private(set) var most: UInt64 = 0
  private var begun: Int64 = 0
  private var count: UInt64 = 0

  /// Seconds are counted from the first message on.
  mutating func add(_ position: Int64) {
    if position - begun >= 1_000_000_000 {
      begun = position - position % 1_000_000_000
      count = 0
    }
    count += 1
    most = max(most, count)
  }
}
