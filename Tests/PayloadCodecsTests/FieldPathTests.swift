import Foundation
import PayloadCodecs
import Testing

@Suite struct FieldPathTests {
  private static let document =
    #"{"a":1,"b":{"c":[true,{"d":"x,]}\"y"},[]],"":null},"e.f":2,"g\"\\":3,"h":{},"\u0080":4,"a":5,"#
    + #""i":[],"j":[[1,2],[3]]}"#

  private func value(_ path: String, in document: String = document) throws -> String? {
    let paths = try #require(FieldPath.list(path))
    #expect(paths.count == 1 && paths[0].description == path)
    let bytes = Array(document.utf8)
    return paths[0].place(in: bytes).map { String(decoding: bytes[$0], as: UTF8.self) }
  }

  @Test(arguments: [
    ("a", "5"), ("b.c[0]", "true"), ("b.c[1].d", #""x,]}\"y""#), ("b.c[2]", "[]"),
    ("\"e.f\"", "2"), (#""g\"\\""#, "3"), ("h", "{}"), ("\u{80}", "4"), ("j[0][1]", "2"),
    ("j[1]", "[3]"), (#"b."""#, "null"), (#"b"#, #"{"c":[true,{"d":"x,]}\"y"},[]],"":null}"#),
  ])
  func aPathLeadsToItsValue(path: String, expected: String) throws {
    #expect(try value(path) == expected)
  }

  @Test(arguments: [
    "x", "a.b", "a[0]", "b.c[3]", "b.c.d", "i[0]", "h.x", "[0]", "e.f", "j[1][1]",
    "j[99999999]",
  ])
  func whatIsNotThereHasNoPlace(path: String) throws {
    #expect(try value(path) == nil)
  }

  @Test func theWholeMayBeAnArrayOrNoContainer() throws {
    #expect(try value("[1].a", in: #"[0,{"a":7}]"#) == "7")
    for document in ["", "7", "\"text\"", "null", "[]", "{}"] {
      #expect(try value("a", in: document) == nil)
      #expect(try value("[0]", in: document) == nil)
    }
  }

  @Test func aListHasCommas() throws {
    let paths = try #require(FieldPath.list(#"a.b,"c,d"[0],[2]"#))
    #expect(paths.map(\.description) == ["a.b", #""c,d"[0]"#, "[2]"])
  }

  @Test(arguments: [
    "", ",", "a,", ",a", "a..b", ".a", "a.", "a[", "a[]", "a[x]", "a[-1]", "a[1", "a]", "\"a",
    "a\"",
    "a[0]b", "\"a\"b", #""\x""#, "a[99999999999999999999]",
  ])
  func whatIsNoneIsRefused(text: String) {
    #expect(FieldPath.list(text) == nil)
  }

  /// Held against Foundation, on documents of every shape.
  @Test func itFindsWhatAParserFinds() throws {
    var generator = SystemRandomNumberGenerator()
    func made(_ depth: Int) -> Any {
      switch Int.random(in: 0...(depth > 3 ? 2 : 4), using: &generator) {
      case 0: return Int.random(in: -9...9, using: &generator)
      case 1: return ["", "a", "\"", "}", "\\", "é\u{81}", ","].randomElement()!
      case 2: return NSNull()
      case 3: return (0..<Int.random(in: 0...3, using: &generator)).map { _ in made(depth + 1) }
      default:
        return Dictionary(
          uniqueKeysWithValues: ["a", "b.c", "\"", "é"].prefix(Int.random(in: 0...4)).map {
            ($0, made(depth + 1))
          })
      }
    }
    func check(_ value: Any, _ path: String, _ document: [UInt8]) throws {
      if !path.isEmpty {
        let found = try #require(FieldPath.list(path)).first?.place(in: document)
        let text = document[try #require(found)]
        let parsed = try JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
        #expect((parsed as? NSObject) == (value as? NSObject), "\(path)")
      }
      if let members = value as? [String: Any] {
        for (name, member) in members {
          let quoted =
            "\"\(name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
          try check(member, path.isEmpty ? quoted : "\(path).\(quoted)", document)
        }
      } else if let elements = value as? [Any] {
        for (index, element) in elements.enumerated() {
          try check(element, "\(path)[\(index)]", document)
        }
      }
    }
    for _ in 0..<200 {
      let value = made(0)
      let text = try JSONSerialization.data(
        withJSONObject: value, options: [.fragmentsAllowed, .withoutEscapingSlashes])
      try check(value, "", Array(text))
    }
  }
}
