import CaptureStore

/// Looks at clocks and at the index once a second, and at every sleep of the recording loop.
struct LoopWatch {
  /// The loop slept this much longer than it asked to: the process was stopped, or the machine.
  static let pauseMin: Int64 = 1_000_000_000
  /// The time of day moved this far from the monotonic clock.
  static let stepMin: Int64 = 50_000_000
  /// The index is this far behind: so many seconds, or messages.
  static let lagSeconds = 10
  static let lagMessages: UInt64 = 5_000_000

  private static let second: Int64 = 1_000_000_000

  /// What the clocks say at one moment, in nanoseconds.
  struct Clocks {
    var monotonic: Int64
    var unix: Int64
    /// Goes on while the machine sleeps; the monotonic one does not.
    var boot: Int64

    static func now() -> Clocks {
      Clocks(
        monotonic: CaptureClock.monotonicNanoseconds(), unix: CaptureClock.unixNanoseconds(),
        boot: CaptureClock.bootNanoseconds())
    }
  }

  private var last: Clocks
  /// Messages recorded at each of the last seconds, the oldest first.
  private var counts: [UInt64] = []
  private var isLagTold = false

  init(_ clocks: Clocks) { last = clocks }

  /// Whether a look is due.
  func isDue(_ now: Int64) -> Bool { now - last.monotonic >= Self.second }

  /// Looks. Returns what there is to tell.
  mutating func look(_ clocks: Clocks, recorded: UInt64, indexed: UInt64) -> [StoredEvent] {
    var events: [StoredEvent] = []
    let suspended = (clocks.boot - clocks.monotonic) - (last.boot - last.monotonic)
    if suspended >= Self.pauseMin { events.append(Self.paused(suspended, at: clocks.monotonic)) }
    // A machine that slept has another time of day, which nobody has set.
    let step = (clocks.unix - clocks.monotonic) - (last.unix - last.monotonic) - suspended
    if abs(step) > Self.stepMin {
      events.append(
        StoredEvent(
          "clock_step", monotonicNanoseconds: clocks.monotonic,
          ["by_ms": .number(step / 1_000_000)]))
    }
    last = clocks
    if let lag = lag(recorded, indexed) {
      events.append(
        StoredEvent(
          "index_lag", monotonicNanoseconds: clocks.monotonic,
          ["messages": .number(Int64(clamping: lag))]))
    }
    return events
  }

  /// Once for each time that the index falls behind.
  private mutating func lag(_ recorded: UInt64, _ indexed: UInt64) -> UInt64? {
    defer {
      counts.append(recorded)
      if counts.count > Self.lagSeconds { counts.removeFirst() }
    }
    let behind = recorded > indexed ? recorded - indexed : 0
    let isLate = counts.count == Self.lagSeconds && indexed < counts[0]
    guard isLate || behind > Self.lagMessages else {
      // Over when it has what was there a second ago.
      if indexed >= counts.last ?? 0 { isLagTold = false }
      return nil
    }
    guard !isLagTold else { return nil }
    isLagTold = true
    return behind
  }

  /// What a sleep that was asked to end after so long tells by its end.
  static func pause(askedNanoseconds: Int64, from begun: Int64, to ended: Int64) -> StoredEvent? {
    let late = ended - begun - askedNanoseconds
    return late >= pauseMin ? paused(late, at: ended) : nil
  }

  private static func paused(_ nanoseconds: Int64, at now: Int64) -> StoredEvent {
    StoredEvent(
      "paused", monotonicNanoseconds: now, ["ms": .number(nanoseconds / 1_000_000)])
  }
}
