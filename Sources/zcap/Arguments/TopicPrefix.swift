import ArgumentParser
import Glibc

/// A topic prefix on the command line: any bytes, as the shell passed them.
struct TopicPrefix: ExpressibleByArgument {
  var bytes: [UInt8]

  init?(argument: String) { bytes = RawArguments.bytes(of: argument) }
}

/// The arguments of the process without loss: Swift's own repair what is not UTF-8.
///
/// A byte that is not part of a character travels as a private-use scalar, as Python does with
/// lone surrogates, so that the parser can work on strings.
enum RawArguments {
  /// 256 scalars near the end of Unicode's last private-use plane.
  private static let firstScalar: UInt32 = 0x10_FE00

  /// What to parse: the arguments without the name of the program.
  static func strings() -> [String] {
    (1..<max(1, Int(CommandLine.argc))).map { index in
      guard let argument = CommandLine.unsafeArgv[index] else { return "" }
      return string(of: Array(UnsafeBufferPointer(start: argument, count: strlen(argument))))
    }
  }

  private static func string(of bytes: [CChar]) -> String {
    let bytes = bytes.map(UInt8.init(bitPattern:))
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    var text = ""
    var rest = bytes[...]
    while let first = rest.first {
      let character = (1...4).lazy.compactMap { count in
        count <= rest.count ? String(validating: rest.prefix(count), as: UTF8.self) : nil
      }.first
      if let character {
        text += character
        rest = rest.dropFirst(character.utf8.count)
      } else {
        text.unicodeScalars.append(UnicodeScalar(firstScalar + UInt32(first))!)
        rest = rest.dropFirst()
      }
    }
    return text
  }

  /// The bytes that a string stands for.
  static func bytes(of text: String) -> [UInt8] {
    text.unicodeScalars.flatMap { scalar -> [UInt8] in
      let raw = scalar.value &- firstScalar
      return raw < 256 ? [UInt8(raw)] : Array(String(scalar).utf8)
    }
  }
}
