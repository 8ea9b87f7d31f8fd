import CaptureIndex
import CaptureStore
import Replaying
import Threads

/// What `zcap replay` tells while it runs and when it ends.
struct ReplayReport: Sendable {
  let plan: ReplayPlan
  /// Paths.
  let captures: [String]
  let endpoints: [String]
  let isJSON: Bool

  func begin(control: String?, clock: String?) {
    if isJSON {
      var line = JSONLine()
      line.add("event", "started")
      line.add("capture", captures[0])
      line.add("captures", captures)
      line.add("endpoints", endpoints)
      line.add("control", control)
      line.add("clock", clock)
      write(line)
    }
    let played = captures.joined(separator: ", ")
    Console.say("replaying \(played) to \(endpoints.joined(separator: ", "))")
    if plan.awaitsAnyPeer && plan.peersAwaited == 0 { Console.say("waiting for a peer") }
    if plan.peersAwaited > 0 {
      let who = plan.kind == .pub ? "subscriber" : "peer"
      let each = endpoints.count > 1 ? " at each of \(endpoints.count) endpoints" : ""
      Console.say("waiting for \(Units.count(plan.peersAwaited, who))\(each)")
    }
    for prefix in plan.topicsAwaited {
      Console.say("waiting for somebody to subscribe to '\(Table.printable(prefix))'")
    }
  }

  /// Shows the status line, on a terminal, until the replay is done.
  func follow(_ replayer: Replayer, until isDone: StopToken) {
    guard Console.isTerminal else { return }
    while !isDone.wait(untilMonotonicNanoseconds: nextShow()) {
      Console.showStatus(text(replayer.status))
    }
  }

  /// Who controls it wants to see what it did.
  private func nextShow() -> Int64 {
    CaptureClock.monotonicNanoseconds() + (plan.isControlled ? 100_000_000 : 500_000_000)
  }

