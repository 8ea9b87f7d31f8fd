import ArgumentParser
import Glibc
import PayloadCodecs

/// What frames of some topics are, as the user says: `GLOB#FRAME=CODEC`.
struct CodecRule: ExpressibleByArgument {
  private let text: String
  private let glob: [UInt8]
  /// From 0.
  private let frame: Int
  let tag: CodecTag

  init?(argument: String) {
    text = argument
    // The glob may have a `#` or `=` of its own, a frame's number has neither.
    guard let mark = argument.lastIndex(of: "#", before: "=") else { return nil }
    let rest = argument[argument.index(after: mark)...]
    guard let equals = rest.firstIndex(of: "="), let frame = Int(rest[..<equals]), frame >= 0 else {
      return nil
    }
    let name = rest[rest.index(after: equals)...]
    guard !name.isEmpty else { return nil }
    glob = RawArguments.bytes(of: String(argument[..<mark]))
    self.frame = frame
    tag = CodecTag(rawValue: String(name))
  }

  /// Source: `fnmatch(3)`; a topic counts up to its first NUL.
  func matches(topic: [UInt8]?, frame: Int) -> Bool {
    guard frame == self.frame else { return false }
    let glob = self.glob.map(CChar.init(bitPattern:)) + [0]
    let topic = (topic ?? []).map(CChar.init(bitPattern:)) + [0]
    return fnmatch(glob, topic, 0) == 0
  }

  var defaultValueDescription: String { text }
}

extension String {
  /// The first `mark` behind which a number and `end` follow.
  fileprivate func lastIndex(of mark: Character, before end: Character) -> String.Index? {
    indices.first { index in
      guard self[index] == mark else { return false }
      let digits = self[self.index(after: index)...].prefix { $0 != end }
      return !digits.isEmpty && digits.allSatisfy(\.isASCII) && digits.allSatisfy(\.isNumber)
        && digits.endIndex < endIndex
    }
  }
}
