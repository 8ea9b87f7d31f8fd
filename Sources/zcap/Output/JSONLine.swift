import Foundation

/// One JSON object on one line, its fields in the order in which they were added.
///
/// `JSONEncoder` sorts fields or leaves their order open; the order here is part of the interface.
struct JSONLine {
  private var body = ""

  var text: String { "{\(body)}" }

  var isEmpty: Bool { body.isEmpty }

  mutating func add(_ name: String, _ value: String?) {
    addRaw(name, value.map(Self.quoted) ?? "null")
  }

  mutating func add(_ name: String, _ value: (some BinaryInteger)?) {
    addRaw(name, value.map { String($0) } ?? "null")
  }

  mutating func add(_ name: String, _ value: Bool) { addRaw(name, value ? "true" : "false") }

  /// `null` for what JSON cannot say.
  mutating func add(_ name: String, seconds: Double?, decimals: Int) {
    let value = seconds.flatMap { $0.isFinite ? $0 : nil }
    addRaw(name, value.map { Units.fixed($0, decimals) } ?? "null")
  }

  mutating func add(_ name: String, _ values: [Int]) {
    addRaw(name, "[\(values.map(String.init).joined(separator: ","))]")
  }

  mutating func add(_ name: String, _ values: [String]) {
    addRaw(name, "[\(values.map(Self.quoted).joined(separator: ","))]")
  }

  /// A field that something recorded has given its name.
  mutating func add(unknown name: String, _ value: String) {
    addRaw(Self.quoted(name).dropFirst().dropLast().description, Self.quoted(value))
  }

  mutating func add(unknown name: String, _ value: Int64) {
    addRaw(Self.quoted(name).dropFirst().dropLast().description, String(value))
  }

  /// A value that is JSON already.
  mutating func add(unknown name: String, json: some Collection<UInt8>) {
    addRaw(
      Self.quoted(name).dropFirst().dropLast().description, String(decoding: json, as: UTF8.self))
  }

  mutating func add(_ name: String, _ values: [JSONLine]) {
    addRaw(name, "[\(values.map(\.text).joined(separator: ","))]")
  }

  /// A topic: text, with `�` for what is not UTF-8 and then also as `topic_base64`.
  mutating func add(topic: [UInt8]?) {
    guard let topic else { return addRaw("topic", "null") }
    add("topic", String(decoding: topic, as: UTF8.self))
    if String(validating: topic, as: UTF8.self) == nil {
      add("topic_base64", Data(topic).base64EncodedString())
    }
  }

  private mutating func addRaw(_ name: String, _ value: String) {
    if !body.isEmpty { body += "," }
    body += "\"\(name)\":\(value)"
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\0"..."\u{1F}", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
