import CaptureStore
import Testing

@testable import Recording

@Suite struct LoopWatchTests {
  private static let second: Int64 = 1_000_000_000

  private func clocks(_ seconds: Int64, step: Int64 = 0, asleep: Int64 = 0) -> LoopWatch.Clocks {
    LoopWatch.Clocks(
      monotonic: seconds * Self.second,
      unix: (1_000_000 + seconds) * Self.second + step + asleep,
      boot: (7 + seconds) * Self.second + asleep)
  }

  private func look(_ watch: inout LoopWatch, _ clocks: LoopWatch.Clocks) -> [StoredEvent] {
    watch.look(clocks, recorded: 0, indexed: 0)
  }

  @Test func aClockThatIsSetIsToldOnceWithHowFar() {
    var watch = LoopWatch(clocks(0))
    #expect(!watch.isDue(Self.second - 1) && watch.isDue(Self.second))
    #expect(look(&watch, clocks(1, step: 49_000_000)).isEmpty)
    let back = look(&watch, clocks(2, step: -3_600 * Self.second))
    #expect(back.map(\.kind) == ["clock_step"] && back[0].number("by_ms") == -3_600_049)
    #expect(look(&watch, clocks(3, step: -3_600 * Self.second)).isEmpty)
  }

  @Test func aMachineThatSleptIsAPauseAndNoStep() {
    var watch = LoopWatch(clocks(0))
    let slept = look(&watch, clocks(1, asleep: 60 * Self.second))
    #expect(slept.map(\.kind) == ["paused"] && slept[0].number("ms") == 60_000)
    #expect(look(&watch, clocks(2, asleep: 60 * Self.second)).isEmpty)
  }

  @Test func aSleepThatIsFarTooLongIsAPause() {
    let asked: Int64 = 100_000_000
    #expect(LoopWatch.pause(askedNanoseconds: asked, from: 5, to: asked + 5) == nil)
    #expect(
      LoopWatch.pause(askedNanoseconds: asked, from: 0, to: asked + Self.second - 1) == nil)
    let pause = LoopWatch.pause(askedNanoseconds: asked, from: 0, to: asked + 3 * Self.second)
    #expect(pause?.kind == "paused" && pause?.number("ms") == 3_000)
  }

  @Test func anIndexThatFallsBehindIsToldOnceATime() {
    var watch = LoopWatch(clocks(0))
    var told: [Int] = []
    func look(_ second: Int, recorded: UInt64, indexed: UInt64) {
      let events = watch.look(clocks(Int64(second)), recorded: recorded, indexed: indexed)
      if events.contains(where: { $0.kind == "index_lag" }) { told.append(second) }
    }
    for second in 1...20 {
      look(second, recorded: UInt64(second) * 10, indexed: UInt64(second) * 9)
    }
    #expect(told.isEmpty, "less than ten seconds")
    for second in 21...30 { look(second, recorded: UInt64(second) * 10, indexed: 100) }
    #expect(told == [21])
    for second in 31...32 { look(second, recorded: 400, indexed: 400) }
    look(33, recorded: 6_000_000, indexed: 400)
    look(34, recorded: 7_000_000, indexed: 400)
    #expect(told == [21, 33])
  }
}

@Suite struct QueueWatchTests {
  private static let second: Int64 = 1_000_000_000
  private static let turn: Int64 = 10_000_000

  /// The turns, of 10 ms and 256 messages each, at which it is told.
  private func told(
    _ watch: inout QueueWatch, _ turns: Range<Int>, isEmpty: (Int) -> Bool = { _ in false }
  ) -> [Int] {
    turns.filter {
      watch.isFull(taking: 256, isEmpty: isEmpty($0), at: 7 * Self.second + Int64($0) * Self.turn)
    }
  }

  @Test func aQueueThatIsNeverEmptyIsToldOnceAfterASecond() {
    var watch = QueueWatch(highWaterMark: 1000)
    #expect(told(&watch, 0..<500) == [103], "full at the third turn at the earliest")
    #expect(told(&watch, 500..<501) { _ in true } == [])
    #expect(told(&watch, 501..<900) == [604])
  }

  @Test func aBurstIsNoSuspicionHoweverManyMessagesItHas() {
    var watch = QueueWatch(highWaterMark: 1000)
    #expect(told(&watch, 0..<10_000) { $0 % 100 == 99 } == [])
    // The same messages in less time.
    let isTold = (0..<10_000).contains { turn in
      watch.isFull(taking: 256, isEmpty: false, at: Int64(turn) * 90_000)
    }
    #expect(!isTold)
  }

  @Test func aQueueThatHasNotTakenWhatItHoldsIsNotFull() {
    var watch = QueueWatch(highWaterMark: 1_000_000)
    #expect(told(&watch, 0..<3_000) == [])
  }

  @Test func aQueueWithoutALimitIsNeverFull() {
    var watch = QueueWatch(highWaterMark: 0)
    #expect(told(&watch, 0..<1000) == [])
  }
}
