import FoundationEssentials

/// The way to one value within a decoded message: `pose.x`, `items[0].name`, `"a.b, c"[2]`.
///
/// A name stands as it is, or between quotes where it has a dot, a comma, a bracket or a quote (which a
/// backslash goes before). A number between brackets counts from 0.
public struct FieldPath: Hashable, Sendable, CustomStringConvertible {
  private enum Step: Hashable, Sendable {
    case member(String)
    case element(Int)
  }

  private let steps: [Step]
  /// As it was written.
  public let description: String

  /// Paths with a comma between them, and spaces behind that; `nil` where that is no such text.
  public static func list(_ text: String) -> [FieldPath]? {
    var paths: [FieldPath] = []
    var rest = Substring(text)
    repeat {
      let start = rest
      guard let steps = steps(&rest) else { return nil }
      let written = start[..<rest.startIndex]
      paths.append(FieldPath(steps: steps, description: String(written)))
      guard let next = rest.popFirst() else { return paths }
      guard next == "," else { return nil }
      rest = rest.drop { $0 == " " }
    } while true
  }

  private static func steps(_ rest: inout Substring) -> [Step]? {
    var steps: [Step] = []
    while let next = rest.first, next != "," {
      if next == "[" {
        guard let step = element(&rest) else { return nil }
        steps.append(step)
        continue
      }
      if !steps.isEmpty, rest.removeFirst() != "." { return nil }
      guard let name = rest.first == "\"" ? quotedName(&rest) : plainName(&rest) else { return nil }
      steps.append(.member(name))
    }
    return steps.isEmpty ? nil : steps
  }

  private static func element(_ rest: inout Substring) -> Step? {
    rest.removeFirst()
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    rest = rest[digits.endIndex...]
    guard rest.popFirst() == "]" else { return nil }
    return Int(digits).map(Step.element)
  }

  private static func plainName(_ rest: inout Substring) -> String? {
    let name = rest.prefix { !".,[]\"".contains($0) }
    rest = rest[name.endIndex...]
    return name.isEmpty ? nil : String(name)
  }

  private static func quotedName(_ rest: inout Substring) -> String? {
    rest.removeFirst()
    var name = ""
    while let next = rest.popFirst() {
      if next == "\"" { return name }
      guard next == "\\" else {
        name.append(next)
        continue
      }
      guard let escaped = rest.popFirst(), "\\\"".contains(escaped) else { return nil }
      name.append(escaped)
    }
    return nil
  }

  /// The same inside a member of the document.
  public func inside(_ name: String) -> FieldPath {
    FieldPath(steps: [.member(name)] + steps, description: description)
  }

  /// Where the value stands in a document that ``JSONOutput`` wrote; `nil` where it has no such one. Of
  /// members with the same name the last counts, as with the libraries.
  public func place(in document: [UInt8]) -> Range<Int>? {
    var walk = JSONWalk(document)
    var place = document.indices
    for step in steps {
      walk.offset = place.lowerBound
      guard place.lowerBound < document.count, let next = walk.place(of: step) else { return nil }
      place = next
    }
    return place
  }

  /// Through JSON of our own writing, which is well-formed and has no spaces.
  private struct JSONWalk {
    private let bytes: [UInt8]
    var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func place(of step: Step) -> Range<Int>? {
      switch step {
      case .member(let name): bytes[offset] == ASCII.openingBrace ? member(name) : nil
      case .element(let index): bytes[offset] == ASCII.openingBracket ? element(index) : nil
      }
    }

    private mutating func member(_ name: String) -> Range<Int>? {
      var found: Range<Int>?
      while next(), bytes[offset] != ASCII.closingBrace {
        let start = offset
        skipString()
        let isIt = isString(bytes[start..<min(offset, bytes.count)], name)
        // The colon.
        offset += 1
        let value = skipValue()
        if isIt { found = value }
      }
      return found
    }

    private mutating func element(_ index: Int) -> Range<Int>? {
      var count = 0
      while next(), bytes[offset] != ASCII.closingBracket {
        let value = skipValue()
        if count == index { return value }
        count += 1
      }
      return nil
    }

    /// Goes over an opening bracket or a comma. Returns whether there is more.
    private mutating func next() -> Bool {
      if offset < bytes.count, bytes[offset] != ASCII.closingBrace,
        bytes[offset] != ASCII.closingBracket
      {
        offset += 1
      }
      return offset < bytes.count
    }

    private mutating func skipString() {
      offset += 1
      while offset < bytes.count, bytes[offset] != ASCII.quote {
        offset += bytes[offset] == ASCII.backslash ? 2 : 1
      }
      offset += 1
    }

    private mutating func skipValue() -> Range<Int> {
      let start = offset
      var depth = 0
      while offset < bytes.count {
        switch bytes[offset] {
        case ASCII.quote:
          skipString()
          continue
        case ASCII.openingBrace, ASCII.openingBracket: depth += 1
        case ASCII.closingBrace, ASCII.closingBracket:
          if depth == 0 { return start..<offset }
          depth -= 1
        case ASCII.comma where depth == 0: return start..<offset
        default: break
        }
        offset += 1
      }
      return start..<min(offset, bytes.count)
    }

    private func isString(_ json: ArraySlice<UInt8>, _ name: String) -> Bool {
      guard json.contains(ASCII.backslash) else {
        return json.dropFirst().dropLast().elementsEqual(name.utf8)
      }
      return (try? JSONDecoder().decode(String.self, from: Data(json))) == name
    }
  }
}
