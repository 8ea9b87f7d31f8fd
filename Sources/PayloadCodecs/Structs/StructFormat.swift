/// A layout in the words of Python's `struct` module, with names where somebody gave them:
/// `<IdH:seq,ts,flags`.
///
/// Names are either one for each value, or one for each item: of `3f` either three or one, which is
/// that of an array then.
///
/// Source: Python's documentation of `struct`, "Format Strings". Native sizes and alignments are those
/// of a 64-bit Linux.
struct StructFormat: Hashable, Sendable {
  /// Values of a format; no struct of a program has nearly as many.
  private static let valuesMax = 65_536
  private static let bytesMax = 1 << 24

  enum Field: Hashable, Sendable {
    case number(ElementType.Kind, size: Int)
    /// A `char`: bytes of length 1.
    case character
    /// So many bytes that are a text.
    case text(Int)
    /// Of so many bytes the first is the length of what follows: Pascal's strings.
    case pascal(Int)
  }

  struct Item: Hashable, Sendable {
    var field: Field
    /// Values of this field, one behind the other.
    var count: Int
    /// Bytes from the start of the struct.
    var offset: Int
    /// One for each value, one for all of them, or none.
    var names: [String] = []
  }

  private(set) var items: [Item] = []
  /// Bytes of the whole.
  private(set) var byteCount = 0
  let isBigEndian: Bool
  /// Whether values have names.
  let isNamed: Bool

  /// `nil` where Python would refuse it, the names do not fit, or it has no value.
  init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var codes = Array(parts[0].utf8)[...]
    var isNative = true
    var isBigEndian = false
    if let order = codes.first, "@=<>!".utf8.contains(order) {
      codes.removeFirst()
      isNative = order == UInt8(ascii: "@")
      isBigEndian = order == UInt8(ascii: ">") || order == UInt8(ascii: "!")
    }
    self.isBigEndian = isBigEndian
    isNamed = parts.count == 2
    while true {
      // Between items, and not within one.
      codes = codes.drop { ASCII.isSpace($0) }
      if codes.isEmpty { break }
      guard addItem(&codes, isNative: isNative) else { return nil }
    }
    guard !items.isEmpty, items.reduce(0, { $0 + $1.count }) <= Self.valuesMax else { return nil }
    if isNamed, !give(names: parts[1].split(separator: ",", omittingEmptySubsequences: false)) {
      return nil
    }
  }

  private mutating func addItem(_ codes: inout ArraySlice<UInt8>, isNative: Bool) -> Bool {
    let digits = codes.prefix { ASCII.digits.contains($0) }
    codes = codes[digits.endIndex...]
    guard let code = codes.popFirst(), digits.count <= 8 else { return false }
    let count = digits.isEmpty ? 1 : Int(String(decoding: digits, as: UTF8.self)) ?? 0
    switch code {
    case UInt8(ascii: "x"): return grow(by: count)
    case UInt8(ascii: "s"): return add(.text(count), count: 1, size: count)
    case UInt8(ascii: "p"): return add(.pascal(count), count: 1, size: count)
    case UInt8(ascii: "c"): return add(.character, count: count, size: count)
    default:
      guard let (kind, size) = Self.number(code, isNative: isNative) else { return false }
      if isNative { byteCount = (byteCount + size - 1) / size * size }
      return add(.number(kind, size: size), count: count, size: count * size)
    }
  }

  private mutating func add(_ field: Field, count: Int, size: Int) -> Bool {
    // `0i` aligns and has no value.
    if count > 0 { items.append(Item(field: field, count: count, offset: byteCount)) }
    return grow(by: size)
  }

  private mutating func grow(by size: Int) -> Bool {
    byteCount += size
    return byteCount <= Self.bytesMax
  }

  private static func number(_ code: UInt8, isNative: Bool) -> (ElementType.Kind, Int)? {
    switch Character(UnicodeScalar(code)) {
    case "b": (.signed, 1)
    case "B": (.unsigned, 1)
    case "?": (.bool, 1)
    case "h": (.signed, 2)
    case "H": (.unsigned, 2)
    case "i": (.signed, 4)
    case "I": (.unsigned, 4)
    case "l": (.signed, isNative ? 8 : 4)
    case "L": (.unsigned, isNative ? 8 : 4)
    case "q": (.signed, 8)
    case "Q": (.unsigned, 8)
    case "n" where isNative: (.signed, 8)
    case "N" where isNative, "P" where isNative: (.unsigned, 8)
    case "e": (.float, 2)
    case "f": (.float, 4)
    case "d": (.float, 8)
    default: nil
    }
  }

  private mutating func give(names: [Substring]) -> Bool {
    let names = names.map { String($0.drop { $0 == " " }) }
    guard names.allSatisfy({ !$0.isEmpty }), Set(names).count == names.count else { return false }
    let values = items.reduce(0) { $0 + $1.count }
    guard names.count == values || names.count == items.count else { return false }
    var rest = names[...]
    for index in items.indices {
      let count = names.count == values ? items[index].count : 1
      items[index].names = Array(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    return true
  }
}

extension CodecTag {
  /// The layout that `struct(...)` names; `nil` where it is another tag, or no layout.
  var structFormat: StructFormat? { content(of: "struct").flatMap { StructFormat(String($0)) } }
}
