import CaptureStore

/// Tells where in its recording each message of a capture is, by clocks that no one steps.
///
/// Within a boot the monotonic clock counts. From one boot to the next the real-time clocks bridge
/// the gap. It never runs backwards.
///
/// A message is at the same position wherever reading begins, within the boot of the reference: what
/// segments say of the real-time clock differs, by what passes between their two looks and by how that
/// clock was set meanwhile.
struct RecordingClock {
  /// Unix nanoseconds of position 0.
  private let origin: Int64
  /// The clocks of the segment that the recording begins in; nil where that is not known.
  private let reference: ClockPair?
  private var bootID: UInt128?
  private var segment: Segment?
  /// What to add to monotonic times of the present segment to get Unix nanoseconds.
  private var unixOffset: Int64 = 0
  /// What to add to monotonic times of the present boot.
  private var shift: Int64 = 0
  /// The position of the last message and when it was received; nil before the first one.
  private var last: (position: Int64, unix: Int64)?

  init(origin: Int64, reference: ClockPair? = nil) {
    self.origin = origin
    self.reference = reference
  }

  /// Nanoseconds from the beginning of the recording. The first message is where the reference has it,
  /// or, in another boot, the real-time clock.
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
    if last == nil, let reference, reference.bootID == clock.bootID {
      shift = reference.unixOffset &- origin
      return
    }
    let begin = last.map { $0.position &+ max(0, unix &- $0.unix) } ?? (unix &- origin)
    shift = begin &- record.monotonicNanoseconds
  }
}
