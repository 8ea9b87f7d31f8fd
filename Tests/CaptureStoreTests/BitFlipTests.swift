import TestSupport
import Testing

@testable import CaptureStore

/// A sample of what `scripts/bit-flips` does with every bit and every length.
@Suite struct BitFlipTests {
  @Test(arguments: [true, false])
  func everyFlipCostsExactlyWhatItHit(isSealed: Bool) throws {
    let campaign = try BitFlipCampaign(isSealed: isSealed)
    #expect(campaign.size == 65_536)
    var random = SplitMix64()
    for bit in campaign.structuralBits.shuffled(using: &random).prefix(1_500) { campaign.flip(bit) }
    for _ in 0..<500 { campaign.flip(random.int(0...campaign.bits - 1)) }
    #expect(campaign.failures.isEmpty)
  }

  @Test(arguments: [true, false])
  func everyCutCostsExactlyWhatItTook(isSealed: Bool) throws {
    let campaign = try BitFlipCampaign(isSealed: isSealed)
    var random = SplitMix64()
    for _ in 0..<500 { campaign.cut(to: random.int(0...campaign.size)) }
    for length in [0, 1, 4095, 4096, 4097, campaign.size - 1, campaign.size] {
      campaign.cut(to: length)
    }
    #expect(campaign.failures.isEmpty)
  }

  @Test(arguments: [true, false])
  func recoveryInventsNothingAndTwiceIsOnce(isSealed: Bool) throws {
    let campaign = try BitFlipCampaign(isSealed: isSealed)
    var random = SplitMix64()
    for bit in campaign.structuralBits.shuffled(using: &random).prefix(150) {
      try campaign.recover(flipping: bit)
    }
    for _ in 0..<100 {
      try campaign.recover(flipping: random.int(0...campaign.bits - 1))
      try campaign.recover(cutTo: random.int(0...campaign.size))
    }
    #expect(campaign.failures.isEmpty)
  }
}
