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
  private let begun = CaptureClock.monotonicNanoseconds()

  private var segment: SegmentWriter?
  private var populatedEnd = 0
  private var spareEnd = 0
  private var lastEnd = 0
  private var lastTime = CaptureClock.monotonicNanoseconds()
  private var bytesPerSecond = 0.0
  private var thisSecond = Second(begun: CaptureClock.monotonicNanoseconds())
  private var lastSecond = Second(begun: 0)

  private struct Second {
    var begun: Int64
    var bytes = 0
  }

  /// How long the keeper may sleep: short while much is written.
  var intervalNanoseconds: Int64 {
    let isLearning = lastTime - begun < Self.learningNanoseconds
    return bytesPerSecond > 1e6 || isLearning ? 5_000_000 : 100_000_000
  }

  /// Throws where writing further into the active segment would end in SIGBUS.
  mutating func advance(_ active: SegmentWriter, next: SegmentWriter?) throws(StoreError) {
    let isNew = active !== segment
    if isNew {
      segment = active
      populatedEnd = spareEnd
      spareEnd = 0
      lastEnd = 0
    }
    measure(active.committedEnd.load(ordering: .acquiring), isNew: isNew)

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
    let spill = min(lastEnd + distance - active.capacity, next.capacity)
    if spareEnd < spill { next.bringPages(inBulk: isBulk) }
    while spareEnd < spill {
      let end = min(spareEnd + Self.stepSize, spill)
      try next.populate(spareEnd..<end, inBulk: isBulk)
      spareEnd = end
    }
  }

  /// Follows the writer's rate: up at once, down by a tenth a step, so that a burst finds its pages.
  private mutating func measure(_ end: Int, isNew: Bool) {
    let now = CaptureClock.monotonicNanoseconds()
    let seconds = max(Double(now - lastTime) / 1e9, 1e-4)
    if now - thisSecond.begun >= 1_000_000_000 {
      lastSecond = thisSecond
      thisSecond = Second(begun: now)
    }
    thisSecond.bytes += end - lastEnd
    if !isNew {
      let present = Double(end - lastEnd) / seconds
      bytesPerSecond = max(present, bytesPerSecond * 0.9)
      if bytesPerSecond < 1 { bytesPerSecond = 0 }
    }
    lastEnd = end
    lastTime = now
  }
}
