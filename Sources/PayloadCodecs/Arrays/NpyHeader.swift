/// The beginning of a `.npy` file: NumPy's own format for one array.
///
/// Source: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
struct NpyHeader {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// Those of plain arrays have 118 bytes.
  private static let headerBytesMax = 4096
  private static let quotes = Array("'\"".utf8)
  private static let truth = Array("True".utf8)

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
      unsafe Array($0)
    }
    // All writers write their dictionary in ASCII, but for names of fields, which are not shown.
    guard text.first == UInt8(ascii: "{"), text.allSatisfy({ $0 < 0x80 }),
      let descr = Self.value(of: "descr", in: text),
      let order = Self.value(of: "fortran_order", in: text),
      let shape = Self.value(of: "shape", in: text).flatMap(Self.shape)
    else { return nil }
    let name = descr.dropFirst().prefix { !Self.quotes.contains($0) }
    typeName = String(decoding: name, as: UTF8.self)
    layout = ElementType(typeName).map {
      ArrayLayout($0, shape: shape, isFirstIndexFastest: order.starts(with: Self.truth))
    }
  }

  /// What follows a key of Python's dictionary; the writers put a space behind the colon.
  private static func value(of key: String, in text: [UInt8]) -> ArraySlice<UInt8>? {
    for quote in quotes {
      let name = [quote] + Array(key.utf8) + [quote, UInt8(ascii: ":")]
      guard let place = text.firstPlace(of: name) else { continue }
      return text[(place + name.count)...].drop { $0 == UInt8(ascii: " ") }
    }
    return nil
  }

  /// `(3, 4)`, `(3,)`, `()`.
  private static func shape(_ text: ArraySlice<UInt8>) -> [Int]? {
    guard text.first == UInt8(ascii: "("), let end = text.firstIndex(of: UInt8(ascii: ")")) else {
      return nil
    }
    let parts = text[(text.startIndex + 1)..<end].split(separator: UInt8(ascii: ","))
    var shape: [Int] = []
    for part in parts {
      let digits = part.filter { $0 != UInt8(ascii: " ") }
      if digits.isEmpty { continue }
      guard let size = Int(String(decoding: digits, as: UTF8.self)), size >= 0 else { return nil }
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

extension [UInt8] {
  /// Where a word stands first.
  fileprivate func firstPlace(of word: [UInt8]) -> Int? {
    guard count >= word.count else { return nil }
    return (0...count - word.count).first { start in
      word.indices.allSatisfy { self[start + $0] == word[$0] }
    }
  }
}

extension RawSpan {
  package func starts(with bytes: [UInt8]) -> Bool {
    byteCount >= bytes.count && bytes.indices.allSatisfy { byte(at: $0) == bytes[$0] }
  }

  func ends(with bytes: [UInt8]) -> Bool {
    let start = byteCount - bytes.count
    return start >= 0 && bytes.indices.allSatisfy { byte(at: start + $0) == bytes[$0] }
  }
}
