import ArgumentParser
import Glibc
import PayloadCodecs

/// What frames of some topics are, as the user says: `GLOB#FRAME=CODEC`.
struct CodecRule: ExpressibleByArgument {
  /// Ends with a NUL, as C wants it.
  private let glob: [CChar]
  /// From 0.
  private let frame: Int
  let tag: CodecTag

  init?(argument: String) {
    // The glob may have a `#` or `=` of its own, a frame's number has neither.
    guard let mark = argument.placeOfMark else { return nil }
    let rest = argument[argument.index(after: mark)...]
    guard let equals = rest.firstIndex(of: "="), let frame = Int(rest[..<equals]), frame >= 0 else {
      return nil
    }
    let name = rest[rest.index(after: equals)...]
    guard !name.isEmpty else { return nil }
    glob = Self.cString(RawArguments.bytes(of: String(argument[..<mark])))
    self.frame = frame
    tag = CodecTag(rawValue: String(name))
  }

  /// Source: `fnmatch(3)`; a topic counts up to its first NUL.
  func matches(topic: [UInt8]?, frame: Int) -> Bool {
    guard frame == self.frame else { return false }
    return fnmatch(glob, Self.cString(topic ?? []), 0) == 0
  }

  private static func cString(_ bytes: [UInt8]) -> [CChar] {
    bytes.map(CChar.init(bitPattern:)) + [0]
  }
}

extension String {
  /// Of the first `#` that a number and `=` follow.
  fileprivate var placeOfMark: Index? {
    indices.first { place in
      guard self[place] == "#" else { return false }
      let digits = self[index(after: place)...].prefix { $0 != "=" }
      return !digits.isEmpty && digits.allSatisfy { $0.isASCII && $0.isNumber }
        && digits.endIndex < endIndex
    }
  }
}
