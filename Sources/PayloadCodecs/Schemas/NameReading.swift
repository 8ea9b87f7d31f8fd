extension RawSpan {
  /// These bytes as text; `nil` where they are no UTF-8.
  var text: String? {
    unsafe withUnsafeBytes { bytes in unsafe String(validating: bytes, as: UTF8.self) }
  }
}
