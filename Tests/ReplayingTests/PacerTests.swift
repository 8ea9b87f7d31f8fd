import CaptureStore
import Testing
import Threads

@testable import Replaying

@Suite(.timeLimit(.minutes(1))) struct PacerTests {
  private let stop = StopToken()
  private let bell = Doorbell()

  private func at(_ timeline: Int64) -> Pacer.Position { Pacer.Position(timeline: timeline) }

  /// A pacer whose beginning is due at a known time.
  private func pacer(_ pace: ReplayPlan.Pace, at time: Int64) -> Pacer {
    var pacer = Pacer(pace, spinNanoseconds: 60_000)
    pacer.anchor(Pacer.Position(), at: time)
    return pacer
  }

  @Test(arguments: [0.5, 1, 2, 10, 1_000]) func nothingIsEarly(rate: Double) throws {
    let begun = CaptureClock.monotonicNanoseconds()
    let pacer = pacer(.rate(rate), at: begun)
    for position in stride(from: Int64(0), through: 20_000_000, by: 1_300_000) {
      let deadline = try #require(pacer.deadline(of: at(position)))
      #expect(deadline == begun + Int64((Double(position) / rate).rounded()))
      #expect(pacer.wait(until: deadline, stop: stop, bell: bell) != nil)
      #expect(CaptureClock.monotonicNanoseconds() >= deadline)
    }
  }

  @Test func deadlinesDoNotDriftAtAnyRate() throws {
    for rate in [0.001, 0.5, 1, 7.3, 1_000] {
      let pacer = pacer(.rate(rate), at: 0)
      // A day in steps of a millisecond: no rounding adds up.
      let deadline = try #require(pacer.deadline(of: at(86_400_000_000_000)))
      #expect(abs(Double(deadline) - 86_400e9 / rate) <= 1e-15 * 86_400e9 / rate + 1)
    }
  }

  @Test func messagesAndBytesCanBeWhatCounts() {
    let even = pacer(.messagesPerSecond(100), at: 5)
    #expect(even.deadline(of: Pacer.Position(timeline: 77, messages: 3, bytes: 9)) == 30_000_005)
    let bytes = pacer(.bytesPerSecond(1_000), at: 5)
    #expect(bytes.deadline(of: Pacer.Position(timeline: 77, messages: 3, bytes: 9)) == 9_000_005)
  }

  @Test func whatIsOverdueIsToldByHowMuch() throws {
    let now = CaptureClock.monotonicNanoseconds()
    let pacer = pacer(.rate(1), at: now - 50_000_000)
    let deadline = try #require(pacer.deadline(of: at(10_000_000)))
    let then = try #require(pacer.wait(until: deadline, stop: stop, bell: bell))
    #expect(then - deadline >= 40_000_000)
  }

  @Test func atFullSpeedNothingHasADeadline() {
    #expect(pacer(.max, at: 0).deadline(of: at(.max)) == nil)
  }

  @Test func aStopAndABellEndAWaitOfYears() {
    let pacer = pacer(.rate(1), at: CaptureClock.monotonicNanoseconds())
    let ringer = WorkerThread(name: "ring") { [bell] in bell.ring() }
    #expect(pacer.wait(until: .max / 2, stop: stop, bell: bell) == nil)
    ringer.join()
    bell.silence()
    let stopper = WorkerThread(name: "stop") { [stop] in stop.request() }
    #expect(pacer.wait(until: .max / 2, stop: stop, bell: bell) == nil)
    stopper.join()
  }

  @Test func aBellThatIsSilencedDoesNotEndAWait() {
    bell.ring()
    bell.silence()
    let now = CaptureClock.monotonicNanoseconds()
    #expect(pacer(.max, at: 0).wait(until: now + 1_000_000, stop: stop, bell: bell) != nil)
  }

  @Test func aNewRateCountsFromNow() throws {
    var pacer = pacer(.rate(1), at: 1_000)
    // 400 of the wait of 1,000 are over; the rest is waited at twice the pace.
    pacer.change(to: .rate(2), next: at(1_000), at: 1_400)
    #expect(pacer.deadline(of: at(1_000)) == 1_700)
    #expect(pacer.deadline(of: at(3_000)) == 2_700)
    pacer.delay(by: 50)
    #expect(pacer.deadline(of: at(3_000)) == 2_750)
  }

  @Test(arguments: [1e-300, 1e-9, .leastNonzeroMagnitude, 1e300])
  func ratesAtTheEndsOfTheirRangeDoNotTrap(rate: Double) {
    stop.request()
    let pacer = pacer(.rate(rate), at: CaptureClock.monotonicNanoseconds())
    for position: Int64 in [0, 1, 1 << 40, 1 << 62, .max] {
      #expect(pacer.deadline(of: at(position)) != nil)
    }
  }
}
