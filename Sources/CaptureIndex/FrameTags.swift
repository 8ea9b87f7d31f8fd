import CaptureStore
import PayloadCodecs

/// What the frames of one topic have meant from some message on, position by position.
///
/// Found by looking at samples: the first messages of a topic, then one in `sampleStride`, every frame
/// at a position where none was before, and every message that a ``FrameCheck`` refuses. A sample that
/// contradicts what was held starts a new era; the walk is the same live and in `zcap reindex`, and so
/// are the eras.
struct FrameTags: Hashable, Sendable {
  /// Frames behind this many are not looked at one by one; the tag then ends with `...`.
  static let frameCountMax = 16
  static let firstSamples = 8
  static let sampleStride: Int64 = 64
  /// A topic that changed this often is not asked again.
  static let erasMax = 1000
  /// Nor are the sizes of its arrays told any more when it changed this often: they are of any size.
  static let shapedErasMax = 200

  /// The tag of each position; never `empty`, which is a property of the single frame.
  private(set) var tags: [CodecTag?] = []
  /// How sure each is. A sample that makes one surer begins an era of the same tags.
  private(set) var confidences: [Confidence] = []

  init() {}

  /// Looks at the frames of one message. Returns whether anything held was changed. `ruled`: the tags
  /// that rules give to positions, which are not looked at. `keepsShapes`: arrays are told by their
  /// sizes, too.
  mutating func learn(
    from message: RecordHeader, in segment: Segment, registry: CodecRegistry,
    ruled: [CodecTag?] = [], keepsShapes: Bool = true
  ) -> Bool {
    var isChanged = false
    for position in 0..<min(message.frameCount, Self.frameCountMax) {
      if position == tags.count {
        tags.append(nil)
        confidences.append(.guess)
      }
      if position < ruled.count, let tag = ruled[position] {
        isChanged = isChanged || tags[position] != tag
        hold(Detection(tag, .certain), at: position)
        continue
      }
      guard let frame = segment.frame(position, of: message), !frame.isEmpty else { continue }
      let found = detection(of: frame, at: position, of: message, in: segment, registry)
      let detection =
        keepsShapes ? found : Detection(found.tag.withoutShape, found.confidence)
      if isNews(detection, at: position) {
        hold(detection, at: position)
        isChanged = true
      }
    }
    return isChanged
  }

  private mutating func hold(_ detection: Detection, at position: Int) {
    tags[position] = detection.tag
    confidences[position] = detection.confidence
  }

  private func isNews(_ detection: Detection, at position: Int) -> Bool {
    guard let held = tags[position] else { return true }
    if held == detection.tag { return detection.confidence > confidences[position] }
    // A guess does not displace what is held, but "none of them" refutes it.
    return detection.confidence > .guess || detection.tag == .raw
  }

  private func detection(
    of frame: RawSpan, at position: Int, of message: RecordHeader, in segment: Segment,
    _ registry: CodecRegistry
  ) -> Detection {
    guard position > 0, let header = segment.frame(position - 1, of: message) else {
      return registry.detect(frame)
    }
    return registry.detect(frame, after: header)
  }

  /// Whether every position of a message with this shape has been seen.
  func covers(_ shape: MessageShape) -> Bool {
    for position in 0..<min(shape.frameCount, Self.frameCountMax) where !shape.isEmpty(position) {
      if position >= tags.count || tags[position] == nil { return false }
    }
    return true
  }

  /// The tag of a message: those of its frames, joined by `|`.
  func tag(of shape: MessageShape) -> String {
    var parts: [String] = []
    for position in 0..<min(shape.frameCount, Self.frameCountMax) {
      let tag = shape.isEmpty(position) || position >= tags.count ? nil : tags[position]
      parts.append((tag ?? .empty).rawValue)
    }
    if shape.frameCount > Self.frameCountMax { parts.append("...") }
    return parts.joined(separator: "|")
  }

  /// One line for the index: tags by position, each with the mark of how sure it is, `-` where nothing was
  /// seen yet.
  var storedText: String {
    tags.indices.map { position in
      tags[position].map { $0.rawValue + confidences[position].mark(of: $0) } ?? "-"
    }.joined(separator: "|")
  }

  init(storedText: String) {
    guard !storedText.isEmpty else { return }
    for part in storedText.split(separator: "|", omittingEmptySubsequences: false) {
      let confidence = Confidence.allCases.first { $0.mark == part.last } ?? .certain
      let tag = CodecTag(rawValue: String(confidence == .certain ? part : part.dropLast()))
      tags.append(part == "-" ? nil : tag)
      confidences.append(part == "-" || tag == .raw ? .guess : confidence)
    }
  }
}

extension Confidence {
  /// What stands behind a tag in the index; nothing behind one that is certain.
  fileprivate var mark: Character? {
    switch self {
    case .guess: "?"
    case .likely: "~"
    case .certain: nil
    }
  }

  /// Raw is always a guess: it says that nothing is known, and nothing more of that.
  fileprivate func mark(of tag: CodecTag) -> String {
    tag == .raw ? "" : mark.map { String($0) } ?? ""
  }
}

/// How many frames a message has, and which of the first ones are empty.
struct MessageShape: Hashable, Sendable {
  /// Counts up to one more than are looked at.
  let frameCount: Int
  private let empties: UInt32

  init(_ message: RecordHeader, _ frames: Segment.FrameSummary) {
    frameCount = min(message.frameCount, FrameTags.frameCountMax + 1)
    empties = frames.empties & (1 << UInt32(FrameTags.frameCountMax) - 1)
  }

  func isEmpty(_ position: Int) -> Bool { empties & (1 << UInt32(position)) != 0 }
}
