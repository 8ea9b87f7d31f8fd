import Foundation
import TestSupport
import Testing

extension ZcapTests {
  @Suite struct BenchTests {
    @Test func ratesAreMeasuredAndNothingIsLeft() throws {
      let rig = try Rig()
      let before = try rig.listing(of: rig.directory.path)
      let run = try rig.run(
        "bench", "--size", "64KiB", "--rounds", "1", "--folder", "\(rig.store)/new", "--json")
      #expect(run.exitCode == 0, "\(run)")
      let row = try #require(try JSONRow.rows(run.standardOutput).first)
      #expect(row["payload_bytes"] == 65_536)
      for rate in ["received_per_s", "recorded_per_s", "ring_per_s"] {
        #expect(row[rate] != 0 && row[rate] != nil)
      }
      #expect(try rig.listing(of: rig.directory.path) == before)
    }
  }
}
