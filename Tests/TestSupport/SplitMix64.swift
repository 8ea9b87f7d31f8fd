import Foundation

/// Randomness that can be had again: the seed is printed, and `ZCAP_TEST_SEED` sets it.
///
/// Source: SplitMix64, S. Vigna, <https://prng.di.unimi.it/splitmix64.c>.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// A generator for one test; says how to run that test again with the same numbers.
  public init(for test: String = #function) {
    let given = ProcessInfo.processInfo.environment["ZCAP_TEST_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: 1...999_999_999)
    print("\(test): ZCAP_TEST_SEED=\(seed)")
    self.init(seed: seed)
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  public mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  public mutating func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
      withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0) }
    }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  /// Mostly small sizes, now and then one up to `max`: sizes as traffic has them.
  public mutating func size(max: Int) -> Int {
    switch int(0...9) {
    case 0: 0
    case 1: int(0...max)
    case 2, 3: int(0...min(max, 2_000))
    default: int(0...min(max, 100))
    }
  }
}
