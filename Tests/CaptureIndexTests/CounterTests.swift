import TestSupport
import Testing

@testable import CaptureIndex

@Suite struct CounterTests {
  private static let masks: [UInt64] = [0xFF, 0xFFFF, 0xFFFF_FFFF, .max]

  private func take(
    _ values: [UInt64], mask: UInt64 = 0xFFFF_FFFF
  ) -> (counter: Counter, findings: [Counter.Finding]) {
    var counter = Counter(endpoint: 0, topic: 1, rule: 0)
    var findings: [Counter.Finding] = []
    for (sequence, value) in values.enumerated() {
      let finding = counter.take(value, sequence: UInt64(sequence), mask: mask)
      if case .gap(let first, let count) = finding {
        counter.remember(first: first, count: count, lost: count)
      }
      findings.append(finding)
    }
    return (counter, findings)
  }

  @Test(arguments: masks) func goingOnFromTheLastToZeroIsTheNextNumber(mask: UInt64) {
    #expect(take([mask - 1, mask, 0, 1], mask: mask).findings.allSatisfy { $0 == .next })
  }

  @Test(arguments: masks) func aGapOverTheEndIsCounted(mask: UInt64) {
    let taken = take([mask - 2, 3], mask: mask)
    #expect(taken.findings.last == .gap(first: mask - 1, count: 5))
  }

