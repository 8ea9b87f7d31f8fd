import CaptureIndex
import CaptureStore
import Replaying
import Threads

/// What `zcap replay` tells while it runs and when it ends.
struct ReplayReport: Sendable {
  let plan: ReplayPlan
  let capture: String
  let endpoints: [String]
  let isJSON: Bool

  func begin() {
    if isJSON {
      var line = JSONLine()
      line.add("event", "started")
      line.add("capture", capture)
      line.add("endpoints", endpoints)
      write(line)
    }
    Console.say("replaying \(capture) to \(endpoints.joined(separator: ", "))")
    if plan.peersAwaited > 0 {
      Console.say("waiting for \(Units.count(plan.peersAwaited, "subscriber"))")
    }
  }

  /// Shows the status line, on a terminal, until the replay is done.
  func follow(_ replayer: Replayer, until isDone: StopToken) {
    guard Console.isTerminal else { return }
    while !isDone.wait(untilMonotonicNanoseconds: Self.nextShow()) {
      Console.showStatus(text(replayer.status))
    }
  }

  private static func nextShow() -> Int64 { CaptureClock.monotonicNanoseconds() + 500_000_000 }

  private func text(_ status: ReplayStatus) -> String {
    switch status.phase {
    case .waitingForPeers:
      return "waiting for subscribers: \(status.peers) of \(plan.peersAwaited)"
    case .draining:
      return "waiting until everything is delivered"
    case .playing:
      var text = Units.duration(status.timelineNanoseconds / 1_000_000 * 1_000_000)
      text += "  \(Units.count(status.messages)) messages  \(Units.bytes(status.bytes))"
      if status.heldNanoseconds > 0 {
        text += "  held up \(Units.duration(status.heldNanoseconds))"
      }
      return text
    }
  }

  func end(_ summary: ReplaySummary) {
    if isJSON { write(json(summary)) }
    let seconds = Units.duration(summary.durationNanoseconds)
    var text = "sent \(Units.count(summary.messages)) messages (\(Units.bytes(summary.bytes)))"
    text += " in \(seconds)"
    if let achieved = summary.achievedRate {
      text += " at rate \(Units.fixed(achieved, 3)) (asked: \(askedRate))"
    }
    if summary.heldNanoseconds > 0 {
      text += ", held up \(Units.duration(summary.heldNanoseconds)) by full peers"
    }
    Console.say(text)
    for endpoint in summary.endpointsWithoutPeer {
      Console.say("nobody subscribed at \(endpoint); --wait-subscribers 1 waits for somebody")
    }
    if summary.isStopped && !summary.isEndless { Console.complain("stopped before the end") }
    if summary.isCutShort {
      Console.complain(
        "peers did not take everything within --linger "
          + "\(Units.duration(summary.lingerNanoseconds)); the last messages may be missing there")
    }
    let others = MessageListing.losses(
      missing: summary.messagesMissing, retired: summary.messagesRetired, damages: summary.damages)
    if let losses = CompletenessReport(capture, summary.source).losses(and: others) {
      Console.complain(losses)
    }
  }

  private var askedRate: String {
    switch plan.pace {
    case .max: "max"
    case .rate(let rate): rate.rounded() == rate && rate < 1e15 ? "\(Int(rate))" : "\(rate)"
    }
  }

  private func write(_ line: JSONLine) {
    var output = DataOutput()
    output.writeLine(line.text)
    output.flush()
  }

  private func json(_ summary: ReplaySummary) -> JSONLine {
    var line = JSONLine()
    line.add("event", "summary")
    line.add("capture", capture)
    line.add("messages", summary.messages)
    line.add("bytes", summary.bytes)
    line.add("duration_s", seconds: Double(summary.durationNanoseconds) / 1e9, decimals: 9)
    line.add("timeline_s", seconds: Double(summary.timelineNanoseconds) / 1e9, decimals: 9)
    line.add("rate_asked", askedRate)
    line.add("rate_achieved", seconds: summary.achievedRate, decimals: 6)
    line.add("lateness_max_s", seconds: Double(summary.latenessNanosecondsMax) / 1e9, decimals: 9)
    line.add("held_s", seconds: Double(summary.heldNanoseconds) / 1e9, decimals: 9)
    line.add("damaged", summary.damages)
    line.add("lost", summary.source.lost + summary.messagesMissing)
    line.add("retired", summary.messagesRetired)
    line.add("stopped", summary.isStopped)
    line.add("cut_short", summary.isCutShort)
    return line
  }
}
