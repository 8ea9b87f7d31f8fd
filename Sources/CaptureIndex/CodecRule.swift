public import CaptureStore
import Glibc
public import PayloadCodecs

/// What frames of some topics are, as the user says: `GLOB#FRAME=TAG`, such as
/// `imu/*#1=struct(<Id:seq,t)`.
public struct CodecRule: Hashable, Sendable {
  /// A pattern of `fnmatch(3)`: `*` fits a `/`, too.
  public var glob: [UInt8]
  /// From 0.
  public var frame: Int
  public var tag: CodecTag

  private static let frameMax = 65_535

  /// What is wrong with a text that is no rule.
  public struct Mistake: Error, Hashable, Sendable {
    public var reason: String
  }

  /// From the bytes of a command line. The glob may have a `#` or `=` of its own.
  public init(bytes: [UInt8]) throws(Mistake) {
    guard let mark = Self.placeOfMark(bytes) else {
      throw Mistake(reason: "it is a glob of topics, '#', the number of a frame, '=' and a codec")
    }
    let rest = bytes[(mark + 1)...]
    let equals = rest.firstIndex(of: UInt8(ascii: "="))!
    guard let frame = Int(String(decoding: rest[..<equals], as: UTF8.self)),
      frame <= Self.frameMax
    else { throw Mistake(reason: "frames count from 0 to \(Self.frameMax)") }
    let name = rest[(equals + 1)...]
    // Tags of the frames of a message are joined by bars, and rules are lines.
    guard let tag = String(validating: name, as: UTF8.self), !tag.isEmpty,
      !tag.unicodeScalars.contains(where: { $0 == "|" || $0.value < 0x20 })
    else { throw Mistake(reason: "a codec is a text without '|'") }
    glob = Array(bytes[..<mark])
    self.frame = frame
    self.tag = CodecTag(rawValue: tag)
  }

  /// From its description; nil where it is none.
  public init?(_ text: String) {
    guard let bytes = EscapedText.bytes(of: Array(text.utf8)) else { return nil }
    try? self.init(bytes: bytes)
  }

  /// Whether it is about a topic; that of messages without one is empty.
  ///
  /// Source: `fnmatch(3)`. A topic counts up to its first NUL.
  public func matches(topic: [UInt8]?) -> Bool {
    unsafe Self.cString(glob).withUnsafeBufferPointer { glob in
      unsafe Self.cString(topic ?? []).withUnsafeBufferPointer { topic in
        unsafe fnmatch(glob.baseAddress!, topic.baseAddress!, 0) == 0
      }
    }
  }

  private static func cString(_ bytes: [UInt8]) -> [CChar] {
    bytes.map(CChar.init(bitPattern:)) + [0]
  }

  /// Of the first `#` that a number and `=` follow.
  private static func placeOfMark(_ bytes: [UInt8]) -> Int? {
    bytes.indices.first { place in
      guard bytes[place] == UInt8(ascii: "#") else { return false }
      let digits = bytes[(place + 1)...].prefix {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
      }
      return !digits.isEmpty && digits.endIndex < bytes.endIndex
        && bytes[digits.endIndex] == UInt8(ascii: "=")
    }
  }
}

extension CodecRule: CustomStringConvertible {
  /// As it stands in the manifest: a backslash, and what is no text, are escaped: `\\` and `\xNN`.
  public var description: String {
    EscapedText.text(of: glob + Array("#\(frame)=\(tag)".utf8))
  }
}

extension [CodecRule] {
  /// Those of a manifest that this version understands.
  public init(_ manifest: Manifest) { self = (manifest.codecs ?? []).compactMap { CodecRule($0) } }

  /// A line each.
  var storedText: String { map(\.description).joined(separator: "\n") }

  /// nil where a line is no rule.
  init?(storedText: String) {
    let lines = storedText.split(separator: "\n")
    let rules = lines.compactMap { CodecRule(String($0)) }
    guard rules.count == lines.count else { return nil }
    self = rules
  }

  /// The tags that they give to the frames of a topic, up to the last one that the index tells apart; of
  /// several rules for a frame the first counts.
  func tags(ofTopic topic: [UInt8]?) -> [CodecTag?] {
    var tags: [CodecTag?] = []
    for rule in self where rule.frame < FrameTags.frameCountMax && rule.matches(topic: topic) {
      while tags.count <= rule.frame { tags.append(nil) }
      tags[rule.frame] = tags[rule.frame] ?? rule.tag
    }
    return tags
  }
}
