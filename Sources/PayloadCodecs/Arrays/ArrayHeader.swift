private import FoundationEssentials

/// A frame that tells what the next one is: the recipe of pyzmq's `send_array`, and of imagezmq.
///
///     {"dtype": "uint8", "shape": [480, 640, 3]}     then the bytes of the array
///
/// As JSON or MessagePack, whatever else the object has; but where it says that the first index moves fastest,
/// or how far apart elements are and that is not the usual, the array is no `ndarray(...)`, whose last one does.
struct ArrayHeader {
  private static let headerBytesMax = 4096
  private static let word = Array("shape".utf8)

  private struct Fields: Decodable {
    var dtype: String
    var shape: [Int]
    /// Whether nothing says that the elements lie otherwise than in C's order.
    var isUsualOrder: Bool
    var strides: [Int]?

    private enum Key: String, CodingKey {
      case dtype, shape, order, strides
      case isFortranOrder = "fortran_order"
    }

    init(from decoder: any Swift.Decoder) throws {
      let fields = try decoder.container(keyedBy: Key.self)
      dtype = try fields.decode(String.self, forKey: Key.dtype)
      shape = try fields.decode([Int].self, forKey: Key.shape)
      // Whatever else these are, others gave them their own meaning.
      let isFortran = try? fields.decode(Bool.self, forKey: Key.isFortranOrder)
      let order = try? fields.decode(String.self, forKey: Key.order)
      isUsualOrder = isFortran != true && order?.uppercased() != "F"
      strides = try? fields.decode([Int].self, forKey: Key.strides)
    }
  }

  /// The layout that `header` gives to `payload`; `nil` where it is no such header, or the payload is
  /// not as long as it says.
  static func layout(of payload: RawSpan, after header: RawSpan) -> ArrayLayout? {
    guard header.byteCount <= headerBytesMax, header.contains(word),
      let json = json(of: header),
      let fields = try? JSONDecoder().decode(Fields.self, from: Data(json)),
      let type = ElementType(fields.dtype), fields.isUsualOrder
    else { return nil }
    let layout = ArrayLayout(type, shape: fields.shape)
    guard layout.byteCount == payload.byteCount else { return nil }
    return fields.strides.map { $0 == layout.strides } ?? true ? layout : nil
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
