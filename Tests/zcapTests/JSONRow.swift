import Foundation
import TestSupport

/// A JSON object on a line, with its fields in the order in which they were written.
struct JSONRow: Equatable, CustomStringConvertible {
  enum Value: Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral
  {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case integers([Int])
    case texts([String])
    case rows([JSONRow])

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .integer(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(arrayLiteral elements: Int...) { self = .integers(elements) }
  }

  let description: String
  /// Names in order.
  let names: [String]
  private let values: [String: Value]

  init(_ line: String) throws {
    description = line
    let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
    guard let dictionary = object as? [String: Any] else {
      throw TestFailure("not a JSON object: \(line)")
    }
    values = try dictionary.mapValues(Self.value)
    names = Self.topLevelNames(line)
    guard names.count == dictionary.count, Set(names) == Set(dictionary.keys) else {
      throw TestFailure("fields twice, or not understood: \(line)")
    }
  }

  /// The rows of a program's output; each line must be one.
  static func rows(_ output: String) throws -> [JSONRow] {
    try output.split(separator: "\n").map { try JSONRow(String($0)) }
  }

  subscript(name: String) -> Value? { values[name] }

  func text(_ name: String) -> String? {
    if case .text(let text)? = values[name] { text } else { nil }
  }

  func integer(_ name: String) -> Int? {
    if case .integer(let integer)? = values[name] { integer } else { nil }
  }

  func number(_ name: String) -> Double? {
    switch values[name] {
    case .integer(let integer)?: Double(integer)
    case .number(let number)?: number
    default: nil
    }
  }

  func integers(_ name: String) -> [Int]? {
    if case .integers(let integers)? = values[name] { integers } else { nil }
  }

  func texts(_ name: String) -> [String]? {
    if case .texts(let texts)? = values[name] { texts } else { nil }
  }

  func rows(_ name: String) -> [JSONRow]? {
    if case .rows(let rows)? = values[name] { rows } else { nil }
  }

  private static func value(_ any: Any) throws -> Value {
    switch any {
    case is NSNull: return .null
    case let text as String: return .text(text)
    case let integers as [Int]: return .integers(integers)
    case let texts as [String]: return .texts(texts)
    case let number as NSNumber:
      // On Linux a boolean is an NSNumber with the encoding of a C char.
      if String(cString: number.objCType) == "c" { return .bool(number.boolValue) }
      let integer = Int(truncatingIfNeeded: number.int64Value)
      return Double(integer) == number.doubleValue ? .integer(integer) : .number(number.doubleValue)
    case let objects as [[String: Any]]:
      return .rows(
        try objects.map { object in
          let data = try JSONSerialization.data(withJSONObject: object)
          return try JSONRow(String(decoding: data, as: UTF8.self))
        })
    default: throw TestFailure("a JSON value of an unexpected kind: \(any)")
    }
  }

  /// Strings that stand before a colon, one level deep.
  private static func topLevelNames(_ line: String) -> [String] {
    var names: [String] = []
    var depth = 0
    var isInString = false
    var isEscaped = false
    var text = ""
    for character in line {
      if isInString {
        if !isEscaped && character == "\"" {
          isInString = false
        } else {
          text.append(character)
        }
        isEscaped = !isEscaped && character == "\\"
        continue
      }
      switch character {
      case "\"":
        isInString = true
        text = ""
      case "{", "[": depth += 1
      case "}", "]": depth -= 1
      case ":" where depth == 1: names.append(text)
      default: break
      }
    }
    return names
  }
}
