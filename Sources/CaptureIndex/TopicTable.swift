import CaptureStore
import Glibc

/// Topics by number: bytes to id without an allocation for a topic that is known.
///
/// Ids count from 1 in order of appearance. Id 0 stands for messages without a topic, the last id
/// for the topics that came after the limit was reached.
struct TopicTable {
  typealias ID = Int

  static let noTopic: ID = 0
  /// A capture with more distinct topics has something else in its first frame.
  static let countMax = 100_000
  static let overflow: ID = countMax + 1
  static let overflowName = Array("(more topics)".utf8)

  private var bytes: [UInt8] = []
  private var ranges: [Range<Int>] = [0..<0]
  /// Open addressing over ids; 0 is a free slot. The size is a power of two.
  private var slots = [Int32](repeating: 0, count: 1024)

  /// Topics that got an id of their own.
  var count: Int { ranges.count - 1 }

  /// The bytes of a topic.
  func name(of id: ID) -> [UInt8] {
    id == Self.overflow ? Self.overflowName : Array(bytes[ranges[id]])
  }

  /// Whether a topic, or none, has this id.
  @inline(__always)
  func isTopic(_ topic: RawSpan?, _ id: ID) -> Bool {
    guard let topic else { return id == Self.noTopic }
    return id != Self.noTopic && id <= count && isEqual(topic, ranges[id])
  }

  /// The id of a topic that has been seen and has one of its own; else nil.
  func known(_ topic: RawSpan) -> ID? {
    let id = Int(slots[slot(of: topic)])
    return id != 0 ? id : nil
  }

  /// The id of a topic, a new one when it has not been seen.
  mutating func id(of topic: RawSpan?) -> ID {
    guard let topic else { return Self.noTopic }
    let slot = slot(of: topic)
    if slots[slot] != 0 { return Int(slots[slot]) }
    guard count < Self.countMax else { return Self.overflow }
    let start = bytes.count
    for offset in 0..<topic.byteCount { bytes.append(topic.byte(at: offset)) }
    ranges.append(start..<bytes.count)
    slots[slot] = Int32(count)
    if count * 2 > slots.count { grow() }
    return count
  }

  /// Where a topic is, or would be.
  @inline(__always)
  private func slot(of topic: RawSpan) -> Int {
    var slot = Int(truncatingIfNeeded: hash(topic)) & (slots.count - 1)
    while slots[slot] != 0 && !isEqual(topic, ranges[Int(slots[slot])]) {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private func hash(_ topic: RawSpan) -> UInt64 {
    unsafe topic.withUnsafeBytes { unsafe contentHash($0) }
  }

  @inline(__always)
  private func isEqual(_ topic: RawSpan, _ range: Range<Int>) -> Bool {
    guard topic.byteCount == range.count else { return false }
    return unsafe bytes.withUnsafeBytes { known in
      unsafe topic.withUnsafeBytes { topic in
        guard let name = topic.baseAddress, let place = known.baseAddress else { return true }
        return unsafe memcmp(name, place + range.lowerBound, topic.count) == 0
      }
    }
  }

  private mutating func grow() {
    slots = [Int32](repeating: 0, count: slots.count * 4)
    for id in 1...count {
      let hash = unsafe bytes[ranges[id]].withUnsafeBytes { unsafe contentHash($0) }
      var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(id)
    }
  }
}
