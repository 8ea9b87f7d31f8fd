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
    /// The same, where the peers answer; what they answer is not looked at.
    case dealer
  }

  public enum Pace: Sendable, Equatable {
    /// Recorded time divided by this.
    case rate(Double)
    /// As fast as the peers take it.
    case max
    /// So many a second, evenly, whatever the recorded times are.
    case messagesPerSecond(Double)
    /// So many bytes of frames a second, whatever the recorded times are.
    case bytesPerSecond(Double)
  }

  /// What happens when the peers or the machine do not keep up with the timeline.
  public enum LatePolicy: String, CaseIterable, Sendable {
    /// Late messages go out at once, until the timeline is caught up with.
    case slip
    /// Messages that are later than `latenessMax` are not sent, and counted.
    case drop
    /// The rest of the timeline moves by as much: gaps are never shorter than they should be.
    case keepGaps = "keep-gaps"
  }

  /// What happens when a peer takes nothing for longer than `stallNanosecondsMax`.
  public enum StallPolicy: String, CaseIterable, Sendable {
    /// The replay ends.
    case fail
    /// The peer that takes nothing is disconnected, and the others go on.
    case dropPeer = "drop-peer"
  }

  public enum Alignment: String, CaseIterable, Sendable {
    /// Each where its clock had it: who recorded at the same time is replayed at the same time.
    case absolute
    /// All together, with their first messages.
    case start
  }

  /// Where the timeline's time is published, and how often.
  public struct Clock: Sendable {
    public var address: String
    public var messagesPerSecond: Double

    public init(address: String, messagesPerSecond: Double) {
      self.address = address
      self.messagesPerSecond = messagesPerSecond
    }
  }

  /// Another beginning for the first frame of messages: the one case in which a frame is rewritten.
  public struct TopicMapping: Hashable, Sendable {
    public var old: [UInt8]
    public var new: [UInt8]

    public init(old: [UInt8], new: [UInt8]) {
      self.old = old
      self.new = new
    }
  }

  public var routing: Routing
  public var kind = SocketKind.pub
  public var pace = Pace.rate(1)
  /// Where on one timeline several captures begin.
  public var alignment = Alignment.absolute
  /// How often the selection is sent; nil is without end.
  public var loops: Int? = 1
  /// Peers that every socket has before the first message goes out.
  public var peersAwaited = 0
  /// Others than PUB: some socket has a peer before that, for without one there is nobody to send to.
  public var awaitsAnyPeer = false
  /// How long to wait for them; nil is without limit.
  public var waitNanosecondsMax: Int64?
  /// PUB: prefixes that a subscriber of any socket has asked for before the first message goes out:
  /// for all of them, or for some that start so.
  public var topicsAwaited: [[UInt8]] = []
  /// Silences longer than this are played as if they were this long; nil keeps them.
  public var gapNanosecondsMax: Int64?
  public var late = LatePolicy.slip
  /// Nanoseconds behind its deadline from which a message counts as late; nil counts none.
  public var latenessMax: Int64?
  /// How long before a deadline the sending thread stops to sleep and spins. The system wakes a
  /// sleeper some tens of microseconds late; 0 saves the CPU time.
  public var spinNanoseconds: Int64 = 60_000
  /// Topics whose last earlier message is sent first wherever the replay begins or goes on in the
  /// middle: at the `from` of a selection, and after a seek.
  public var stateFirst: [[UInt8]] = []
  public var topicMappings: [TopicMapping] = []
  /// Times that are written into messages; each needs a copy of its frame.
  public var stamps: [FieldStamp] = []
  public var clock: Clock?
  /// Of a capture that is being recorded: each message leaves so long after it was recorded, and the
  /// end is that of the recording. What is older leaves at once. nil plays what is there.
  ///
  /// `pace` and `gapNanosecondsMax` do not count. Frames are copied, since a ring makes room.
  public var followNanoseconds: Int64?
  /// PUB: full peers lose messages, as with any PUB, and nobody counts them.
  public var isDropAllowed = false
  /// How long peers may take nothing; nil is without limit.
  public var stallNanosecondsMax: Int64?
  public var stall = StallPolicy.fail
  /// How long the end waits for peers to take what was sent.
  public var lingerNanoseconds: Int64 = 30_000_000_000

  /// Somebody may seek: what that needs is made ready before the clock starts.
  public var isControlled = false
  /// A CSV file that tells when each message was to leave and when it did.
  public var timingPath: String?
  /// The lateness of each topic is told.
  public var isByTopic = false

  /// Messages that may wait for each peer before the replay is held up. Frames are not copied, so
  /// this costs 64 bytes a frame, not their size; where some are, fewer large ones wait.
  public static let sendHighWaterMarkDefault = 10_000
  public var sendHighWaterMark = Self.sendHighWaterMarkDefault

  public init(routing: Routing) { self.routing = routing }

  /// Frames do not stay where they are until libzmq is done with them.
  var makesCopies: Bool { followNanoseconds != nil }

  /// Frames are copied, all of them or those that are written to.
  private var hasCopies: Bool { makesCopies || !topicMappings.isEmpty || !stamps.isEmpty }

  /// Bytes of copies that may wait for each peer, about.
  private static let copiesBytesMax: Int64 = 128 << 20
  /// Fewer would hold a replay up for nothing.
  private static let copiesMin: Int64 = 16
  /// Of messages whose size nobody knows yet.
  private static let copiesUnknownMax = 1_000

  /// Has no more messages wait than their copies may take memory, by the mean size of those that are
  /// there.
  mutating func limitCopies(ofMessages messages: Int64, bytes: Int64) {
    guard hasCopies else { return }
    var most = Self.copiesUnknownMax
    if messages > 0 {
      most = Int(max(Self.copiesMin, Self.copiesBytesMax / max(1, bytes / messages)))
    }
    sendHighWaterMark = min(sendHighWaterMark, most)
  }

  /// It never ends, and nothing but recorded time holds it back.
  var isEndlessByTime: Bool {
    guard case .rate = pace else { return false }
    return loops == nil && followNanoseconds == nil
  }
}