  @Test func whatWasJumpedOverIsTold() {
    let taken = take([10, 11, 15, 15, 16, 20])
    #expect(
      taken.findings == [
        .next, .next, .gap(first: 12, count: 3), .repeated, .next, .gap(first: 17, count: 3),
      ])
  }

  @Test func whatComesLateIsGivenBackOnce() {
    let taken = take([1, 6, 3, 3, 2, 5, 4, 7, 4])
    #expect(
      taken.findings.dropFirst(2) == [
        .reordered(wasLost: true), .repeated, .reordered(wasLost: true),
        .reordered(wasLost: true), .reordered(wasLost: true), .next, .repeated,
      ])
    #expect(taken.counter.gaps.isEmpty)
  }

  @Test func aPublisherThatBeginsAnewIsNoGap() {
    for first: UInt64 in [0, 1] {
      #expect(take([5000, 5001, first, first + 1]).findings[2] == .restart(last: 5001))
      #expect(take([5000, 5001, first, first + 1]).findings[3] == .next)
      // Far ahead by the range of the number, and still no loss of a billion.
      #expect(take([3_000_000_000, first]).findings[1] == .restart(last: 3_000_000_000))
      #expect(take([5, 6, first]).findings[2] == .restart(last: 6))
    }
    #expect(take([50_000, 20_000]).findings[1] == .restart(last: 50_000))
    #expect(take([50_000, 49_990]).findings[1] == .repeated)
  }

  /// What Format.md says of them: a wrap, a restart and a long loss look alike.
  @Test func numbersThatWrapSoonTellLess() {
    func second(_ last: UInt64, _ value: UInt64, _ mask: UInt64) -> Counter.Finding {
      take([last, value], mask: mask).findings[1]
    }
    let (u8, u16) = (0xFF as UInt64, 0xFFFF as UInt64)
    // A restart at 0.
    #expect(second(127, 0, u8) == .restart(last: 127))
    #expect(second(128, 0, u8) == .gap(first: 129, count: 127))
    #expect(second(64_534, 0, u16) == .restart(last: 64_534))
    #expect(second(64_535, 0, u16) == .gap(first: 64_536, count: 1_000))
    for mask in [u8, u16] { #expect(second(mask, 0, mask) == .next) }
    // One at another number.
    #expect(second(60, 20, u8) == .repeated && second(200, 20, u8) == .gap(first: 201, count: 75))
    #expect(second(5_000, 3_999, u16) == .restart(last: 5_000))
    #expect(second(5_000, 4_000, u16) == .repeated)
    #expect(second(50_000, 10, u16) == .gap(first: 50_001, count: 15_545))
    // A loss of so many numbers behind 10.
    func loss(_ count: UInt64, _ mask: UInt64) -> Counter.Finding {
      second(10, (11 + count) & mask, mask)
    }
    #expect(loss(127, u8) == .gap(first: 11, count: 127))
    #expect(loss(128, u8) == .repeated && loss(255, u8) == .repeated && loss(256, u8) == .next)
    #expect(loss(32_767, u16) == .gap(first: 11, count: 32_767))
    #expect(loss(32_768, u16) == .restart(last: 10) && loss(64_534, u16) == .restart(last: 10))
    #expect(loss(64_535, u16) == .repeated && loss(65_535, u16) == .repeated)
    #expect(loss(65_536, u16) == .next)
  }

  @Test func onlySoManyGapsAreRemembered() {
    let values = (0..<200).map { UInt64($0) * 2 }
    var (counter, _) = take(values)
    #expect(counter.gaps.count == Counter.gapsMax)
    #expect(counter.take(1, sequence: 500, mask: 0xFFFF_FFFF) == .restart(last: 398))
    (counter, _) = take(values)
    #expect(counter.take(5, sequence: 500, mask: 0xFFFF_FFFF) == .repeated)
    #expect(counter.take(397, sequence: 500, mask: 0xFFFF_FFFF) == .reordered(wasLost: true))
  }

  @Test func whatDoesNotCountAsLostIsNotGivenBack() {
    var counter = Counter(endpoint: 0, topic: 0, rule: 0)
    _ = counter.take(0, sequence: 0, mask: 0xFF)
    #expect(counter.take(5, sequence: 1, mask: 0xFF) == .gap(first: 1, count: 4))
    counter.remember(first: 1, count: 4, lost: 2)
    let late = [3, 1, 4, 2].map { counter.take($0, sequence: 2, mask: 0xFF) }
    #expect(late.count { $0 == .reordered(wasLost: true) } == 2)
    #expect(late.count { $0 == .reordered(wasLost: false) } == 2)
  }

  @Test func gapsAreKeptAsTheyAre() {
    for gaps: [Counter.Gap] in [
      [], [.init(first: 0, count: 1, lost: 0)],
      [.init(first: .max, count: 7, lost: 7), .init(first: 3, count: .max, lost: 5)],
    ] {
      var counter = Counter(endpoint: 0, topic: 0, rule: 0)
      counter.gaps = gaps
      #expect(Counter.gaps(stored: counter.storedGaps) == gaps)
    }
    for bad in ["x", "1 2", "1 0 0", "1 2 3,", "-1 2 3", "1 2 3 4"] {
      #expect(Counter.gaps(stored: bad) == nil || bad == "1 2 3,", "\(bad)")
    }
  }

  /// Whatever is dropped, repeated and reordered: what is counted as lost in the end did not come.
  @Test(arguments: masks) func theCountOfWhatDidNotComeIsRight(mask: UInt64) {
    var random = SplitMix64()
    for _ in 0..<200 {
      var numbers = (0..<120).map { (mask &- 50 &+ UInt64($0)) & mask }
      let dropped = Set((0..<random.int(0...30)).map { _ in random.int(1...118) })
      numbers = numbers.indices.filter { !dropped.contains($0) }.map { numbers[$0] }
      // Not the first or the last, which frame the rest.
      for _ in 0..<random.int(0...10) {
        let place = random.int(1...numbers.count - 3)
        numbers.swapAt(place, place + 1)
      }
      var lost: Int64 = 0
      for finding in take(numbers, mask: mask).findings {
        switch finding {
        case .gap(_, let count): lost += Int64(count)
        case .reordered(wasLost: true): lost -= 1
        case .restart: Issue.record("nothing began anew")
        default: break
        }
      }
      #expect(lost == Int64(dropped.count))
    }
  }
}
