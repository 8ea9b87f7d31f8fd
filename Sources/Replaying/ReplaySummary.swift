public import CaptureIndex

/// How a replay stands.
public struct ReplayStatus: Sendable {
  public enum Phase: Sendable { case waitingForPeers, playing, draining }

  public var phase: Phase
  public var elapsedNanoseconds: Int64
  public var messages: UInt64
  public var bytes: UInt64
  /// How far the recorded time has been played, over all loops.
  public var timelineNanoseconds: Int64
  /// How long full peers held the replay up.
  public var heldNanoseconds: Int64
  /// Where in the recording it is: nanoseconds from its first message.
  public var positionNanoseconds: Int64
  public var isPaused: Bool
  /// Times the recorded pace; nil at another.
  public var rate: Double?
  /// When the next message is due, on the monotonic clock; nil while it is not waited for.
  public var nextDue: Int64?
  /// While waiting: the fewest peers that a socket has.
  public var peers: Int
}

/// How late the messages of a topic went out.
public struct TopicLateness: Sendable {
  public enum Topic: Hashable, Sendable {
    case topic([UInt8])
    /// Messages without one.
    case none
    /// All topics beyond those that are told apart.
    case others
  }

  public var topic: Topic
  public var lateness: Lateness
}

/// How a replay ended.
public struct ReplaySummary: Sendable {
  public var messages: UInt64 = 0
  /// Bytes of frames.
  public var bytes: UInt64 = 0
  var bytesOfLast: UInt64 = 0
  /// From the first message's deadline to the last message sent, without pauses and without what the
  /// timeline waited for a state.
  public var durationNanoseconds: Int64 = 0
  /// Some of it was stepped through: then no rate says anything.
  public var isStepped = false
  /// The same span in the recording.
  public var timelineNanoseconds: Int64 = 0
  /// How long full peers held the replay up.
  public var heldNanoseconds: Int64 { held.reduce(0) { $0 + $1.nanoseconds } }
  /// The same by endpoint and peer, the longest first.
  public var held: [HeldUp] = []
  /// How far behind their deadlines messages went out; empty at full speed.
  public var lateness = Lateness()
  /// Late messages that the policy did not send.
  public var messagesDropped: UInt64 = 0
  /// Peers that took nothing for too long and were disconnected.
  public var peersDropped = 0
  /// Messages sent before their time for the state that the timeline begins with.
  public var messagesOfState: UInt64 = 0
  /// Places that could not be read: records, or what is left of a segment.
  public var damages: Int { losses.damages }
  /// Messages that the index knows and that are not there any more: they were not sent.
  public var messagesMissing: Int64 { losses.messagesMissing }
  /// Messages of a ring that made room for newer ones before they were read.
  public var messagesRetired: Int64 { losses.messagesRetired }
  var losses = Losses()
  /// What each capture lacks in the span of its selection.
  public var sources: [Completeness] = []
  /// The captures in which no message matches the selection: their numbers.
  public var sourcesWithoutMessages: [Int] = []
  /// The captures whose recorders ended before they were sealed: their numbers.
  public var sourcesUnsealed: [Int] = []
  /// One that was followed was not sealed in the end: messages may be missing behind the last one.
  public var isRecordingKilled = false
  /// Stamps, and other beginnings of topics, that no message had a topic for: their numbers.
  public var stampsIdle: [Int] = []
  public var topicMappingsIdle: [Int] = []
  /// Times that were not written, since their frames end before the field.
  public var fieldsMissed = 0
  /// By topic, where it was asked for: those that were met first, and then all others.
  public var topics: [TopicLateness] = []
  /// What kept the times of messages from being written.
  public var timingFailure: ReplayError?
  /// A stop was requested before the end.
  public var isStopped = false
  /// It was asked to go on until it is stopped.
  public var isEndless = false
  /// Peers did not take everything within the linger.
  public var isCutShort = false
  /// How long the end could wait: shorter when it was stopped.
  public var lingerNanoseconds: Int64 = 0
  /// Endpoints of PUB sockets that nobody subscribed to: what went out there reached no one.
  public var endpointsWithoutPeer: [String] = []
  /// Endpoints of PUB sockets whose last subscriber was gone before the last message.
  public var endpointsLeft: [String] = []

  /// Recorded time over elapsed time; nil where one of them is zero, and where it was stepped.
  public var achievedRate: Double? {
    guard !isStepped, durationNanoseconds > 0, timelineNanoseconds > 0 else { return nil }
    return Double(timelineNanoseconds) / Double(durationNanoseconds)
  }

  /// Messages over elapsed time, as they are spaced: per second; nil where there are fewer than two.
  public var messagesPerSecond: Double? {
    guard !isStepped, durationNanoseconds > 0, messages > 1 else { return nil }
    return Double(messages - 1) / Double(durationNanoseconds) * 1e9
  }

  /// The same of bytes of frames: nothing is waited for behind the last message.
  public var bytesPerSecond: Double? {
    guard !isStepped, durationNanoseconds > 0, messages > 1 else { return nil }
    return Double(bytes - bytesOfLast) / Double(durationNanoseconds) * 1e9
  }

  public var isComplete: Bool {
    damages == 0 && messagesMissing == 0 && messagesRetired == 0 && !isCutShort
      && sources.allSatisfy(\.isComplete)
      && messagesDropped == 0 && peersDropped == 0 && lateness.lateCount == 0 && fieldsMissed == 0
      && (!isStopped || isEndless) && !isRecordingKilled
  }
}
