import Glibc

/// The two clocks of a capture: monotonic for order and pace, real time for people.
public enum CaptureClock {
  /// Nanoseconds since an arbitrary point of this boot, never stepped. Source: `clock_gettime(2)`.
  public static func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

  /// Nanoseconds since 1970-01-01T00:00:00Z, stepped at will. Source: `clock_gettime(2)`.
  public static func unixNanoseconds() -> Int64 { read(CLOCK_REALTIME) }

  /// Like the monotonic clock, and going on while the machine is suspended.
  /// Source: `clock_gettime(2)`, CLOCK_BOOTTIME.
  public static func bootNanoseconds() -> Int64 { read(CLOCK_BOOTTIME) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// Both clocks read at one moment: what turns a monotonic time into a time of day.
///
/// Monotonic times mean nothing across boots, so the boot's id stands beside them.
public struct ClockPair: Hashable, Sendable {
  public var unixNanoseconds: Int64
  public var monotonicNanoseconds: Int64
  public var bootID: UInt128

  public init(unixNanoseconds: Int64, monotonicNanoseconds: Int64, bootID: UInt128) {
    self.unixNanoseconds = unixNanoseconds
    self.monotonicNanoseconds = monotonicNanoseconds
    self.bootID = bootID
  }

  /// The pair of this moment on this boot.
  public static func now() -> ClockPair {
    ClockPair(
      unixNanoseconds: CaptureClock.unixNanoseconds(),
      monotonicNanoseconds: CaptureClock.monotonicNanoseconds(),
      bootID: currentBootID)
  }

  /// What to add to a monotonic time of this boot to get Unix nanoseconds.
  public var unixOffset: Int64 { unixNanoseconds &- monotonicNanoseconds }

  /// What tells this boot from others; 0 where it cannot be read.
  ///
  /// Source: `/proc/sys/kernel/random/boot_id`, see `random(4)`.
  public static let currentBootID: UInt128 = {
    guard let bytes = try? FileSystem.system.read("/proc/sys/kernel/random/boot_id", limit: 64)
    else {
      return 0
    }
    let digits = String(decoding: bytes, as: UTF8.self).filter(\.isHexDigit)
    return UInt128(digits, radix: 16) ?? 0
  }()
}
