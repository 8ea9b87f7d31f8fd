import Testing

@testable import Replaying

@Suite struct LatenessTests {
  @Test func withoutMessagesThereIsNothingToTell() {
    let lateness = Lateness(limit: 5)
    #expect(lateness.count == 0 && lateness.lateCount == 0 && lateness.nanosecondsMax == 0)
    #expect(lateness.nanoseconds(percentile: 50) == nil)
  }

  @Test func percentilesAreWithinAThousandth() throws {
    var lateness = Lateness(limit: 900_000)
    for value in stride(from: Int64(1_000), through: 1_000_000, by: 1_000) {
      lateness.record(value)
    }
    #expect(lateness.count == 1_000 && lateness.lateCount == 100)
    #expect(lateness.nanosecondsMax == 1_000_000)
    for (percentile, wanted) in [(50.0, 500_000.0), (99, 990_000), (99.9, 999_000)] {
      let found = try #require(lateness.nanoseconds(percentile: percentile))
      #expect(abs(Double(found) - wanted) <= wanted / 1_000 + 1)
    }
    #expect(lateness.nanoseconds(percentile: 100) == 1_000_000)
  }

  @Test func whatIsLaterThanAnHourCountsAsThat() {
    var lateness = Lateness()
    lateness.record(.max)
    #expect(lateness.count == 1 && lateness.nanosecondsMax == .max && lateness.lateCount == 0)
    #expect(lateness.nanoseconds(percentile: 50) != nil)
  }
}
