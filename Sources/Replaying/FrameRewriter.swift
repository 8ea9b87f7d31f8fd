/// Rewrites frames on their way out: topics that have another beginning, fields that hold a time.
struct FrameRewriter {
  /// Fields that were not written, since their frames end before them.
  private(set) var fieldsMissed = 0
  /// Whether the topic of a message fitted, by the numbers of the plan.
  private(set) var isStampUsed: [Bool]
  private(set) var isMappingUsed: [Bool]
  /// The frame that was rewritten last.
  private(set) var bytes: [UInt8] = []

  private let mappings: [ReplayPlan.TopicMapping]
  private let stamps: [FieldStamp]

  /// nil where no frame is ever rewritten.
  init?(_ plan: ReplayPlan) {
    if plan.topicMappings.isEmpty && plan.stamps.isEmpty { return nil }
    mappings = plan.topicMappings
    stamps = plan.stamps
    isStampUsed = stamps.map { _ in false }
    isMappingUsed = mappings.map { _ in false }
  }

  /// Makes `bytes` of a frame of a message; false where it stays as it is. `time` tells what a clock
  /// says of this message, in Unix nanoseconds.
  mutating func rewrite(
    _ number: Int, of frames: Span<UnsafeRawBufferPointer>, _ time: (FieldStamp.Clock) -> Int64
  ) -> Bool {
    let topic = unsafe frames[0]
    let mapping =
      number == 0 ? mappings.first { unsafe topic.starts(with: $0.old) } : nil
    let isStamped = stamps.contains { unsafe $0.frame == number && topic.starts(with: $0.prefix) }
    guard mapping != nil || isStamped else { return false }
    bytes.removeAll(keepingCapacity: true)
    unsafe bytes += frames[number]
    for stamp in stamps where stamp.frame == number {
      guard unsafe topic.starts(with: stamp.prefix), stamp.fits(bytes.count) else { continue }
      stamp.write(unixNanoseconds: time(stamp.clock), to: &bytes)
    }
    // Behind the stamps: their offsets are those of the frame as it was recorded.
    if let mapping { bytes.replaceSubrange(..<mapping.old.count, with: mapping.new) }
    return true
  }

  /// A message was sent.
  mutating func pass(_ frames: Span<UnsafeRawBufferPointer>) {
    if let mapping = mappings.firstIndex(where: { unsafe frames[0].starts(with: $0.old) }) {
      isMappingUsed[mapping] = true
    }
    for (index, stamp) in stamps.enumerated() {
      guard unsafe frames[0].starts(with: stamp.prefix) else { continue }
      isStampUsed[index] = true
      let isThere = unsafe stamp.frame < frames.count && stamp.fits(frames[stamp.frame].count)
      if !isThere { fieldsMissed += 1 }
    }
  }
}
