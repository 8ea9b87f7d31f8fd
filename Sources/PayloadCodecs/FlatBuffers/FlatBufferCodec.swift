/// Recognises a FlatBuffers buffer by its root table and that table's vtable.
///
/// The offset to the root, the vtable's two sizes and the place of every field must fit together,
/// which random bytes do not. With a file identifier of four letters or digits it is likely a
/// buffer, without one a guess. Nothing but the root is looked at.
public struct FlatBufferCodec: Codec {
  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    guard payload.byteCount >= 16, let frame = FlatBufferFrame(payload),
      let table = frame.reader.plausibleRoot, frame.reader.fieldCount(of: table) > 0
    else { return nil }
    let isNamed = table.position >= 12 && frame.reader.identifier?.isAlphanumeric == true
    return Detection(.flatbuffers, isNamed ? .likely : .guess)
  }
}

extension String {
  fileprivate var isAlphanumeric: Bool {
    utf8.allSatisfy { byte in
      switch byte {
      case ASCII.digits, UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
}

/// A buffer, without the size in front of it that some writers put there (`FinishSizePrefixed`).
struct FlatBufferFrame: ~Escapable {
  let reader: FlatBufferReader
  /// The bytes before the buffer: 4 with a size, else 0.
  let start: Int

  /// `nil` where the bytes are no buffer, with or without a size.
  ///
  /// A size of all that follows is also the offset of a root table of the last four bytes, without
  /// fields: it is taken for that only where what follows is no buffer.
  @_lifetime(copy payload)
  init?(_ payload: RawSpan) {
    if payload.byteCount >= 8,
      let size = try? payload.integer(UInt32.self, at: 0), Int(size) == payload.byteCount - 4
    {
      let inner = FlatBufferReader(payload.extracting(4..<payload.byteCount))
      if inner.plausibleRoot != nil {
        reader = inner
        start = 4
        return
      }
    }
    let plain = FlatBufferReader(payload)
    guard plain.plausibleRoot != nil else { return nil }
    reader = plain
    start = 0
  }
}
