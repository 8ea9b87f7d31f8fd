// Every single-bit flip of a segment of 64 KiB, and every length of it: scripts/bit-flips.

import Glibc
import TestSupport

var hasFailed = false
for isSealed in [true, false] {
  let campaign = try BitFlipCampaign(isSealed: isSealed)
  let start = monotonicSeconds()
  for bit in 0..<campaign.bits { campaign.flip(bit) }
  let flips = (campaign.trials, campaign.failureCount)
  for length in 0...campaign.size { campaign.cut(to: length) }
  let seconds = Int(monotonicSeconds() - start)
  print(
    "\(isSealed ? "sealed" : "unsealed"): \(flips.0) flips, \(flips.1) wrong; "
      + "\(campaign.trials - flips.0) lengths, \(campaign.failureCount - flips.1) wrong; \(seconds) s"
  )
  let begun = (campaign.trials, campaign.failureCount)
  for bit in stride(from: 0, to: campaign.bits, by: 23) { try campaign.recover(flipping: bit) }
  for length in stride(from: 0, through: campaign.size, by: 5) {
    try campaign.recover(cutTo: length)
  }
  print(
    "  recovery of \(campaign.trials - begun.0) of them, "
      + "\(campaign.failureCount - begun.1) wrong")
  for failure in campaign.failures { print("  \(failure)") }
  hasFailed = hasFailed || campaign.failureCount > 0
}
exit(hasFailed ? 1 : 0)
