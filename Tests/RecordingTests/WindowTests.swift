import CaptureStore
import Foundation
import TestSupport
import Testing
import Threads
import ZeroMQ

@testable import Recording

/// Windows of a ring that topics ask for, in whole recordings.
@Suite(.timeLimit(.minutes(1))) struct WindowTests {
  private static let second: Int64 = 1_000_000_000

  private let directory: TemporaryDirectory
  private let context: Context
  private let publisher: Socket
  private let address: String
  private let stop = StopToken()

  init() throws {
    directory = try TemporaryDirectory()
    context = try Context()
    address = directory.endpoint("p")
    publisher = try Socket(.xpub, in: context)
    try publisher.set(.lingerMilliseconds, 0)
    try publisher.set(.receiveTimeoutMilliseconds, 20_000)
    try publisher.bind(address)
  }

  /// A recorder of a ring that goes around within a second, and that has subscribed.
  private func recorder(after: Int64) throws -> Recorder {
    var plan = RecordingPlan(
      capture: directory.file("ring"),
      endpoints: [
        RecordedEndpoint(
          address: address, socket: "SUB", isBound: false,
          subscriptions: [SubscriptionPrefix([])])
      ], recorder: "tests")
    plan.keep = Retention(bytes: 512 << 10)
    plan.segmentSize = 64 << 10
    plan.triggerTopics = [Array("alarm".utf8)]
    plan.triggerWindow = (before: Self.second, after: after)
    let recorder = try Recorder(plan, stop: stop)
    #expect(try publisher.receiveFrames() == [[1]])
    return recorder
  }

  /// Publishes some 700 messages of 1 KiB a second for so many seconds, and alarms among them.
  private func publish(seconds: Double, alarms: [Double]) throws {
    let begun = monotonicSeconds()
    var alarms = alarms
    while monotonicSeconds() < begun + seconds {
      if let next = alarms.first, monotonicSeconds() >= begun + next {
        try publisher.send([Array("alarm \(alarms.removeFirst())".utf8), [1]])
      }
      for _ in 0..<15 { try publisher.send([[0], [UInt8](repeating: 1, count: 1 << 10)]) }
      usleep(20_000)
    }
  }

  /// What the captures beside the ring have together.
  private func kept() throws -> (windows: Int, messages: [UInt64: TestMessage]) {
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
      .filter { $0.hasPrefix("ring.") }
    var messages: [UInt64: TestMessage] = [:]
    for name in names {
      let walk = try CaptureWalk(unused: Capture(path: directory.file(name)))
      #expect(walk.isWhole)
      messages.merge(walk.messages) { $1 }
    }
    return (names.count, messages)
  }

  @Test func anAlarmInTheWindowOfAnotherHasAllOfItsOwn() throws {
    let after = 2 * Self.second
    let recorder = try recorder(after: after)
    try publish(seconds: 6, alarms: [0.5, 0.8, 2.2])
    stop.request()
    #expect(try recorder.finish().isComplete)

    let (windows, messages) = try kept()
    let order = messages.keys.sorted()
    let isContiguous = order == Array(order[0]..<order[0] + UInt64(order.count))
    #expect(windows == 2 && isContiguous)
    let alarms = order.compactMap { messages[$0] }
      .filter { $0.frames[0].starts(with: Array("alarm".utf8)) }
    #expect(alarms.count == 3)
    let last = try #require(messages[order.last!]).time
    for alarm in alarms { #expect(last >= alarm.time + after - Self.second / 10) }
    // What came long after the last one is not kept.
    #expect(order.count < Int(recorder.status.messages))
  }
}
