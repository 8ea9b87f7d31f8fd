import CaptureIndex
import Replaying

/// What `zcap replay --dry-run` tells.
struct PreviewReport {
  let plan: ReplayPlan
  /// Paths.
  let captures: [String]
  let isJSON: Bool

  func show(_ preview: ReplayPreview) {
    var output = DataOutput()
    if isJSON {
      output.writeLine(json(preview).text)
    } else {
      for line in lines(preview) { output.writeLine(line) }
    }
    output.flush()
    let losses = MessageListing.losses(
      missing: preview.messagesMissing, retired: preview.messagesRetired, damages: preview.damages)
    for line in CompletenessReport.losses(captures, preview.sources, met: losses) {
      Console.complain(line)
    }
  }

  private func lines(_ preview: ReplayPreview) -> [String] {
    var lines = [
      "\(captures.joined(separator: ", ")): \(Units.count(preview.messages, "message")), \(Units.bytes(preview.bytes))",
      "recorded time  \(Units.duration(preview.timelineNanoseconds))",
      "it takes       \(preview.durationNanoseconds.map(Units.duration) ?? "what the peers take")"
        + (plan.loops == 1 ? "" : " each time"),
      "longest gap    \(Units.duration(preview.longestGap.nanoseconds))"
        + " before message \(Units.count(preview.longestGap.sequence))",
      "busiest second \(Units.count(preview.messagesPerSecondMax, "message"))",
    ]
    if preview.messagesOfState > 0 {
      lines.append("state first    \(Units.count(preview.messagesOfState, "message"))")
    }
    if let loops = plan.loops {
      let (all, isTooMuch) = preview.messages.multipliedReportingOverflow(by: UInt64(loops))
      let inAll = isTooMuch ? "" : ", \(Units.count(all, "message")) in all"
      if loops > 1 { lines.append("played         \(loops) times\(inAll)") }
    } else {
      lines.append("played         until it is stopped")
    }
    for (target, messages) in preview.targets {
      let verb = target.isBound ? "bind" : "connect to"
      lines.append("would \(verb) \(target.address) and send \(Units.count(messages, "message"))")
    }
    return lines
  }

  private func json(_ preview: ReplayPreview) -> JSONLine {
    var line = JSONLine()
    line.add("capture", captures[0])
    line.add("captures", captures)
    line.add("messages", preview.messages)
    line.add("bytes", preview.bytes)
    line.add("timeline_s", seconds: Double(preview.timelineNanoseconds) / 1e9, decimals: 9)
    line.add(
      "duration_s", seconds: preview.durationNanoseconds.map { Double($0) / 1e9 }, decimals: 9)
    line.add("gap_max_s", seconds: Double(preview.longestGap.nanoseconds) / 1e9, decimals: 9)
    line.add("gap_max_sequence", preview.longestGap.sequence)
    line.add("messages_per_second_max", preview.messagesPerSecondMax)
    line.add("state_messages", preview.messagesOfState)
    line.add("damaged", preview.damages)
    line.add("damaged_bytes", preview.sources.reduce(0) { $0 + $1.damagedBytes })
    line.add("lost", preview.sources.reduce(preview.messagesMissing) { $0 + $1.lost })
    line.add("loops", plan.loops)
    line.add(
      "targets",
      preview.targets.map { target, messages in
        var line = JSONLine()
        line.add("endpoint", target.address)
        line.add("bind", target.isBound)
        line.add("messages", messages)
        return line
      })
    return line
  }
}
