import CaptureStore

/// A number that a publisher counts up, as one topic of one endpoint shows it.
///
/// Numbers wrap at the width of their field. What is ahead by less than half of their range left
/// a gap; what is behind came late, or again, or from a publisher that began anew.
struct Counter: Hashable {
  /// Numbers that were jumped over and have not come since.
  struct Gap: Hashable {
    var first: UInt64
    var count: UInt64
    /// How many of them count as lost: the others are missing messages of the capture.
    var lost: UInt64
  }

  /// Gaps that are remembered: what comes later than that many gaps is told as a repeat.
  static let gapsMax = 64
  /// Farther behind than this nothing is late: the publisher began anew.
  static let lateMax: UInt64 = 1000

  let endpoint: Int
  let topic: TopicTable.ID
  /// The place in the list of rules.
  let rule: Int
  /// The newest number; nil while there is none.
  var last: UInt64?
  /// The capture's sequence of the message that had it.
  var lastSequence: UInt64 = 0
  /// A message was too short, and that has been told.
  var isUnreadable = false
  var gaps: [Gap] = []

  init(endpoint: Int, topic: TopicTable.ID, rule: Int) {
    self.endpoint = endpoint
    self.topic = topic
    self.rule = rule
  }

  /// What a number tells.
  enum Finding: Hashable {
    case next
    /// From `first` on, so many numbers did not come.
    case gap(first: UInt64, count: UInt64)
    case repeated
    /// It had been counted as lost, or not.
    case reordered(wasLost: Bool)
    case restart(last: UInt64)
  }

  /// Takes the next number. `mask` is the largest that the field can hold.
  mutating func take(_ value: UInt64, sequence: UInt64, mask: UInt64) -> Finding {
    guard let last else {
      self.last = value
      lastSequence = sequence
      return .next
    }
    let expected = (last &+ 1) & mask
    let ahead = (value &- expected) & mask
    if ahead == 0 {
      self.last = value
      lastSequence = sequence
      return .next
    }
    if value == last { return .repeated }
    let beginsAnew = value <= 1 && value < last
    if ahead < mask / 2 + 1 && !(beginsAnew && ahead > Self.lateMax) {
      self.last = value
      return .gap(first: expected, count: ahead)
    }
    if let wasLost = fill(value, mask: mask) { return .reordered(wasLost: wasLost) }
    guard beginsAnew || (last &- value) & mask > Self.lateMax else { return .repeated }
    self.last = value
    lastSequence = sequence
    gaps = []
    return .restart(last: last)
  }

  /// Remembers a gap, of which `lost` numbers count.
  mutating func remember(first: UInt64, count: UInt64, lost: UInt64) {
    if gaps.count == Self.gapsMax { gaps.removeFirst() }
    gaps.append(Gap(first: first, count: count, lost: lost))
  }

  /// Takes a number out of the gap that it belongs to; nil when there is none. Returns whether it
  /// had counted as lost.
  private mutating func fill(_ value: UInt64, mask: UInt64) -> Bool? {
    guard
      let index = gaps.lastIndex(where: { (value &- $0.first) & mask < $0.count })
    else { return nil }
    let gap = gaps.remove(at: index)
    let before = (value &- gap.first) & mask
    let lost = gap.lost > 0 ? gap.lost - 1 : 0
    let lostBehind = min(lost, gap.count - 1 - before)
    let rest = [
      Gap(first: gap.first, count: before, lost: lost - lostBehind),
      Gap(first: (value &+ 1) & mask, count: gap.count - 1 - before, lost: lostBehind),
    ].filter { $0.count > 0 }
    gaps.insert(contentsOf: rest, at: index)
    if gaps.count > Self.gapsMax { gaps.removeFirst() }
    return gap.lost > 0
  }

  /// The gaps as the index keeps them: first number, count and how many of them are lost.
  var storedGaps: String {
    gaps.map { "\($0.first) \($0.count) \($0.lost)" }.joined(separator: ",")
  }

  /// nil for what cannot be.
  static func gaps(stored text: String) -> [Gap]? {
    if text.isEmpty { return [] }
    let gaps = text.split(separator: ",").compactMap { part -> Gap? in
      let numbers = part.split(separator: " ").compactMap { UInt64($0) }
      return numbers.count == 3 && numbers[1] > 0
        ? Gap(first: numbers[0], count: numbers[1], lost: min(numbers[1], numbers[2])) : nil
    }
    return gaps.count == text.split(separator: ",").count && gaps.count <= gapsMax ? gaps : nil
  }
}
