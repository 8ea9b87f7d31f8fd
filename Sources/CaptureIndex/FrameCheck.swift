import CaptureStore
import PayloadCodecs

/// What a frame of every message is held against, not of samples alone: arrays of several sizes share
/// a topic, and pictures with them.
///
/// It follows from the tags that are held, and from nothing that came before them: a walk that is
/// resumed finds what the one before would have found.
struct FrameCheck: Hashable, Sendable {
  let position: Int
  let kind: Kind

  enum Kind: Hashable, Sendable {
    /// An array has so many bytes.
    case byteCount(Int)
    /// A file begins with these.
    case mark([UInt8])
  }

  /// Whether the frame may still be what it is held for. One that is empty, or not there, may.
  func fits(_ record: RecordHeader, in segment: Segment) -> Bool {
    guard position < record.frameCount, let range = segment.frameRange(position, of: record),
      !range.isEmpty
    else { return true }
    switch kind {
    case .byteCount(let count): return range.count == count
    case .mark(let mark): return segment.bytes.extracting(range).starts(with: mark)
    }
  }
}

extension FrameTags {
  /// Frames whose meaning a header in front of them may change from message to message. What rules
  /// say changes never.
  func checks(ruled: [CodecTag?]) -> [FrameCheck] {
    tags.indices.compactMap { position in
      guard let tag = tags[position], position >= ruled.count || ruled[position] == nil else {
        return nil
      }
      if let count = tag.arrayByteCount {
        return FrameCheck(position: position, kind: .byteCount(count))
      }
      guard position > 0, let header = tags[position - 1],
        header == .json || header == .messagePack,
        let mark = tag.mark
      else { return nil }
      return FrameCheck(position: position, kind: .mark(mark))
    }
  }
}
