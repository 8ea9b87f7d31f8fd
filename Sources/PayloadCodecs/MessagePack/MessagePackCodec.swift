/// Recognises one MessagePack map, array or string that ends where the payload does.
///
/// The format has no mark, and a byte of it is a value more often than not. So what is asked for
/// besides is what payloads of people have:
///
/// - Numbers, booleans, nil, bytes and extensions at the top level are raw: so is any small number of
///   any program. An empty container is one byte, and raw too.
/// - All strings must be UTF-8, as the specification demands.
/// - What is text is no MessagePack.
///
/// | at the top level | confidence |
/// |---|---|
/// | map of which all keys are strings | certain |
/// | other map, array, string with a length of its own byte or more | likely |
/// | any of them in 8 bytes or fewer, the short string | guess |
///
/// A payload of more values than ``CodecRegistry/examinedBytesMax`` is judged by so many, and is no
/// more than likely.
public struct MessagePackCodec: Codec {
  /// Up to this many bytes it may as well be a number.
  static let guessBytesMax = 8

  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    guard payload.byteCount >= 2, let confidence = confidence(payload) else { return nil }
    guard TextCodec().recognize(payload) == nil else { return nil }
    return Detection(
      .messagePack, payload.byteCount <= Self.guessBytesMax ? .guess : confidence)
  }

  private func confidence(_ payload: RawSpan) -> Confidence? {
    var scanner = MessagePackScanner(payload)
    guard let isWhole = try? scanner.scan() else { return nil }
    switch payload.byte(at: 0) {
    case 0x80...0x8F, 0xDE, 0xDF: return scanner.rootKeysAreStrings && isWhole ? .certain : .likely
    case 0x90...0x9F, 0xDC, 0xDD, 0xD9...0xDB: return .likely
    case 0xA0...0xBF: return .guess
    default: return nil
    }
  }
}

extension CodecTag {
  /// One value of MessagePack.
  public static let messagePack = CodecTag(rawValue: "msgpack")
}

/// Walks over values without recursion: of each container that is open it knows how many values are
/// left.
private struct MessagePackScanner: ~Escapable {
  private var cursor: ByteCursor
  private(set) var rootKeysAreStrings = true
  private var left: [Int] = []
  private var isRootMap = false

  @_lifetime(copy payload)
  init(_ payload: RawSpan) { cursor = ByteCursor(payload) }

  /// - Returns: whether all of the payload was looked at.
  mutating func scan() throws(DecodingError) -> Bool {
    var work = 0
    while true {
      let start = cursor.offset
      let isRootKey = isRootMap && left.count == 1 && left[0] % 2 == 0
      let token = try cursor.messagePackToken()
      if !left.isEmpty { left[left.count - 1] -= 1 }

      switch token {
      case .string(let range):
        guard cursor.bytes.extracting(range).isUTF8(upTo: CodecRegistry.examinedBytesMax) else {
          throw DecodingError(.malformed, at: start, "a string that is not UTF-8")
        }
        work += range.count
      case .array(let count):
        try open(count, at: start)
      case .map(let count):
        if left.isEmpty { isRootMap = true }
        try open(count * 2, at: start)
      default: break
      }
      if isRootKey, case .string = token {} else if isRootKey { rootKeysAreStrings = false }

      while left.last == 0 { left.removeLast() }
      if left.isEmpty { break }
      work += 1
      if work >= CodecRegistry.examinedBytesMax { return false }
    }
    if !cursor.isAtEnd { throw DecodingError(.malformed, at: cursor.offset, "more than a value") }
    return true
  }

  private mutating func open(_ count: Int, at start: Int) throws(DecodingError) {
    guard left.count < DecodingLimits().depth else {
      throw DecodingError(.limit, at: start, "nested too deep")
    }
    left.append(count)
  }
}
