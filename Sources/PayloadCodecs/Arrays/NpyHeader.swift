/// The beginning of a `.npy` file: NumPy's own format for one array.
///
/// Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
struct NpyHeader {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// Those of plain arrays have 118 bytes.
  private static let headerBytesMax = 4096

  /// Bytes before the array.
  let byteCount: Int
  /// `nil` where the elements are no numbers.
  let layout: ArrayLayout?
  /// The type of the elements as the file spells it.
  let typeName: String

  /// `nil` where the bytes begin no such file.
  init?(_ payload: RawSpan) {
    guard payload.byteCount >= 10, payload.starts(with: Self.magic) else { return nil }
    let major = payload.byte(at: 6)
    guard (1...3).contains(major) else { return nil }
    let start = major == 1 ? 10 : 12
    let size: Int
    if major == 1 {
      guard let value = try? payload.integer(UInt16.self, at: 8) else { return nil }
      size = Int(value)
    } else {
      guard let value = try? payload.integer(UInt32.self, at: 8) else { return nil }
      size = Int(value)
    }
    guard size <= Self.headerBytesMax, payload.contains(size, at: start) else { return nil }
    byteCount = start + size
    let text = unsafe payload.extracting(start..<start + size).withUnsafeBytes {
      unsafe String(decoding: $0, as: UTF8.self)
    }
    guard let descr = Self.value(of: "descr", in: text),
      let order = Self.value(of: "fortran_order", in: text),
      let shape = Self.value(of: "shape", in: text).flatMap(Self.shape)
    else { return nil }
    let name = descr.dropFirst().prefix { $0 != "'" && $0 != "\"" }
    typeName = String(name)
    layout = ElementType(String(name)).map {
      ArrayLayout($0, shape: shape, isFirstIndexFastest: order.hasPrefix("True"))
    }
  }

  /// What follows a key of Python's dictionary; the writers put a space behind the colon.
  private static func value(of key: String, in text: String) -> Substring? {
    for quote in ["'", "\""] {
      let name = "\(quote)\(key)\(quote):"
      guard let place = text.firstPlace(of: name) else { continue }
      return text[place...].drop { $0 == " " }
    }
    return nil
  }

  /// `(3, 4)`, `(3,)`, `()`.
  private static func shape(_ text: Substring) -> [Int]? {
    guard text.first == "(", let end = text.firstIndex(of: ")") else { return nil }
    let parts = text[text.index(after: text.startIndex)..<end].split(separator: ",")
    var shape: [Int] = []
    for part in parts {
      let digits = part.filter { $0 != " " }
      if digits.isEmpty { continue }
      guard let size = Int(digits), size >= 0 else { return nil }
      shape.append(size)
    }
    return shape
  }
}

/// Shows a `.npy` file as ``ArrayDecoder`` shows its array.
public struct NpyDecoder: Decoder {
  public init() {}

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    guard let header = NpyHeader(payload) else {
      throw DecodingError(.malformed, at: 0, "no header of a .npy file")
    }
    guard let layout = header.layout else {
      throw DecodingError(
        .unsupported, at: 0, "elements of type \(header.typeName) are not shown")
    }
    try ArrayDecoder(layout, from: header.byteCount).decode(payload, to: &output)
  }
}

extension String {
  /// The index behind the first occurrence.
  fileprivate func firstPlace(of word: String) -> Index? {
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(word) { return rest.index(rest.startIndex, offsetBy: word.count) }
      rest = rest.dropFirst()
    }
    return nil
  }
}

extension RawSpan {
  func starts(with bytes: [UInt8]) -> Bool {
    byteCount >= bytes.count && bytes.indices.allSatisfy { byte(at: $0) == bytes[$0] }
  }

  func ends(with bytes: [UInt8]) -> Bool {
    let start = byteCount - bytes.count
    return start >= 0 && bytes.indices.allSatisfy { byte(at: start + $0) == bytes[$0] }
  }
}
