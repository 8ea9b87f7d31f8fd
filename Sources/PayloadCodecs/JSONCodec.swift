/// Recognises one JSON object or array (RFC 8259).
///
/// - A bare number, `true`, `null` or quoted string is valid JSON, and here it is text: a topic of
///   plain words must not change its codec whenever a word happens to be `42`.
/// - `NaN`, `Infinity` and `-Infinity`, which Python's `json.dumps` writes by default, a byte order
///   mark in front, and one NUL behind (C's `strlen + 1`) are against the RFC but plainly meant as
///   JSON: likely, where JSON to the letter is certain.
/// - Several documents in one payload (JSON lines) are text.
/// - A payload beyond ``CodecRegistry/examinedBytesMax`` is likely JSON if so much of it is the
///   beginning of a document and its last byte, spaces aside, the bracket that closes it.
public struct JSONCodec: Codec {
  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    let terminated = payload.withoutTerminator
    let document = terminated.withoutByteOrderMark
    let isBare = document.byteCount == payload.byteCount

    let examined = document.extracting(first: CodecRegistry.examinedBytesMax)
    let unexamined = document.extracting(examined.byteCount..<document.byteCount)
    var scanner = JSONScanner(examined)
    do throws(ScanStop) {
      try scanner.scanDocument()
    } catch {
      let isClosed = scanner.rootClosing != nil && unexamined.lastNonSpace == scanner.rootClosing
      return error == .cut && isClosed ? Detection(.json, .likely) : nil
    }

    guard unexamined.lastNonSpace == nil else { return nil }
    let isToTheLetter = isBare && unexamined.isEmpty && scanner.isStrict
    return Detection(.json, isToTheLetter ? .certain : .likely)
  }
}

extension RawSpan {
  /// These bytes without the byte order mark that some writers put before UTF-8.
  var withoutByteOrderMark: RawSpan {
    @_lifetime(copy self) get {
      guard byteCount >= 3, byte(at: 0) == 0xEF, byte(at: 1) == 0xBB, byte(at: 2) == 0xBF else {
        return self
      }
      return extracting(3..<byteCount)
    }
  }

  /// The last byte that is no JSON whitespace, or `nil` if there is none within
  /// ``CodecRegistry/examinedBytesMax`` of the end.
  fileprivate var lastNonSpace: UInt8? {
    let lowest = Swift.max(0, byteCount - CodecRegistry.examinedBytesMax)
    var offset = byteCount
    while offset > lowest {
      offset -= 1
      let byte = byte(at: offset)
      if !ASCII.isSpace(byte) { return byte }
    }
    return nil
  }
}
