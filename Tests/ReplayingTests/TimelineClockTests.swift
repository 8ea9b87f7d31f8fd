import CaptureIndex
import Foundation
import TestSupport
import Testing

@testable import CaptureStore
@testable import Replaying

@Suite struct TimelineClockTests {
  private struct Recording {
    var clock: ClockPair
    var times: [Int64]

    init(unix: Int64, monotonic: Int64, boot: UInt128 = 1, _ times: [Int64]) {
      clock = ClockPair(
        unixNanoseconds: unix, monotonicNanoseconds: monotonic, bootID: boot)
      self.times = times
    }
  }

  /// A capture with a segment for each recording, by clocks of its own.
  private func made(
    _ recordings: [Recording], in directory: borrowing TemporaryDirectory
  ) throws -> IndexReader {
    let capture = try Capture.recorded(directory.file("c"), [])
    try FileManager.default.removeItem(atPath: CapturePath.segment(capture.path, 0))
    var sequence: UInt64 = 0
    for (number, recording) in recordings.enumerated() {
      let writer = try SegmentWriter(
        directory: CapturePath.segments(capture.path), number: UInt64(number), size: 65_536)
      writer.start(captureID: capture.manifest.captureID, firstSequence: sequence)
      for time in recording.times {
        let description = SegmentWriter.Description(
          kind: .data, sequence: sequence, monotonicNanoseconds: time)
        let isAppended = withFrames([[1]]) { writer.append(description, frames: $0) }
        try #require(isAppended)
        sequence += 1
      }
      var header = try #require(writer.header)
      header.clock = recording.clock
      header.write(to: UnsafeMutableRawBufferPointer(rebasing: writer.mapping.buffer[..<4096]))
      try writer.seal(nextSequence: sequence)
    }
    return try IndexReader(capture)
  }

  private func messages(_ recordings: [Recording]) throws -> [RecordedMessage] {
    let directory = try TemporaryDirectory()
    let index = try made(recordings, in: directory)
    var found = try index.messages(Selection(), pool: SegmentPool(index.capture))
    var messages: [RecordedMessage] = []
    while let message = try found.next() { messages.append(message) }
    return messages
  }

  private func positions(_ recordings: [Recording], loops: Int = 1) throws -> [Int64] {
    let messages = try messages(recordings)
    var clock = TimelineClock()
    return (0..<loops).flatMap { _ in
      var recording = RecordingClock(origin: messages[0].unixNanoseconds)
      clock.beginLoop()
      return messages.map { clock.advance(to: recording.position(of: $0.record, in: $0.segment)) }
    }
  }

  @Test func theFirstMessageIsAtZeroAndGapsAreKept() throws {
    let recording = Recording(unix: 9_000, monotonic: 50, [100, 130, 130, 1_000])
    #expect(try positions([recording]) == [0, 30, 30, 900])
  }

  @Test func withinABootTheMonotonicClockCounts() throws {
    // The wall clock was set back by an hour between the segments.
    let hour: Int64 = 3_600_000_000_000
    let recordings = [
      Recording(unix: 2 * hour, monotonic: 0, [0, 10]),
      Recording(unix: hour, monotonic: 20, [20, 35]),
    ]
    #expect(try positions(recordings) == [0, 10, 20, 35])
  }

  /// What a segment says of the real-time clock is another figure in each: by what passed between two
  /// looks, or because the clock was set.
  @Test(arguments: [
    [0, 0, 0], [0, 400_000, -200_000], [0, -400_000, 200_000], [0, 30_000_000, 60_000_000],
    [0, 3_600_000_000_000, 7_200_000_000_000], [0, -3_600_000_000_000, 5],
    [0, -3_600_000_000_000, -7_200_000_000_000],
  ])
  func aSeekGoesWhereThePositionIsWhateverTheWallClockSaid(differences: [Int64]) throws {
    let times: [[Int64]] = [[0, 10, 20], [30, 40, 50], [60, 70, 70]].map {
      $0.map { $0 * 1_000_000 }
    }
    let base: Int64 = 9_000_000_000_000
    let recordings = zip(times, differences).map { times, difference in
      Recording(unix: base + times[0] + difference, monotonic: times[0], times)
    }
    try expectSeeks(in: recordings, find: times.flatMap(\.self))
  }

