/// What a codec concluded from looking at a payload.
public struct Detection: Hashable, Sendable {
  public let tag: CodecTag
  public let confidence: Confidence

  public init(_ tag: CodecTag, _ confidence: Confidence) {
    self.tag = tag
    self.confidence = confidence
  }

  /// Whether it is said with it that this is a guess. Raw says no more than that nothing is known, and
  /// short words are text as well as anything.
  public var isDoubtful: Bool { confidence == .guess && tag != .raw && tag != .text }
}

/// How sure a detection is, from the least to the most.
///
/// The raw values are for storing; they never change.
public enum Confidence: Int, Comparable, CaseIterable, Sendable {
  /// Possible, and nothing better is known: as likely wrong as not.
  case guess = 1

  /// Another meaning would be a coincidence, or a part was not looked at.
  case likely = 2

  /// The whole payload was examined and obeys the format's specification to the letter.
  case certain = 3

  public static func < (left: Confidence, right: Confidence) -> Bool {
    left.rawValue < right.rawValue
  }
}
