import Foundation

/// The seeds of a test run, in groups that run beside each other.
///
/// `ZCAP_POWER_LOSS_SEEDS` says how many, where not the usual number, `ZCAP_TEST_SEED` which is the first (1).
package enum PowerLossSeeds {
  package static func groups(_ usual: UInt64) -> [Range<UInt64>] {
    let first = number("ZCAP_TEST_SEED") ?? 1
    let count = number("ZCAP_POWER_LOSS_SEEDS") ?? usual
    let size = max(1, count / 20)
    return stride(from: first, to: first + count, by: Int(size)).map {
      $0..<min($0 + size, first + count)
    }
  }

  private static func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
  }
}
