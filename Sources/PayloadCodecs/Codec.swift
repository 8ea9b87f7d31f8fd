/// A family of payload formats and how it is recognised.
///
/// The codec, not the registry, names the tag: one family may have several (a picture is
/// `image/png` or `image/jpeg`) or write what it found into the tag.
public protocol Codec: Sendable {
  /// Tells whether `payload` belongs to this family, and how sure that is.
  ///
  /// The payload comes from the network and is hostile until shown otherwise. A codec must not
  /// trap or allocate in proportion to the payload, must read no more than about
  /// ``CodecRegistry/examinedBytesMax`` bytes, and must answer the same for the same bytes.
  ///
  /// - Returns: `nil` if the payload is something else.
  func recognize(_ payload: RawSpan) -> Detection?
}
