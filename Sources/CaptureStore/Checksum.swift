private import CXXHash

/// The check of the format: the low half of XXH3-64, seeded.
///
/// Source: `XXH3_64bits_withSeed`, <https://github.com/Cyan4973/xxHash>.
package func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
  unsafe UInt32(truncatingIfNeeded: xxh3_64(bytes.baseAddress, bytes.count, UInt64(seed)))
}

/// Rounds up to a multiple of `alignment`, a power of two.
func aligned(_ value: Int, to alignment: Int) -> Int {
  (value + alignment - 1) & ~(alignment - 1)
}

/// A hash for tables of byte strings. Source: `XXH3_64bits`.
public func contentHash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  unsafe xxh3_64(bytes.baseAddress, bytes.count, 0)
}
