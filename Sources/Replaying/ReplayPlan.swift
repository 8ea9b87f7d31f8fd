public import CaptureIndex

/// What to replay, to where, and how fast.
public struct ReplayPlan: Sendable {
  /// An endpoint to send to.
  public struct Target: Hashable, Sendable {
    public var address: String
    /// Bound by the replay, or connected to.
    public var isBound: Bool

    public init(address: String, isBound: Bool) {
      self.address = address
      self.isBound = isBound
    }
  }

  /// Which socket a message goes out on.
  public enum Routing: Sendable {
    /// All messages on one socket.
    case single(Target)
    /// One socket for each recorded endpoint named here; messages of others are not sent.
    case byEndpoint([(recorded: String, target: Target)])
  }

  public enum SocketKind: String, CaseIterable, Sendable {
    /// To every subscriber of the topic.
    case pub
    /// To one of the peers in turn.
    case push
  }

  public enum Pace: Sendable, Equatable {
    /// Recorded time divided by this.
    case rate(Double)
    /// As fast as the peers take it.
    case max
  }

  public var routing: Routing
  public var kind = SocketKind.pub
  public var pace = Pace.rate(1)
  public var selection = Selection()
  /// How often the selection is sent; nil is without end.
  public var loops: Int? = 1
  /// Peers that every socket has before the first message goes out.
  public var peersAwaited = 0
  /// How long to wait for them; nil is without limit.
  public var waitNanosecondsMax: Int64?
  /// How long the end waits for peers to take what was sent.
  public var lingerNanoseconds: Int64 = 30_000_000_000

  /// Messages that may wait for each peer before the replay is held up. Frames are not copied, so
  /// this costs 64 bytes a frame, not their size.
  public static let sendHighWaterMarkDefault = 10_000
  public var sendHighWaterMark = Self.sendHighWaterMarkDefault

  public init(routing: Routing) { self.routing = routing }
}

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
  /// While waiting: the fewest peers that a socket has.
  public var peers: Int
}

/// How a replay ended.
public struct ReplaySummary: Sendable {
  public var messages: UInt64 = 0
  /// Bytes of frames.
  public var bytes: UInt64 = 0
  /// From the first message's deadline to the last message sent.
  public var durationNanoseconds: Int64 = 0
  /// The same span in the recording.
  public var timelineNanoseconds: Int64 = 0
  /// How long full peers held the replay up.
  public var heldNanoseconds: Int64 = 0
  /// The latest that a message went out behind its deadline; 0 at full speed.
  public var latenessNanosecondsMax: Int64 = 0
  /// Places of the capture that could not be read: records, or what is left of a segment.
  public var damages = 0
  /// Messages that the index knows and that are not there any more: they were not sent.
  public var messagesMissing: Int64 = 0
  /// Messages of a ring that made room for newer ones before they were read.
  public var messagesRetired: Int64 = 0
  /// What the capture lacks in the span of the selection.
  public var source = Completeness()
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

  /// Recorded time over elapsed time; nil where one of them is zero.
  public var achievedRate: Double? {
    guard durationNanoseconds > 0, timelineNanoseconds > 0 else { return nil }
    return Double(timelineNanoseconds) / Double(durationNanoseconds)
  }

  public var isComplete: Bool {
    damages == 0 && messagesMissing == 0 && messagesRetired == 0 && source.isComplete && !isCutShort
      && (!isStopped || isEndless)
  }
}

/// Why a replay could not start or go on.
public enum ReplayError: Error, CustomStringConvertible, Sendable {
  case nothingSelected(capture: String)
  /// All of it was selected.
  case nothingThere(capture: String, reason: String)
  case unknownEndpoint(address: String, known: [String])
  case peersMissing(found: Int, wanted: Int, seconds: Double)
  case unreadable(reason: String)

  public var description: String {
    switch self {
    case .nothingSelected(let capture):
      "\(capture): no message matches the selection; `zcap ls \(capture)` shows what is there"
    case .nothingThere(let capture, let reason):
      "\(capture): \(reason)"
    case .unknownEndpoint(let address, let known):
      "\(address): not an endpoint of the capture; it has \(known.joined(separator: ", "))"
    case .peersMissing(let found, let wanted, let seconds):
      "only \(found) of \(wanted) subscribers came within \(seconds) s; nothing was sent"
    case .unreadable(let reason):
      "reading ahead failed: \(reason)"
    }
  }
}
