import TestSupport
import Testing

@testable import Recording

@Suite struct TopicTriggersTests {
  private static let second: Int64 = 1_000_000_000

  /// The times of messages whose windows are asked for, with the times when they are: of messages
  /// that trigger, and looks every so often until long after the last one.
  private func asked(
    _ times: [Int64], after: Int64, lookingEvery interval: Int64 = 100_000_000
  ) -> [(trigger: Int64, at: Int64)] {
    var triggers = TopicTriggers(prefixes: [[]], after: after)
    var asked: [(trigger: Int64, at: Int64)] = []
    var messages = times[...]
    var now = times[0] - interval
    while now <= times.last! + 3 * (after + TopicTriggers.together) {
      now += interval
      while let time = messages.first, time <= now {
        messages.removeFirst()
        // As the recorder does with each message that triggers.
        if let due = triggers.takeDue(time) { asked.append((due.time, time)) }
        if triggers.take(.init(time: time, prefix: 0)) { asked.append((time, time)) }
      }
      if let due = triggers.takeDue(now) { asked.append((due.time, now)) }
    }
    return asked
  }

  @Test func messagesThatComeTogetherAreOneTrigger() {
    for after in [0, Self.second / 2, 30 * Self.second] {
      let times = (0...100).map { 7 * Self.second + $0 * Self.second / 100 }
      #expect(asked(times, after: after).map(\.trigger) == [7 * Self.second])
    }
  }

  @Test func oneThatComesWhileTheWindowOfAnotherLastsHasItsOwnBehindThat() {
    let times = [0, 5, 29, 100].map { $0 * Self.second }
    let asked = asked(times, after: 30 * Self.second)
    #expect(asked.map(\.trigger) == [0, 29, 100].map { $0 * Self.second })
    #expect(asked.map(\.at) == [0, 31, 100].map { $0 * Self.second })
  }

  /// Nobody looked yet when the next one comes.
  @Test func oneThatIsHeldBackIsNotForgottenForTheNext() {
    let times = [0, 5, 32].map { $0 * Self.second }
    let asked = asked(times, after: 9 * Self.second, lookingEvery: 40 * Self.second)
    #expect(asked.map(\.trigger) == times)
    #expect(asked.map(\.at) == [0, 32, 32].map { $0 * Self.second })
  }

  @Test(arguments: [0, 1, 300, 1_000, 5_000, 30_000])
  func everyTriggerHasItsWindow(milliseconds: Int) {
    let after = Int64(milliseconds) * 1_000_000
    var random = SplitMix64()
    for _ in 0..<25 {
      let gap = random.int(1...20_000)
      var time: Int64 = 0
      let times = (0..<random.int(1...60)).map { _ in
        time += Int64(random.int(0...gap)) * 1_000_000
        return time
      }
      let asked = asked(times, after: after)
      let windows = asked.map { $0.trigger...$0.trigger + after + TopicTriggers.together }
      for time in times {
        // Up to where is it covered without a gap, by windows in the order of their beginnings?
        var covered = time
        for window in windows where window.contains(covered) { covered = window.upperBound }
        #expect(covered >= time + after, "\(time) of \(times): \(asked)")
      }
      for (one, next) in zip(asked, asked.dropFirst()) {
        #expect(next.trigger - one.trigger > TopicTriggers.together)
        // What a window has to have was not there yet, or another one has it.
        let end = one.trigger + after + TopicTriggers.together
        #expect(next.at - end <= Self.second / 10 || next.at == next.trigger)
      }
    }
  }

  @Test func aWindowWithoutAnEndIsTheLast() {
    var triggers = TopicTriggers(prefixes: [[]], after: .max)
    let first = triggers.take(.init(time: 5, prefix: 0))
    let later = triggers.take(.init(time: 5 + 2 * Self.second, prefix: 0))
    let due = triggers.takeDue(.max - 1)
    #expect(first && !later && due == nil)
  }

  @Test func aTopicTriggersByItsFirstBytes() {
    let triggers = TopicTriggers(prefixes: [[1, 2], [0xFF]], after: 0)
    func prefix(_ topic: [UInt8]) -> Int? { topic.withUnsafeBytes { triggers.prefix(of: $0) } }
    #expect(prefix([1, 2]) == 0 && prefix([1, 2, 3]) == 0 && prefix([0xFF, 0]) == 1)
    #expect(prefix([1]) == nil && prefix([]) == nil && prefix([0, 1, 2]) == nil)
  }
}
