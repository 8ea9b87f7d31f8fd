public import CaptureStore

/// How the topic of a message is derived from its frames.
///
/// A topic is bytes, a prefix of the first frame, so that it matches as ZeroMQ's subscriptions do.
/// A message may have none. Topics are interpretation: `zcap reindex --topic-rule` derives them
/// anew, and the recorded frames stay as they are.
public enum TopicRule: Hashable, Sendable {
  /// Of several frames the first one, unless it is a JSON object: then somebody sends a header
  /// and no topic. Of a single frame the text before its first space, if any.
  case auto
  /// The whole first frame.
  case frame
  /// What stands before the delimiter in the first frame; none where it does not occur.
  case delimiter([UInt8])
  /// The first bytes of the first frame, all of it where it is shorter.
  case prefix(Int)
  case none
}

extension TopicRule {
  /// Longer topics are cut here: what is longer is a payload that somebody put first.
  public static let topicSizeMax = 1024

  /// Where the topic of a message lies, as offsets in its segment; nil when it has none.
  public func topic(of message: RecordHeader, in segment: Segment) -> Range<Int>? {
    guard message.frameCount > 0, let frame = segment.frameRange(0, of: message),
      let size = topicSize(of: segment.bytes.extracting(frame), first: message.frameCount)
    else { return nil }
    return frame.lowerBound..<frame.lowerBound + size
  }

  /// Bytes of the topic at the start of a frame, the first of so many; nil when there is none.
  func topicSize(of frame: RawSpan, first frameCount: Int) -> Int? {
    let size = min(frame.byteCount, Self.topicSizeMax)
    return switch self {
    case .none: nil
    case .frame: size
    case .prefix(let count): min(size, count)
    case .delimiter(let delimiter): Self.size(before: delimiter, in: frame.extracting(first: size))
    case .auto where frameCount > 1: Self.isObject(frame) ? nil : size
    case .auto: Self.wordSize(frame.extracting(first: size))
    }
  }

  /// Bytes before the first occurrence of a delimiter.
  private static func size(before delimiter: [UInt8], in bytes: RawSpan) -> Int? {
    var start = 0
    while start + delimiter.count <= bytes.byteCount {
      var matched = 0
      while matched < delimiter.count && bytes.byte(at: start + matched) == delimiter[matched] {
        matched += 1
      }
      if matched == delimiter.count { return start }
      start += 1
    }
    return nil
  }

  /// Whether a frame looks like a JSON object from both ends.
  private static func isObject(_ bytes: RawSpan) -> Bool {
    bytes.byteCount >= 2 && bytes.byte(at: 0) == UInt8(ascii: "{")
      && bytes.byte(at: bytes.byteCount - 1) == UInt8(ascii: "}")
  }

  /// Bytes before the first space of a frame that starts with a word, as in `orders {"id": 1}`.
  ///
  /// A leading space belongs to the word (bluesky sends ` event ` and a pickle). What starts like
  /// JSON, or is no printable UTF-8 up to the space, is a payload and not a word.
  private static func wordSize(_ bytes: RawSpan) -> Int? {
    let space = UInt8(ascii: " ")
    var isASCII = true
    for offset in 0..<bytes.byteCount {
      let byte = bytes.byte(at: offset)
      if offset == 0 {
        if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "\"") {
          return nil
        }
      } else if byte == space {
        return isASCII || isText(bytes.extracting(0..<offset)) ? offset : nil
      }
      if byte < space || byte == 0x7F { return nil }
      if byte >= 0x80 { isASCII = false }
    }
    return nil
  }

  private static func isText(_ bytes: RawSpan) -> Bool {
    let copy = (0..<bytes.byteCount).map { bytes.byte(at: $0) }
    return String(validating: copy, as: UTF8.self) != nil
  }
}

extension TopicRule: CustomStringConvertible {
  /// The spelling on the command line and in the manifest.
  public var description: String {
    switch self {
    case .auto: "auto"
    case .frame: "frame"
    case .delimiter(let bytes): "delimiter:\(String(decoding: bytes, as: UTF8.self))"
    case .prefix(let count): "prefix:\(count)"
    case .none: "none"
    }
  }

  /// nil when the text is none of `auto`, `frame`, `delimiter:X`, `prefix:N`, `none`.
  public init?(_ text: String) {
    // By bytes: a delimiter may join with the colon to one character.
    let parts = text.utf8.split(separator: 0x3A, maxSplits: 1, omittingEmptySubsequences: false)
      .map { String($0) }
    switch (parts[0], parts.count > 1 ? parts[1] : nil) {
    case ("auto", nil): self = .auto
    case ("frame", nil): self = .frame
    case ("none", nil): self = .none
    case ("delimiter", let delimiter?) where !delimiter.isEmpty:
      self = .delimiter(Array(delimiter.utf8))
    case ("prefix", let digits?):
      guard let count = Int(digits), count > 0 else { return nil }
      self = .prefix(count)
    default: return nil
    }
  }
}

extension RawSpan {
  func byte(at offset: Int) -> UInt8 {
    precondition(offset >= 0 && offset < byteCount, "a byte of the span")
    return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
  }
}
