/// The type of an array's elements, as NumPy names it.
struct ElementType: Hashable, Sendable {
  enum Kind: Character, Sendable {
    case bool = "b"
    case signed = "i"
    case unsigned = "u"
    case float = "f"
    /// Two floats: the real part and the imaginary one.
    case complex = "c"
  }

  let kind: Kind
  /// Bytes of one element.
  let size: Int
  let isBigEndian: Bool

  private init?(_ kind: Kind, size: Int, isBigEndian: Bool = false) {
    guard Self.sizes(of: kind).contains(size) else { return nil }
    self.kind = kind
    self.size = size
    self.isBigEndian = isBigEndian && size > 1
  }

  private static func sizes(of kind: Kind) -> [Int] {
    switch kind {
    case .bool: [1]
    case .signed, .unsigned: [1, 2, 4, 8]
    case .float: [2, 4, 8]
    case .complex: [8, 16]
    }
  }

  /// - Parameter name: as `str(array.dtype)` or `array.dtype.str` spells it: `float32`, `<f4`, `|u1`.
  ///   `nil` for what is no number: text, dates, objects, records.
  init?(_ name: String) {
    if let known = Self.named[name] {
      self = known
      return
    }
    var rest = Substring(name)
    let order = rest.first.map { "<>|=".contains($0) } == true ? rest.removeFirst() : "="
    guard let kind = rest.popFirst().flatMap(Kind.init), let size = Int(rest),
      let type = ElementType(kind, size: size, isBigEndian: order == ">")
    else { return nil }
    self = type
  }

  private static let named: [String: ElementType] = {
    var types: [String: ElementType] = [:]
    for (word, kind) in [
      ("int", Kind.signed), ("uint", .unsigned), ("float", .float), ("complex", .complex),
    ] {
      for size in sizes(of: kind) {
        types["\(word)\(size * 8)"] = ElementType(kind, size: size)
      }
    }
    types["bool"] = ElementType(.bool, size: 1)
    return types
  }()

  /// `float32`; `>f4` where the bytes are in the other order.
  var name: String {
    if isBigEndian { return ">\(kind.rawValue)\(size)" }
    let bits = size * 8
    return switch kind {
    case .bool: "bool"
    case .signed: "int\(bits)"
    case .unsigned: "uint\(bits)"
    case .float: "float\(bits)"
    case .complex: "complex\(bits)"
    }
  }
}

/// One element of an array.
enum Element {
  case bool(Bool)
  case signed(Int64)
  case unsigned(UInt64)
  case half(Float)
  case float(Float)
  case double(Double)

  /// The number that this is; `nil` for a boolean.
  var number: Double? {
    switch self {
    case .bool: nil
    case .signed(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .half(let value), .float(let value): Double(value)
    case .double(let value): value
    }
  }

  func write(to output: inout JSONOutput, at offset: Int) throws(DecodingError) {
    switch self {
    case .bool(let value): try output.bool(value, at: offset)
    case .signed(let value): try output.integer(value, at: offset)
    case .unsigned(let value): try output.integer(value, at: offset)
    case .half(let value), .float(let value): try output.float(value, at: offset)
    case .double(let value): try output.double(value, at: offset)
    }
  }
}

extension RawSpan {
  /// A number of `size` bytes, which are within the span.
  func element(
    _ kind: ElementType.Kind, size: Int, isBigEndian: Bool, at offset: Int
  ) -> Element {
    let bits = bits(size: size, isBigEndian: isBigEndian, at: offset)
    switch (kind, size) {
    case (.bool, _): return .bool(bits != 0)
    case (.unsigned, _): return .unsigned(bits)
    case (.signed, _):
      let unused = 64 - 8 * size
      return .signed(Int64(bitPattern: bits << UInt64(unused)) >> Int64(unused))
    case (_, 2): return .half(Float(Float16(bitPattern: UInt16(bits))))
    case (_, 4): return .float(Float(bitPattern: UInt32(bits)))
    default: return .double(Double(bitPattern: bits))
    }
  }

  private func bits(size: Int, isBigEndian: Bool, at offset: Int) -> UInt64 {
    switch size {
    case 1: UInt64(byte(at: offset))
    case 2: UInt64(integer(load(UInt16.self, at: offset), isBigEndian))
    case 4: UInt64(integer(load(UInt32.self, at: offset), isBigEndian))
    default: integer(load(UInt64.self, at: offset), isBigEndian)
    }
  }

  private func integer<Value: FixedWidthInteger>(_ bits: Value, _ isBigEndian: Bool) -> Value {
    isBigEndian ? Value(bigEndian: bits) : Value(littleEndian: bits)
  }
}
