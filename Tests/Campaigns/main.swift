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
      + "\(campaign.trials - flips.0) lengths, \(campaign.failureCount - flips.1) wrong; \(seconds) s")
  for failure in campaign.failures { print("  \(failure)") }
  hasFailed = hasFailed || campaign.failureCount > 0
}
exit(hasFailed ? 1 : 0)
