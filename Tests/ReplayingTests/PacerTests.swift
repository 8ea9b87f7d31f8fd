import CaptureStore
import Testing
import Threads

@testable import Replaying

@Suite(.timeLimit(.minutes(1))) struct PacerTests {
  private let stop = StopToken()

  @Test(arguments: [0.5, 1, 2, 10, 1_000]) func nothingIsEarly(rate: Double) {
    var pacer = Pacer(.rate(rate))
    let anchor = pacer.anchor
    for position in stride(from: Int64(0), through: 20_000_000, by: 1_300_000) {
      let isDue = pacer.wait(for: position, stop: stop)
      #expect(isDue)
      let elapsed = CaptureClock.monotonicNanoseconds() - anchor
      #expect(Double(elapsed) >= (Double(position) / rate).rounded())
    }
    #expect(pacer.anchor == anchor)
  }

  /// What was held up is caught up with: deadlines count from the anchor, which never moves.
  @Test func latenessDoesNotMoveLaterDeadlines() {
    var pacer = Pacer(.rate(1))
    let anchor = pacer.anchor
    while CaptureClock.monotonicNanoseconds() < anchor + 30_000_000 {}
    for position in stride(from: Int64(0), to: 30_000_000, by: 1_000_000) {
      let isDue = pacer.wait(for: position, stop: stop)
      #expect(isDue)
    }
    #expect(pacer.latenessNanosecondsMax >= 30_000_000)
    #expect(pacer.anchor == anchor)
    let isDue = pacer.wait(for: 60_000_000, stop: stop)
    #expect(isDue)
    #expect(CaptureClock.monotonicNanoseconds() >= anchor + 60_000_000)
  }

  @Test func atFullSpeedNothingIsWaitedForAndNothingIsLate() {
    var pacer = Pacer(.max)
    let isDue = pacer.wait(for: .max, stop: stop)
    #expect(isDue)
    #expect(pacer.latenessNanosecondsMax == 0)
  }

  @Test func aStopEndsAWaitOfYears() {
    var pacer = Pacer(.rate(1))
    let thread = WorkerThread(name: "stop") { [stop] in stop.request() }
    let isDue = pacer.wait(for: .max / 4, stop: stop)
    #expect(!isDue)
    thread.join()
    var other = Pacer(.max)
    let isOtherDue = other.wait(for: 0, stop: stop)
    #expect(!isOtherDue)
  }

  @Test(arguments: [1e-300, 1e-9, .leastNonzeroMagnitude, 1e300])
  func ratesAtTheEndsOfTheirRangeDoNotTrap(rate: Double) {
    stop.request()
    var pacer = Pacer(.rate(rate))
    for position: Int64 in [0, 1, 1 << 40, 1 << 62, .max] {
      let isDue = pacer.wait(for: position, stop: stop)
      #expect(!isDue)
    }
  }
}
