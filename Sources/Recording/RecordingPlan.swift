public import CaptureIndex
public import CaptureStore

/// What to record, into which capture, and when to stop.
public struct RecordingPlan: Sendable {
  /// The path of the capture, where nothing is yet unless `isAppending`.
  public var capture: String
  /// Go on with the capture if it is there; what its recorder left open is recovered first.
  public var isAppending = false
  public var endpoints: [RecordedEndpoint]
  public var topicRule = TopicRule.auto
  /// Counters in the messages, by which losses are found.
  public var sequences: [SequenceRule] = []
  /// What frames are, whatever they look like.
  public var codecs: [CodecRule] = []
  /// Copied into the capture.
  public var schemas: [SchemaFile] = []
  public var labels: [String: String] = [:]
  /// Name and version of the program, for the manifest.
  public var recorder: String
  /// Of a ring: how much is kept. nil keeps everything, and of a ring that is gone on with as much
  /// as so far.
  public var keep: Retention?
  /// Of a ring: a message whose first frame starts with one of these makes a capture of the window
  /// around it. Those within a second are one trigger, whose window is a second longer; what comes
  /// later and while it lasts has its own as soon as it is over.
  public var triggerTopics: [[UInt8]] = []
  /// Nanoseconds before and behind what triggers, where that does not say others.
  public var triggerWindow = (before: Int64(60_000_000_000), after: Int64(30_000_000_000))
  public var segmentSize = CaptureWriter.segmentSizeDefault
  public var sync = SyncPolicy.standard
  public var freeSpaceMin = FreeSpaceMin.standard
  public var ioThreads = 1
  /// The CPUs that the recording thread (the first one) and libzmq's threads (the others, or the
  /// same where there is one) run on; none leaves that to the system.
  public var processors: [Int] = []

  /// Messages that libzmq may hold for each peer while the recorder is busy.
  ///
  /// A SUB socket never drops: when this many wait, it stops reading, TCP's buffers fill, and then
  /// the *publisher* drops. libzmq's own 1,000 is passed in a third of a millisecond of small
  /// messages; 20,000 and what TCP holds ride out 20 ms of them. The price is memory, when the
  /// recorder falls behind: 2.6 KiB for a message of 1 KiB, so 52 MiB for each peer.
  ///
  /// It stays what it is: a socket of libzmq 4.3 that is given another limit later may wait for
  /// ever.
  public static let receiveHighWaterMarkDefault = 20_000
  public var receiveHighWaterMark = Self.receiveHighWaterMarkDefault

  // The first of these that is reached ends the recording.
  public var durationNanosecondsMax: Int64?
  public var messagesMax: UInt64?
  /// Bytes of frames.
  public var bytesMax: UInt64?

  public init(capture: String, endpoints: [RecordedEndpoint], recorder: String) {
    self.capture = capture
    self.endpoints = endpoints
    self.recorder = recorder
  }
}

/// How a recording stands. Taken at any time from any thread.
public struct RecordingStatus: Sendable {
  public var elapsedNanoseconds: Int64
  public var messages: UInt64
  /// Bytes of frames.
  public var bytes: UInt64
  /// Messages too large for any record: received, and not in the capture.
  public var messagesRefused: UInt64
  /// By endpoint, in the order of the plan.
  public var messagesByEndpoint: [UInt64]
  /// Messages in the index so far.
  public var messagesIndexed: UInt64
  /// Messages that never came, by what counters tell of those that were indexed so far.
  public var messagesLost: UInt64
  /// Events that may hide a loss: see `zcap ls --events`.
  public var possibleLosses: UInt64
}

/// How a recording ended.
public struct RecordingSummary: Sendable {
  public enum Reason: String, Sendable {
    case stopped
    case duration
    case messages = "count"
    case bytes = "size"
    /// The store could not go on; `failure` says why.
    case failure
  }

  public var status: RecordingStatus
  /// As in the capture's event `ended`.
  public var reason: Reason
  public var segments: Int
  /// How long the recording thread took to go on in another one.
  public var rolls: RollTimes
  /// What kept the store from going on. What was recorded before is there.
  public var failure: String?
  /// What kept the capture from being sealed, all of it on stable storage. It reads as it is.
  public var sealFailure: String?
  /// What kept the index from being complete: `zcap reindex` makes it again.
  public var indexFailure: String?
  /// Messages were still arriving when the drain at the end was given up.
  public var isCutShort: Bool
  /// Events that may hide a loss, by their kinds.
  public var possibleLosses: [String: Int]
  /// Captures of windows of a ring, and those among them that could not be made.
  public var windows: Int
  public var windowsFailed: Int

  /// Whether everything that was received is in the capture, on stable storage, no counter tells of
  /// more, and no window is missing.
  public var isComplete: Bool {
    failure == nil && sealFailure == nil && !isCutShort
      && status.messagesRefused == 0 && status.messagesLost == 0
      && possibleLosses["sync_failed"] == nil && windowsFailed == 0
  }
}