  private func text(_ status: ReplayStatus) -> String {
    switch status.phase {
    case .waitingForPeers:
      if plan.peersAwaited == 0 { return "waiting" }
      let who = plan.kind == .pub ? "subscribers" : "peers"
      return "waiting for \(who): \(status.peers) of \(plan.peersAwaited)"
    case .draining:
      return "waiting until everything is delivered"
    case .playing:
      var text = "+" + Units.duration(status.positionNanoseconds / 1_000_000 * 1_000_000)
      if status.isPaused { text += "  paused" }
      if let rate = status.rate, plan.isControlled { text += "  rate \(Units.fixed(rate, 3))" }
      text += "  \(Units.count(status.messages)) messages  \(Units.bytes(status.bytes))"
      if let due = status.nextDue {
        // A long silence is not to look like a hang.
        let left = due - CaptureClock.monotonicNanoseconds()
        if left > 2_000_000_000 { text += "  next message in \(Units.duration(left))" }
      }
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
    if let achieved = achievedRate(summary) { text += " at \(achieved) (asked: \(askedRate))" }
    Console.say(text)
    if summary.messagesOfState > 0 {
      Console.say("before that, \(Units.count(summary.messagesOfState, "message")) of the state")
    }
    if let fidelity = fidelity(summary.lateness) { Console.say(fidelity) }
    for line in table(summary.topics) { Console.say(line) }
    for held in summary.held {
      let peer = held.peer.map { " by \($0)" } ?? " by full peers"
      Console.say("held up \(Units.duration(held.nanoseconds)) at \(held.endpoint)\(peer)")
    }
    tellWhatWasLeftOut(summary)
    for endpoint in summary.endpointsWithoutPeer {
      Console.say("nobody subscribed at \(endpoint); --wait-subscribers 1 waits for somebody")
    }
    for endpoint in summary.endpointsLeft {
      Console.say("at \(endpoint) the last subscriber was gone before the end")
    }
    if summary.isStopped && !summary.isEndless { Console.complain("stopped before the end") }
    if summary.isCutShort {
      Console.complain(
        "peers did not take everything within --linger "
          + "\(Units.duration(summary.lingerNanoseconds)); the last messages may be missing there")
    }
    tellLosses(summary)
  }

  private func tellLosses(_ summary: ReplaySummary) {
    for number in summary.sourcesWithoutMessages {
      Console.say("\(captures[number]): no message matches the selection")
    }
    for number in summary.sourcesUnsealed {
      let text = "\(captures[number]) was not sealed by its recorder"
      if summary.isRecordingKilled {
        Console.complain("\(text); what it had not committed is missing")
      } else {
        Console.say("\(text); what was committed is here")
      }
    }
    let others = MessageListing.losses(
      missing: summary.messagesMissing, retired: summary.messagesRetired, damages: summary.damages)
    for line in CompletenessReport.losses(captures, summary.sources, met: others) {
      Console.complain(line)
    }
  }

  /// The lateness of each topic, the latest first.
  private func table(_ topics: [TopicLateness]) -> [String] {
    guard !topics.isEmpty else { return [] }
    var table = Table([
      ("topic", .left), ("messages", .right), ("half within", .right), ("99 % within", .right),
      ("the latest", .right), ("late", .right),
    ])
    for topic in topics.sorted(by: { $0.lateness.nanosecondsMax > $1.lateness.nanosecondsMax }) {
      let percentiles = [50.0, 99.0].map {
        topic.lateness.nanoseconds(percentile: $0).map(Units.duration) ?? ""
      }
      table.add([
        topic.topic.text, Units.count(topic.lateness.count), percentiles[0], percentiles[1],
        Units.duration(topic.lateness.nanosecondsMax), Units.count(topic.lateness.lateCount),
      ])
    }
    return table.lines(isColoured: false)
  }

  /// How exactly the timeline was kept; nil at full speed.
  private func fidelity(_ lateness: Lateness) -> String? {
    let percentiles = [("half", 50.0), ("99 %", 99.0), ("99.9 %", 99.9)].compactMap {
      name, percent in
      lateness.nanoseconds(percentile: percent).map { "\(name) within \(Units.duration($0))" }
    }
    guard !percentiles.isEmpty else { return nil }
    let latest = Units.duration(lateness.nanosecondsMax)
    return "on time: \(percentiles.joined(separator: ", ")), the latest by \(latest)"
  }

  private func tellWhatWasLeftOut(_ summary: ReplaySummary) {
    for number in summary.stampsIdle {
      let prefix = Table.printable(plan.stamps[number].prefix)
      Console.say("--restamp: no message had a topic that starts with '\(prefix)'")
    }
    for number in summary.topicMappingsIdle {
      let old = Table.printable(plan.topicMappings[number].old)
      let earlier = plan.topicMappings[..<number].first {
        plan.topicMappings[number].old.starts(with: $0.old)
      }
      if let earlier {
        Console.say("--topic-map: '\(Table.printable(earlier.old))' fits before '\(old)' does")
      } else {
        Console.say("--topic-map: no message had a topic that starts with '\(old)'")
      }
    }
    if summary.lateness.lateCount > 0, let limit = summary.lateness.limit {
      Console.complain(
        "\(Units.count(summary.lateness.lateCount, "message")) went out more than "
          + "\(Units.duration(limit)) late")
    }
    if summary.fieldsMissed > 0 {
      Console.complain(
        "--restamp: \(Units.count(summary.fieldsMissed, "time was", "times were")) not written: "
          + "frames end before the field")
    }
    if summary.messagesDropped > 0 {
      Console.complain(
        "\(Units.count(summary.messagesDropped, "message")) came too late and were not sent")
    }
    if summary.peersDropped > 0 {
      Console.complain(
        "\(Units.count(summary.peersDropped, "peer")) took nothing for "
          + "\(Units.duration(plan.stallNanosecondsMax ?? 0)) and "
          + (summary.peersDropped == 1 ? "was" : "were") + " disconnected")
    }
  }

  /// As it was asked for; nil where there is none.
  private func achievedRate(_ summary: ReplaySummary) -> String? {
    if plan.followNanoseconds != nil { return nil }
    return switch plan.pace {
    case .max, .rate: summary.achievedRate.map { "rate \(Units.fixed($0, 3))" }
    case .messagesPerSecond:
      summary.messagesPerSecond.map { "\(Units.fixed($0, 1)) messages/s" }
    case .bytesPerSecond: summary.bytesPerSecond.map { "\(Units.fixed($0, 0)) bytes/s" }
    }
  }

  private var askedRate: String {
    if plan.followNanoseconds != nil { return "follow" }
    return switch plan.pace {
    case .max: "max"
    case .messagesPerSecond(let rate): "\(rate) messages/s"
    case .bytesPerSecond(let rate): "\(rate) bytes/s"
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
    line.add("capture", captures[0])
    line.add("captures", captures)
    line.add("messages", summary.messages)
    line.add("bytes", summary.bytes)
    line.add("duration_s", seconds: Double(summary.durationNanoseconds) / 1e9, decimals: 9)
    line.add("timeline_s", seconds: Double(summary.timelineNanoseconds) / 1e9, decimals: 9)
    line.add("rate_asked", askedRate)
    line.add(
      "rate_achieved", seconds: plan.followNanoseconds == nil ? summary.achievedRate : nil,
      decimals: 6)
    line.add("messages_per_s", seconds: summary.messagesPerSecond, decimals: 1)
    line.add("bytes_per_s", seconds: summary.bytesPerSecond, decimals: 1)
    add(summary.lateness, to: &line)
    line.add("held_s", seconds: Double(summary.heldNanoseconds) / 1e9, decimals: 9)
    line.add("held", summary.held.map(json))
    line.add("dropped", summary.messagesDropped)
    line.add("peers_dropped", summary.peersDropped)
    line.add("state_messages", summary.messagesOfState)
    line.add("damaged", summary.damages)
    line.add("lost", summary.sources.reduce(summary.messagesMissing) { $0 + $1.lost })
    line.add("retired", summary.messagesRetired)
    line.add("stopped", summary.isStopped)
    line.add("cut_short", summary.isCutShort)
    line.add("recorder_killed", summary.isRecordingKilled)
    line.add("damaged_bytes", summary.sources.reduce(0) { $0 + $1.damagedBytes })
    line.add("segments_cut", summary.sources.reduce(0) { $0 + $1.segmentsCut })
    line.add("unsealed", summary.sourcesUnsealed.map { captures[$0] })
    line.add("nothing_selected", summary.sourcesWithoutMessages.map { captures[$0] })
    line.add("nobody_subscribed", summary.endpointsWithoutPeer)
    line.add("subscribers_left", summary.endpointsLeft)
    line.add("fields_missed", summary.fieldsMissed)
    if plan.isByTopic { line.add("topics", summary.topics.map(json)) }
    return line
  }

  private func add(_ lateness: Lateness, to line: inout JSONLine) {
    for (name, percent) in [("p50", 50.0), ("p90", 90), ("p99", 99), ("p999", 99.9)] {
      let nanoseconds = lateness.nanoseconds(percentile: percent)
      line.add("lateness_\(name)_s", seconds: nanoseconds.map { Double($0) / 1e9 }, decimals: 9)
    }
    line.add("lateness_max_s", seconds: Double(lateness.nanosecondsMax) / 1e9, decimals: 9)
    line.add("late", lateness.lateCount)
  }

  private func json(_ topic: TopicLateness) -> JSONLine {
    var line = JSONLine()
    switch topic.topic {
    case .topic(let name): line.add(topic: name)
    case .none: line.add(topic: nil)
    case .others: line.add("others", true)
    }
    line.add("messages", topic.lateness.count)
    add(topic.lateness, to: &line)
    return line
  }

  private func json(_ held: HeldUp) -> JSONLine {
    var line = JSONLine()
    line.add("endpoint", held.endpoint)
    line.add("peer", held.peer)
    line.add("s", seconds: Double(held.nanoseconds) / 1e9, decimals: 9)
    return line
  }
}

extension TopicLateness.Topic {
  /// For people.
  fileprivate var text: String {
    switch self {
    case .topic(let name): Table.printable(name)
    case .none: "(no topic)"
    case .others: "(others)"
    }
  }
}
