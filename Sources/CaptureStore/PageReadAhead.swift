import Synchronization

/// Faults pages in ahead of the writer, as far as its present rate needs and no further.
///
/// A page fault taken by the writer costs it half its speed and more at large frames. Populating
/// far ahead of a slow writer has its own price: the disk gets every page twice.
struct PageReadAhead {
  /// How much of the future is kept populated.
  private static let horizonSeconds = 0.2
  private static let distanceMax = 64 << 20
  private static let stepSize = 4 << 20
  /// Where less is written in a second pages are brought one by one: each sync would write 2 MiB too
  /// much else. A second, since a camera that sends a picture now and then is slow, too.
  private static let bytesPerSecondMany = 32_000_000
  /// At first the rate is looked at more often: it may be any.
  private static let learningNanoseconds: Int64 = 1_000_000_000
  private let begun: Int64

  // Not kept: one that made room in a ring has its room for as long as somebody has it.
  private weak var segment: SegmentWriter?
  private var populatedEnd = 0
  private weak var spare: SegmentWriter?
  private var spareEnd = 0
  private var lastEnd = 0
  private var lastTime: Int64
  private var bytesPerSecond = 0.0
  private var thisSecond: Second
  private var lastSecond = Second(begun: 0)

  /// `now`: on the monotonic clock.
  init(now: Int64 = CaptureClock.monotonicNanoseconds()) {
    begun = now
    lastTime = now
    thisSecond = Second(begun: now)
  }

  private struct Second {
    var begun: Int64
    var bytes = 0
  }

  /// How long the keeper may sleep: short while much is written.
  var intervalNanoseconds: Int64 {
    let isLearning = lastTime - begun < Self.learningNanoseconds
    return bytesPerSecond > 1e6 || isLearning ? 5_000_000 : 100_000_000
  }

  /// Looks how far the writer is, and brings the pages that it needs next. `now`: on the monotonic
  /// clock.
  ///
  /// Throws where writing further into the active segment or into the next one would be SIGBUS.
  mutating func advance(
    _ active: SegmentWriter, next: SegmentWriter?,
    now: Int64 = CaptureClock.monotonicNanoseconds()
  ) throws(StoreError) {
    measure(active, now)
    if active !== segment {
      segment = active
      // Where the writer was faster, it is another one.
      populatedEnd = active === spare ? spareEnd : 0
    }

    let isBulk = max(thisSecond.bytes, lastSecond.bytes) >= Self.bytesPerSecondMany
    active.bringPages(inBulk: isBulk)
    let distance = min(Int(bytesPerSecond * Self.horizonSeconds), Self.distanceMax)
    let target = min(lastEnd + distance, active.capacity)
    populatedEnd = max(populatedEnd, lastEnd)
    while populatedEnd < target {
      let end = min(populatedEnd + Self.stepSize, target)
      try active.populate(populatedEnd..<end, inBulk: isBulk)
      populatedEnd = max(end, active.committedEnd.load(ordering: .acquiring))
    }
    // Near the end, the beginning of the next segment belongs to the same future.
    guard let next else { return }
    if next !== spare {
      spare = next
      spareEnd = 0
    }
    let spill = min(lastEnd + distance - active.capacity, next.capacity)
    if spareEnd < spill { next.bringPages(inBulk: isBulk) }
    while spareEnd < spill {
      let end = min(spareEnd + Self.stepSize, spill)
      try next.populate(spareEnd..<end, inBulk: isBulk)
      spareEnd = end
    }
  }

  /// Follows the writer's rate: up at once, down by a tenth a step, so that a burst finds its pages.
  private mutating func measure(_ active: SegmentWriter, _ now: Int64) {
    let end = active.committedEnd.load(ordering: .acquiring)
    let bytes = bytesWritten(to: end, of: active)
    let seconds = max(Double(now - lastTime) / 1e9, 1e-4)
    if now - thisSecond.begun >= 1_000_000_000 {
      lastSecond = thisSecond
      thisSecond = Second(begun: now)
    }
    // What was written since a look long ago was not written in one second.
    thisSecond.bytes += Int(Double(bytes) / max(seconds, 1))
    if segment != nil {
      bytesPerSecond = max(Double(bytes) / seconds, bytesPerSecond * 0.9)
      if bytesPerSecond < 1 { bytesPerSecond = 0 }
    }
    lastEnd = end
    lastTime = now
  }

  /// Since the last look. Small segments may have been filled in between, one after the other.
  private func bytesWritten(to end: Int, of active: SegmentWriter) -> Int {
    guard let segment, active !== segment else { return end - lastEnd }
    let skipped = Int(active.number - segment.number) - 1
    return segment.committedEnd.load(ordering: .acquiring) - lastEnd + skipped * active.capacity
      + end
  }
}
