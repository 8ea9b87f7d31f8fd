/// Why a scanner stopped before the end of a payload.
///
/// The two are kept apart because only part of a large payload is scanned: there, a cut is expected.
enum ScanStop: Error {
  /// The bytes ended in the middle of something that was right so far.
  case cut

  /// The bytes are not in the format, whatever may follow.
  case malformed
}
