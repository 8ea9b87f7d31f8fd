private import FoundationEssentials

/// A frame that tells what the next one is: the recipe of pyzmq's `send_array`, and of imagezmq.
///
///     {"dtype": "uint8", "shape": [480, 640, 3]}     then the bytes of the array
///
/// As JSON or MessagePack, whatever else the object has.
struct ArrayHeader {
  private static let headerBytesMax = 4096
  private static let word = Array("shape".utf8)

  private struct Fields: Decodable {
    var dtype: String
    var shape: [Int]
  }

  /// The layout that `header` gives to `payload`; `nil` where it is no such header, or the payload is
  /// not as long as it says.
  static func layout(of payload: RawSpan, after header: RawSpan) -> ArrayLayout? {
    guard header.byteCount <= headerBytesMax, header.contains(word),
      let json = json(of: header),
      let fields = try? JSONDecoder().decode(Fields.self, from: Data(json)),
      let type = ElementType(fields.dtype)
    else { return nil }
    let layout = ArrayLayout(type, shape: fields.shape)
    return layout.byteCount == payload.byteCount ? layout : nil
  }

  private static func json(of header: RawSpan) -> [UInt8]? {
    if header.byte(at: 0) == UInt8(ascii: "{") {
      return unsafe header.withUnsafeBytes { unsafe Array($0) }
    }
    var output = JSONOutput()
    guard (try? MessagePackDecoder().decode(header, to: &output)) != nil else { return nil }
    return output.bytes
  }
}

extension RawSpan {
  /// Whether these bytes are there in this order. For short spans.
  fileprivate func contains(_ word: [UInt8]) -> Bool {
    guard byteCount >= word.count else { return false }
    return (0...byteCount - word.count).contains { start in
      word.indices.allSatisfy { byte(at: start + $0) == word[$0] }
    }
  }
}
