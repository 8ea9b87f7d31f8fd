import CaptureStore
import Foundation
import TestSupport
import Testing
import ZeroMQ

extension ZcapTests {
  /// Files that end, or fail, under `zcap replay`.
  @Suite struct FailingFileTests {
    private static let millisecond: Int64 = 1_000_000

    @Test func aTimingFileThatFailsKeepsNothingFromItsSubscriber() throws {
      let rig = try Rig()
      let count = 20_000
      try MadeCapture.evenly(count, nanoseconds: 1_000).write(rig.capture("made"))
      let endpoint = rig.endpoint("timing")
      let subscriber = try Subscriber(connecting: endpoint)
      // Files end at 512 bytes.
      let words = [
        "-c", #"ulimit -f 1; exec "$@""#, "sh", try Programs.zcap(), "replay", "made", "--bind",
        endpoint, "--rate", "max", "--wait-subscribers", "1", "--wait-timeout", "30s", "--timing",
        "times.csv",
      ]
      let replay = try ChildProcess(
        "/bin/sh", words.map { Array($0.utf8) }, environment: ["ZCAP_STORE": rig.store],
        directory: rig.directory.path)
      #expect(try subscriber.receiveAll().numberingFault(frame: 1, count: count) == nil)
      let run = try replay.wait()
      #expect(run.exitCode == 1, "\(run)")
      #expect(run.standardError.contains("times.csv: ") && run.standardError.contains("too large"))
    }

    /// All of it waits in libzmq when it is cut: small frames are copied by its I/O thread, large ones
    /// by the kernel, on that thread.
    @Test(arguments: [8_000, 200_000])
    func whatIsCutBeforeLibzmqSentItIsAnErrorAndNoCrash(size: Int) throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.segmentSize = 16 << 20
      let payload = [UInt8](repeating: 0x55, count: size)
      let count = (64 << 20) / size
      for number in 0..<count {
        capture.entries.append(
          .init(nanoseconds: Int64(number), frames: [Array("\(number)".utf8), payload]))
      }
      try capture.write(rig.capture("made"))
      let subscriber = try Subscriber(connecting: rig.endpoint("cut"), highWaterMark: 10)
      let replay = try rig.start([
        "replay", "made", "--bind", rig.endpoint("cut"), "--rate", "max", "--wait-subscribers", "1",
        "--wait-timeout", "30s", "--control", rig.endpoint("control"),
      ])
      var arrivals = try subscriber.receive(5)
      let control = try ReplayController(rig.endpoint("control"))
      try waitFor("all of it to be handed over") {
        try control.ask(#"{"do":"status"}"#)["messages"] == .integer(count)
      }
      for number in 0..<5 {
        let path = CapturePath.segment(rig.capture("made"), UInt64(number))
        #expect(truncate(path, 4096) == 0 || errno == ENOENT)
      }
      arrivals += try subscriber.receiveAll()
      #expect(arrivals.count < count)
      #expect(arrivals.numberingFault(frame: 0, count: arrivals.count) == nil)
      #expect(arrivals.allSatisfy { $0.frames[1] == payload })
      let run = try replay.wait()
      #expect(run.exitCode == 1, "\(run)")
      #expect(run.standardError.contains(" was cut"))
    }

    @Test func aSegmentThatIsCutUnderneathIsAnErrorAndNoCrash() throws {
      let rig = try Rig()
      var capture = MadeCapture()
      capture.segmentSize = 16 << 20
      let payload = [UInt8](repeating: 0x55, count: 64 << 10)
      for number in 0..<200 {
        capture.entries.append(
          .init(
            nanoseconds: Int64(number) * 20 * Self.millisecond,
            frames: [Array("\(number)".utf8), payload]))
      }
      try capture.write(rig.capture("made"))
      let endpoint = rig.endpoint("cut")
      let subscriber = try Subscriber(connecting: endpoint)
      let replay = try rig.start([
        "replay", "made", "--bind", endpoint, "--wait-subscribers", "1", "--wait-timeout", "30s",
      ])
      let arrivals = try subscriber.receive(5)
      #expect(arrivals.numberingFault(frame: 0, count: 5) == nil)
      #expect(truncate(CapturePath.segment(rig.capture("made"), 0), 4096) == 0)
      let run = try replay.wait()
      #expect(run.exitCode == 1, "\(run)")
      #expect(run.standardError.contains(" was cut"))
    }
  }
}
