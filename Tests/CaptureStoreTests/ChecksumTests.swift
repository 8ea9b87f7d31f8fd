import TestSupport
import Testing

@testable import CaptureStore

@Suite struct ChecksumTests {
  /// One length for each path through XXH3 and its borders.
  ///
  /// Source: `xxhash.xxh3_64_intdigest(bytes, seed)` of the Python package xxhash 3, the low half,
  /// for the seeds 0, 0x01020304 and 0xFFFFFFFF; then the whole of it for seed 0.
  static let known: [(count: Int, checks: [UInt32], hash: UInt64)] = [
    (0, [0x38D3_94C2, 0x745D_2E19, 0x4CCF_A477], 0x2D06_8005_38D3_94C2),
    (1, [0x1538_B1C0, 0x3C27_0587, 0x1ACA_2FDA], 0x8A21_D78B_1538_B1C0),
    (3, [0xA3AA_5A3B, 0x8B2D_C55E, 0xE253_1FBB], 0x5F1F_A6D2_A3AA_5A3B),
    (4, [0x8154_2A43, 0xD6A0_29FD, 0x2E95_71BD], 0xA8A9_B82C_8154_2A43),
    (8, [0x80D3_08A6, 0x04B0_C08A, 0x47AA_183D], 0x67B8_F67A_80D3_08A6),
    (9, [0x8FE3_7670, 0x1469_425B, 0xB498_DE19], 0x7DF1_6679_8FE3_7670),
    (16, [0x676A_5837, 0xCB5F_67F2, 0xFD24_B607], 0xC096_7FEE_676A_5837),
    (17, [0xD06E_9D93, 0x5B65_97C8, 0xA8B4_D9D5], 0xBC30_7578_D06E_9D93),
    (28, [0x0AED_566A, 0xAF89_3EFF, 0xB3B2_C401], 0xE3FE_EAB4_0AED_566A),
    (64, [0x4ABF_C3F0, 0xEA5F_55DC, 0xA922_A822], 0x2C6E_0B29_4ABF_C3F0),
    (128, [0xE9BB_88D6, 0xAE18_AF73, 0x32B7_79F0], 0xA456_17BF_E9BB_88D6),
    (129, [0x2CFD_9A3E, 0x5F98_3A8A, 0x1C99_AA3B], 0x4CA3_1F6B_2CFD_9A3E),
    (240, [0xDF95_47E7, 0xCA27_A1B5, 0xE342_808F], 0x2817_ED3C_DF95_47E7),
    (241, [0x4820_0EE8, 0x47EA_A1D4, 0x01EB_4A57], 0x02F8_38DD_4820_0EE8),
    (1024, [0x65C3_7511, 0x2952_071C, 0xAF91_E185], 0x4ECD_E098_65C3_7511),
    (4096, [0x6F21_D06D, 0x1695_93B7, 0xB027_046D], 0x5B18_1243_6F21_D06D),
    (5000, [0x1846_5DA3, 0xD1D6_D689, 0x86C8_A7B7], 0x4E10_5B8B_1846_5DA3),
  ]

  static let pattern = (0..<5000).map { UInt8(truncatingIfNeeded: $0 * 167 + 13) }

  @Test(arguments: known) func itIsTheLowHalfOfXXH3(
    count: Int, checks: [UInt32], hash: UInt64
  ) {
    Self.pattern[..<count].withUnsafeBytes { bytes in
      #expect([0, 0x0102_0304, 0xFFFF_FFFF].map { checksum(bytes, seed: $0) } == checks)
      #expect(contentHash(bytes) == hash)
    }
  }

  @Test func theHeaderCheckCoversTheLengthAndAllBehindTheChecks() {
    var random = SplitMix64()
    for _ in 0..<1000 {
      let record = random.bytes(32)
      let salt = UInt32(truncatingIfNeeded: random.next())
      record.withUnsafeBytes {
        let check = CheckedHeader(length: 72, record: $0.baseAddress!).check(salt: salt)
        let covered = [72, 0, 0, 0] + record[8..<32]
        #expect(check == covered.withUnsafeBytes { checksum($0, seed: salt) })
      }
    }
  }

  @Test func aHeaderThatIsWrittenHasTheCheckOfTheOneThatIsRead() {
    let record = RecordDescription(
      kind: .footer, flags: 0x5A, endpoint: 0x1234, sequence: 0x1_0000_0007,
      monotonicNanoseconds: -3)
    var bytes = [UInt8](repeating: 0xEE, count: 32)
    bytes.withUnsafeMutableBytes {
      record.writeHeader(
        to: $0.baseAddress!, length: 72, frameCount: 9, bodyCheck: 0xAABB_CCDD,
        firstSequence: 0x1_0000_0000, salt: 77)
    }
    bytes.withUnsafeBytes {
      let base = $0.baseAddress!
      let check = CheckedHeader(length: 72, record: base).check(salt: 77)
      #expect(base.loadWord(UInt32.self, at: 4) == check)
      #expect(base.loadWord(UInt32.self, at: 8) == 0xAABB_CCDD)
      #expect(base.loadWord(UInt32.self, at: 12) == 7)
      #expect(base.loadWord(Int64.self, at: 16) == -3)
      #expect(base.loadWord(UInt32.self, at: 24) == 9)
      #expect(base.loadWord(UInt16.self, at: 28) == 0x1234)
      #expect(base.loadWord(UInt8.self, at: 30) == RecordKind.footer.rawValue)
      #expect(base.loadWord(UInt8.self, at: 31) == 0x5A)
    }
  }
}
