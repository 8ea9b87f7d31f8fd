/// Numbers the topics of a replay in the order in which they are met, to tell their lateness apart.
///
/// Used by one thread at a time. Beyond `topicsMax` all that are new share a number.
final class TopicNumbers: @unchecked Sendable {
  /// A histogram of each is kept.
  static let topicsMax = 1_000

  /// By number; nil for messages without a topic.
  private(set) var names: [[UInt8]?] = []
  private var numbers: [[UInt8]?: Int32] = [:]

  func number(of topic: [UInt8]?) -> Int32 {
    if let number = numbers[topic] { return number }
    let number = Int32(names.count)
    guard number < Self.topicsMax else { return number }
    names.append(topic)
    numbers[topic] = number
    return number
  }
}
