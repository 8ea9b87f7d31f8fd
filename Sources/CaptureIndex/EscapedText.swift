/// Bytes as a line of text, whatever they are: a backslash is `\\`, what is no printable text `\xNN`.
enum EscapedText {
  static func text(of bytes: [UInt8]) -> String {
    let text = String(validating: bytes, as: UTF8.self)
    var result = ""
    for scalar in text?.unicodeScalars ?? String.UnicodeScalarView(bytes.map(Unicode.Scalar.init)) {
      switch scalar {
      case "\\": result += "\\\\"
      case " "..."~": result.unicodeScalars.append(scalar)
      default:
        if text != nil && scalar.value >= 0xA0 {
          result.unicodeScalars.append(scalar)
        } else {
          for byte in text == nil ? [UInt8(scalar.value)] : Array(String(scalar).utf8) {
            result += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
          }
        }
      }
    }
    return result
  }

  /// nil where another character follows a backslash.
  static func bytes(of bytes: [UInt8]) -> [UInt8]? {
    var result: [UInt8] = []
    var rest = bytes[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        result.append(byte)
        continue
      }
      switch rest.popFirst() {
      case UInt8(ascii: "\\"): result.append(byte)
      case UInt8(ascii: "x"):
        let digits = String(decoding: rest.prefix(2), as: UTF8.self)
        guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return nil }
        result.append(value)
        rest = rest.dropFirst(2)
      default: return nil
      }
    }
    return result
  }
}
