/// A set of ASCII bytes of which text is mostly made, so that a scanner passes eight at a time.
enum ByteRun {
  /// Printable ASCII: space to tilde.
  case printable

  /// Printable ASCII but the quote and the backslash.
  case stringContent
}

extension RawSpan {
  /// The offset of the first byte at or after `start` that is not in `run`; the byte count if all
  /// are.
  @inline(__always)
  func endOfRun(from start: Int, of run: ByteRun) -> Int {
    var offset = start
    while byteCount - offset >= 8 {
      let strangers = run.strangers(in: word(at: offset))
      if strangers != 0 { return offset + strangers.trailingZeroBitCount / 8 }
      offset += 8
    }
    while offset < byteCount {
      // The other seven bytes of the word are zero, and zero is in no run: only the lowest counts.
      if run.strangers(in: UInt64(byte(at: offset))) & 0x80 != 0 { break }
      offset += 1
    }
    return offset
  }
}

extension ByteRun {
  /// The bytes of a word that are not in the run: the top bit of the lowest such byte is the lowest
  /// bit set. Bits above that one mean nothing.
  ///
  /// Eight comparisons at once ("Bit Twiddling Hacks", S. E. Anderson: "Determine if a word has a
  /// byte less than n"): subtracting `n` from each byte borrows out of the bytes below `n`. A borrow
  /// falsifies bytes above its own only, hence "the lowest".
  @inline(__always)
  fileprivate func strangers(in word: UInt64) -> UInt64 {
    let controls = (word &- Self.every(0x20)) & ~word
    let deletes = Self.zeros(in: word ^ Self.every(0x7F))
    let others = word | controls | deletes
    switch self {
    case .printable:
      return others & Self.every(0x80)
    case .stringContent:
      let quotes = Self.zeros(in: word ^ Self.every(ASCII.quote))
      let backslashes = Self.zeros(in: word ^ Self.every(ASCII.backslash))
      return (others | quotes | backslashes) & Self.every(0x80)
    }
  }

  /// The same for bytes that are zero.
  @inline(__always)
  private static func zeros(in word: UInt64) -> UInt64 {
    (word &- every(0x01)) & ~word
  }

  @inline(__always)
  private static func every(_ byte: UInt8) -> UInt64 {
    UInt64(byte) &* 0x0101_0101_0101_0101
  }
}
