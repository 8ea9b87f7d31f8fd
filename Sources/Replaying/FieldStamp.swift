/// A time that is written into a field of messages as they leave: a rig that compares the times in its
/// messages with its own clock takes them for new.
public struct FieldStamp: Hashable, Sendable {
  /// How the field holds a number.
  public enum Format: String, CaseIterable, Sendable {
    case f64le, f64be, i64le, i64be, u64le, u64be, i32le, i32be, u32le, u32be

    /// Bytes.
    public var size: Int {
      switch self {
      case .f64le, .f64be, .i64le, .i64be, .u64le, .u64be: 8
      case .i32le, .i32be, .u32le, .u32be: 4
      }
    }
  }

  public enum Clock: String, CaseIterable, Sendable {
    /// When the message leaves.
    case unix
    /// When it was recorded: the timeline's own time.
    case timeline
  }

  /// What the number counts since 1970-01-01T00:00:00Z. Those of 8 bytes that are no integers have a
  /// fraction.
  public enum Unit: String, CaseIterable, Sendable {
    case seconds = "s"
    case milliseconds = "ms"
    case microseconds = "us"
    case nanoseconds = "ns"

    var nanoseconds: Int64 {
      switch self {
      case .seconds: 1_000_000_000
      case .milliseconds: 1_000_000
      case .microseconds: 1_000
      case .nanoseconds: 1
      }
    }
  }

  /// Messages whose first frame starts with this have the field.
  public var prefix: [UInt8]
  /// Counted from 0.
  public var frame: Int
  /// Bytes from the start of the frame.
  public var offset: Int
  public var format: Format
  public var clock: Clock
  public var unit: Unit

  public init(
    prefix: [UInt8], frame: Int, offset: Int, format: Format, clock: Clock, unit: Unit
  ) {
    self.prefix = prefix
    self.frame = frame
    self.offset = offset
    self.format = format
    self.clock = clock
    self.unit = unit
  }

  /// Whether a frame of so many bytes has the field.
  func fits(_ count: Int) -> Bool { offset + format.size <= count }

  /// Writes a time into a frame that has the field. A number of 32 bits holds the low ones of a time
  /// that is too large for it.
  func write(unixNanoseconds time: Int64, to frame: inout [UInt8]) {
    var bits: UInt64
    switch format {
    case .f64le, .f64be: bits = (Double(time) / Double(unit.nanoseconds)).bitPattern
    default: bits = UInt64(bitPattern: time / unit.nanoseconds)
    }
    let isBigEndian = format.rawValue.hasSuffix("be")
    for index in 0..<format.size {
      frame[offset + (isBigEndian ? format.size - 1 - index : index)] = UInt8(
        truncatingIfNeeded: bits)
      bits >>= 8
    }
  }
}
