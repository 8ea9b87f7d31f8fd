/// The name of what a frame's bytes mean, as users see and write it: `json`, `text`.
///
/// A tag is stored in the index and printed by every command, so the spelling of a published tag
/// never changes. Any string is a tag: a capture may hold tags of a newer zcap.
public struct CodecTag: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: String

  public init(rawValue: String) {
    self.rawValue = rawValue
  }

  public var description: String { rawValue }
}

extension CodecTag {
  /// A frame of no bytes at all.
  public static let empty = CodecTag(rawValue: "empty")

  /// One JSON object or array.
  public static let json = CodecTag(rawValue: "json")

  /// Characters in UTF-8, of which ASCII is a part.
  public static let text = CodecTag(rawValue: "text")

  /// Bytes that nothing recognised.
  public static let raw = CodecTag(rawValue: "raw")
}
