import CaptureIndex
import CaptureStore

/// Tells where in its recording each message of a capture is, by clocks that no one steps.
///
/// Within a boot the monotonic clock counts. From one boot to the next the real-time clocks bridge
/// the gap. It never runs backwards.
///
/// A message is at the same position wherever reading begins, in boots whose offsets are known: what
/// segments say of the real-time clock differs, by what passes between their two looks and by how that
/// clock was set meanwhile.
struct RecordingClock {
  /// Unix nanoseconds of position 0.
  private let origin: Int64
  private let offsets: BootOffsets
  private var bootID: UInt128?
  private var segment: Segment?
  /// What to add to monotonic times of the present segment to get Unix nanoseconds.
  private var unixOffset: Int64 = 0
  /// What to add to monotonic times of the present boot.
  private var shift: Int64 = 0
  /// The position of the last message and when it was received; nil before the first one.
  private var last: (position: Int64, unix: Int64)?

  init(origin: Int64, offsets: BootOffsets = BootOffsets()) {
    self.origin = origin
    self.offsets = offsets
  }

  /// Nanoseconds from the beginning of the recording. In a boot whose offset is not known, the first message
  /// is where the real-time clock has it.
  @inline(__always)
  mutating func position(of record: RecordHeader, in segment: Segment) -> Int64 {
    if segment !== self.segment { enter(segment, with: record) }
    let monotonic = record.monotonicNanoseconds
    let position = max(last?.position ?? .min, monotonic &+ shift)
    last = (position, monotonic &+ unixOffset)
    return position
  }

  private mutating func enter(_ segment: Segment, with record: RecordHeader) {
    let clock = segment.header.clock
    self.segment = segment
    unixOffset = clock.unixOffset
    guard bootID != clock.bootID else { return }
    bootID = clock.bootID
    let unix = record.monotonicNanoseconds &+ unixOffset
    if let offset = offsets[clock.bootID] {
      shift = offset &- origin
      return
    }
    let begin = last.map { $0.position &+ max(0, unix &- $0.unix) } ?? (unix &- origin)
    shift = begin &- record.monotonicNanoseconds
  }
}

/// What to add to monotonic times of each boot of a recording to get nanoseconds of one clock: the real-time
/// clock as it was when the recording began, going on as the monotonic one does, and from one boot to the
/// next as the real-time one did, but not backwards.
struct BootOffsets {
  private var offsets: [UInt128: Int64] = [:]

  init() {}

  /// Finds the boots of a capture, from the first message of a recording on. Throws `IndexError`.
  init(_ first: RecordedMessage, _ search: BlockSearch) throws {
    var clock = first.segment.header.clock
    var offset = clock.unixOffset
    var sequence = first.record.sequence
    while true {
      offsets[clock.bootID] = offset
      let last = try search.last { [offsets] segment, record in
        record.sequence > sequence && offsets[segment.header.clock.bootID] == nil
      }
      guard let last, let next = try search.next(after: last),
        offsets[next.segment.header.clock.bootID] == nil
      else { return }
      clock = next.segment.header.clock
      let wentBack = max(0, last.times.upperBound &- next.times.lowerBound)
      offset &+= clock.unixOffset &- last.segment.header.clock.unixOffset &+ wentBack
      sequence = next.record.sequence
    }
  }

  subscript(bootID: UInt128) -> Int64? { offsets[bootID] }
}