  /// The wall clock is ahead, was set back, and is ahead again: a position has one place all the same.
  @Test func aSeekGoesWhereThePositionIsInAnyBoot() throws {
    let day: Int64 = 86_400_000_000_000
    let recordings = [
      Recording(unix: 20 * day, monotonic: 500, boot: 1, [500, 600]),
      Recording(unix: 20 * day + day, monotonic: 700, boot: 1, [700, 720]),
      Recording(unix: 18 * day, monotonic: 3, boot: 2, [4, 10]),
      Recording(unix: 18 * day - day, monotonic: 20, boot: 2, [20]),
      Recording(unix: 17 * day + 130, monotonic: 9_000, boot: 3, [9_000, 9_000, 9_010]),
    ]
    let all: [Int64] = [0, 100, 200, 220, 220, 226, 236, 366, 366, 376]
    #expect(try positions(recordings) == all)
    try expectSeeks(in: recordings, find: all)
  }

  /// From every position and those beside it, what comes is what is there.
  private func expectSeeks(in recordings: [Recording], find all: [Int64]) throws {
    let directory = try TemporaryDirectory()
    let index = try made(recordings, in: directory)
    let source = try TimelineSource(ReplaySource(index), sockets: [0])
    source.origin = try #require(source.beginning)
    #expect(try source.end() == all.last)
    for position in Set(all.flatMap { [$0 - 1, $0, $0 + 1] }).sorted() where position > 0 {
      for isFollowed in [false, true] {
        var reader = try TimelineReader([source], from: position, following: isFollowed)
        var found: [Int64] = []
        while case .message(let message) = try reader.next() { found.append(message.position) }
        #expect(found == all.filter { $0 >= position }, "from \(position)")
      }
    }
  }

  @Test func fromBootToBootTheWallClockBridgesTheGap() throws {
    let recordings = [
      Recording(unix: 1_000_000, monotonic: 500_000, boot: 1, [500_000, 500_100]),
      Recording(unix: 1_005_000, monotonic: 70, boot: 2, [70, 90]),
      Recording(unix: 1_009_000, monotonic: 600_000, boot: 3, [600_000]),
    ]
    #expect(try positions(recordings) == [0, 100, 5_000, 5_020, 9_000])
  }

  @Test func aWallClockThatWentBackBetweenBootsIsNoGap() throws {
    let recordings = [
      Recording(unix: 1_000_000, monotonic: 0, boot: 1, [0, 100]),
      Recording(unix: 900_000, monotonic: 7, boot: 2, [7, 27]),
    ]
    #expect(try positions(recordings) == [0, 100, 100, 120])
  }

  @Test func timesThatRunBackwardsDoNotTurnTheTimelineBack() throws {
    let recording = Recording(unix: 1_000, monotonic: 0, [100, 200, 150, 210])
    #expect(try positions([recording]) == [0, 100, 100, 110])
  }

  @Test func aLoopBeginsWhereTheOneBeforeEnded() throws {
    let recordings = [
      Recording(unix: 1_000_000, monotonic: 0, boot: 1, [10, 30]),
      Recording(unix: 1_000_050, monotonic: 7, boot: 2, [7, 12]),
    ]
    let one: [Int64] = [0, 20, 40, 45]
    #expect(
      try positions(recordings, loops: 3) == one + one.map { $0 + 45 } + one.map { $0 + 90 })
  }

  @Test func timesAtTheEndsOfTheirRangeDoNotTrap() throws {
    let limit: Int64 = 1 << 60
    let recordings = [
      Recording(unix: 1 << 62, monotonic: 0, boot: 1, [0, limit, 1, limit]),
      Recording(unix: 0, monotonic: limit, boot: 2, [limit, 0, limit]),
      Recording(unix: 1 << 62, monotonic: limit, boot: 3, [0, limit]),
    ]
    let positions = try positions(recordings, loops: 20)
    #expect(positions == positions.sorted() && positions.count == 9 * 20)
  }
}
