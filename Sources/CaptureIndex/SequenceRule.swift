import CaptureStore

/// Where the messages of some topics carry a counter, so that its gaps tell what was lost on the
/// way: `PREFIX:frame=1:offset=0:u32le`.
///
/// A subscriber cannot see what its publisher dropped; a number that the publisher counts up by one
/// for each message of a topic shows it; with `:shared` behind the rule, one that it counts up for each
/// message of any of them.
public struct SequenceRule: Hashable, Sendable {
  /// Topics that start with this; no bytes are every message, with a topic or without.
  public var prefix: [UInt8]
  /// From 0; from -1 backwards, counted from the last frame.
  public var frame: Int
  /// Bytes from the start of the frame.
  public var offset: Int
  /// Bytes of the number: 1, 2, 4 or 8.
  public var width: Int
  public var isBigEndian: Bool
  /// One counter for all topics of an endpoint that the prefix fits; else each topic has its own.
  public var isShared = false

  /// The largest value.
  var mask: UInt64 { width == 8 ? .max : (1 << UInt64(width * 8)) - 1 }

  /// The number in a message; nil when the message has no such bytes.
  func value(of record: RecordHeader, in segment: Segment) -> UInt64? {
    let index = frame < 0 ? record.frameCount + frame : frame
    guard index >= 0, index < record.frameCount,
      let range = segment.frameRange(index, of: record),
      range.count >= width, offset <= range.count - width
    else { return nil }
    let bytes = segment.bytes.extracting(range).extracting(offset..<offset + width)
    var value: UInt64 = 0
    for position in 0..<width {
      let byte = UInt64(bytes.byte(at: isBigEndian ? position : width - 1 - position))
      value = value << 8 | byte
    }
    return value
  }
}

extension SequenceRule: CustomStringConvertible {
  private static let types: [(name: String, width: Int, isBigEndian: Bool)] = [
    ("u8", 1, false), ("u16le", 2, false), ("u16be", 2, true), ("u32le", 4, false),
    ("u32be", 4, true), ("u64le", 8, false), ("u64be", 8, true),
  ]
  private static let frames = -65_535...65_535
  private static let offsets = 0...(1 << 32)

  /// The spelling on the command line and in the manifest. Of the prefix, a backslash and what is
  /// no text are escaped: `\\` and `\xNN`.
  public var description: String {
    let type = Self.types.first { $0.width == width && $0.isBigEndian == isBigEndian }
    return "\(EscapedText.text(of: prefix)):frame=\(frame):offset=\(offset):\(type?.name ?? "u8")"
      + (isShared ? ":shared" : "")
  }

  /// What is wrong with a text that is no rule.
  public struct Mistake: Error, Hashable, Sendable {
    public var reason: String
  }

  /// nil when the text is no rule.
  public init?(_ text: String) { try? self.init(bytes: Array(text.utf8)) }

  /// The same from the bytes of a command line. The prefix may contain colons.
  public init(bytes: [UInt8]) throws(Mistake) {
    var parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    if let last = parts.last, last.elementsEqual("shared".utf8) {
      isShared = true
      parts.removeLast()
    }
    guard parts.count >= 4 else {
      throw Mistake(reason: "it has four parts: a prefix, frame=N, offset=N and a type")
    }
    let (frameText, offsetText, typeText) = (
      parts[parts.count - 3], parts[parts.count - 2], parts[parts.count - 1]
    )
    guard let type = Self.types.first(where: { typeText.elementsEqual($0.name.utf8) }) else {
      let names = Self.types.map(\.name).joined(separator: ", ")
      throw Mistake(reason: "\(Self.quoted(typeText)) is no type; there are \(names)")
    }
    guard let offset = Self.number(offsetText, "offset="), Self.offsets.contains(offset) else {
      throw Mistake(reason: "\(Self.quoted(offsetText)) should be offset=N, N from 0 on")
    }
    guard let frame = Self.number(frameText, "frame="), Self.frames.contains(frame) else {
      throw Mistake(
        reason: "\(Self.quoted(frameText)) should be frame=N, N from 0, or from -1 at the end")
    }
    guard let prefix = EscapedText.bytes(of: Array(parts.dropLast(3).joined(separator: [0x3A])))
    else {
      throw Mistake(reason: "in its prefix, a backslash is written \\\\ and a byte \\xNN")
    }
    self.prefix = prefix
    self.frame = frame
    self.offset = offset
    width = type.width
    isBigEndian = type.isBigEndian
  }

  private static func quoted(_ part: ArraySlice<UInt8>) -> String {
    "'\(String(decoding: part, as: UTF8.self))'"
  }

  private static func number(_ part: ArraySlice<UInt8>, _ name: String) -> Int? {
    part.starts(with: name.utf8)
      ? Int(String(decoding: part.dropFirst(name.utf8.count), as: UTF8.self)) : nil
  }
}
