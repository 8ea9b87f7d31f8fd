/// A value of the pickle machine, by its number: the machine points at values, and so several may
/// hold one, or it may hold itself.
typealias PickleReference = UInt32

/// What the machine made. Each is small, since a byte of a payload can make one.
enum PickleValue {
  case none
  case bool(Bool)
  case int(Int64)
  /// Two's complement, little-endian, of any length.
  case long(PickleBytes)
  /// Decimal digits, the first of them not 0.
  case digits(PickleBytes, isNegative: Bool)
  case double(Double)
  /// Python's `str`, in UTF-8 or what is wrong of it.
  case text(PickleBytes)
  /// `bytes` and `bytearray`.
  case bytes(PickleBytes)
  /// `list`, `set` and `frozenset`: values that are told one after another.
  case list([PickleReference])
  case tuple([PickleReference])
  /// Key, value, key, value.
  case dict([PickleReference])
  /// A name that Python would import.
  case global(module: PickleReference, name: PickleReference)
  case object(PickleObject)
  /// An object that is not in the pickle.
  case persistent(PickleReference)
  /// A number of the extension registry, which stands for a global.
  case extensionCode(Int64)
  /// The buffer of this number, from 0, of those that were sent beside the pickle.
  case buffer(Int)
}

/// Bytes of the payload, or of those that the machine made itself.
struct PickleBytes {
  var start: UInt32
  var count: UInt32
  var isMade: Bool

  var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
}

/// What would be made by calling something: told, never done.
final class PickleObject {
  let callable: PickleReference
  /// A tuple, or what a hostile pickle has instead.
  let arguments: PickleReference
  /// `nil` where there are none.
  let keywords: PickleReference?
  var state: PickleReference?
  var items: [PickleReference] = []
  /// Key, value, key, value.
  var pairs: [PickleReference] = []

  init(
    _ callable: PickleReference, _ arguments: PickleReference, keywords: PickleReference? = nil
  ) {
    self.callable = callable
    self.arguments = arguments
    self.keywords = keywords
  }
}
