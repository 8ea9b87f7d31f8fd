/// JSON text that is written a part at a time, within limits.
///
/// What JSON cannot say is written so, whatever the codec:
///
/// | value | JSON |
/// |---|---|
/// | NaN, infinities | `"NaN"`, `"Infinity"`, `"-Infinity"` |
/// | bytes | `{"$bytes":"BASE64"}`; cut at a limit: `{"$bytes":"BASE64","$size":N}`, N of all |
/// | integers of any size | their digits |
/// | text that is not UTF-8 | `{"$bytes":"BASE64"}` |
/// | a key that is no text | its JSON, as text: `{"1":"one","[1,2]":"pair"}` |
///
/// Doubles are written with the fewest digits that give the same double.
public struct JSONOutput: Sendable {
  public private(set) var bytes: [UInt8] = []
  public let limits: DecodingLimits
  /// Values that were written.
  public private(set) var values = 0

  private enum Place: UInt8 { case array, object }

  private var open: [Place] = []
  /// The next value follows another one, in an array or as a key.
  private var needsComma = false

  public init(_ limits: DecodingLimits = DecodingLimits()) { self.limits = limits }
}
