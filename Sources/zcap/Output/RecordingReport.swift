import CaptureStore
import Recording

/// What `zcap record` tells while it runs and when it ends.
struct RecordingReport: ~Copyable {
  private let capture: String
  private let endpoints: [String]
  private let topics: [TopicPrefix]
  private let keep: Retention?
  private let isJSON: Bool
  private var last: RecordingStatus?
  private var nextStatus = CaptureClock.monotonicNanoseconds()
  private var output = DataOutput()
  /// Those that were there, or are known to be waited for.
  private var endpointsTold: Set<String> = []

  /// `topics`: those that are subscribed to, none for all.
  init(
    capture: String, endpoints: [String], topics: [TopicPrefix], keep: Retention?, isJSON: Bool
  ) {
    self.capture = capture
    self.endpoints = endpoints
    self.topics = topics
    self.keep = keep
    self.isJSON = isJSON
  }

  /// A second between JSON objects, less between status lines.
  private var intervalNanoseconds: Int64 { isJSON ? 1_000_000_000 : 500_000_000 }

  /// Until the next status is due.
  var nanosecondsToStatus: Int64 { max(0, nextStatus - CaptureClock.monotonicNanoseconds()) }

  /// Says at once what may concern somebody.
  mutating func tell(_ events: [StoredEvent]) {
    for event in events {
      if let endpoint = event.text("endpoint") { tell(event.kind, of: endpoint) }
      if let warning = RecordingWarning(event) { Console.complain(warning.text) }
    }
  }

  /// A mistyped endpoint is told while there is still time.
  private mutating func tell(_ kind: String, of endpoint: String) {
    guard kind == "connected" || kind == "retried", endpointsTold.insert(endpoint).inserted,
      kind == "retried"
    else { return }
    Console.say("nothing listens at \(endpoint) yet; waiting for it")
    HostLookup.complainIfUnknown(hostOf: endpoint)
  }

  mutating func begin() {
    if isJSON {
      var line = JSONLine()
      line.add("event", "started")
      line.add("capture", capture)
      line.add("endpoints", endpoints)
      output.writeLine(line.text)
      output.flush()
    }
    nextStatus = CaptureClock.monotonicNanoseconds() + intervalNanoseconds
    let list = endpoints.joined(separator: ", ")
    let kept = keep.map { ", the last \($0.text) of it" } ?? ""
    Console.say("recording \(list) into \(capture)\(kept); stop with Ctrl-C")
  }

  mutating func show(_ status: RecordingStatus) {
    let rates = rates(status)
    last = status
    nextStatus = CaptureClock.monotonicNanoseconds() + intervalNanoseconds
    let free = try? Capture.freeBytes(at: capture)
    if isJSON {
      var line = JSONLine()
      line.add("event", "status")
      add(status, to: &line)
      line.add("messages_per_s", seconds: rates.messages, decimals: 1)
      line.add("bytes_per_s", seconds: rates.bytes, decimals: 1)
      line.add("free_bytes", free)
      output.writeLine(line.text)
      output.flush()
    }
    var text = Units.duration(status.elapsedNanoseconds / 1_000_000_000 * 1_000_000_000)
    text += "  \(Units.count(Int(rates.messages))) msg/s"
    text += "  \(Units.bytes(Int(rates.bytes)))/s"
    text += "  \(Units.count(status.messages)) messages"
    text += "  \(Units.bytes(status.bytes))"
    if let free { text += "  \(Units.bytes(free)) free" }
    if status.messagesLost > 0 { text += "  \(Units.count(status.messagesLost)) lost" }
    if status.possibleLosses > 0 {
      text += "  \(Units.count(status.possibleLosses)) possible losses"
    }
    Console.showStatus(text)
  }

  /// Messages and bytes a second since the last status.
  private func rates(_ status: RecordingStatus) -> (messages: Double, bytes: Double) {
    let nanoseconds = status.elapsedNanoseconds - (last?.elapsedNanoseconds ?? 0)
    let seconds = max(Double(nanoseconds) / 1e9, 1e-9)
    return (
      Double(status.messages - (last?.messages ?? 0)) / seconds,
      Double(status.bytes - (last?.bytes ?? 0)) / seconds
    )
  }

  private func add(_ status: RecordingStatus, to line: inout JSONLine) {
    line.add("elapsed_s", seconds: Double(status.elapsedNanoseconds) / 1e9, decimals: 3)
    line.add("messages", status.messages)
    line.add("bytes", status.bytes)
    line.add("refused", status.messagesRefused)
    line.add("indexed", status.messagesIndexed)
    line.add("lost", status.messagesLost)
    line.add("possible_losses", status.possibleLosses)
  }

  mutating func end(_ summary: RecordingSummary) {
    let status = summary.status
    if isJSON {
      var line = JSONLine()
      line.add("event", "summary")
      line.add("capture", capture)
      line.add("reason", summary.reason.rawValue)
      add(status, to: &line)
      line.add("segments", summary.segments)
      line.add(
        "roll_us_median", seconds: Double(summary.rolls.nanosecondsMedian) / 1e3, decimals: 1)
      line.add("roll_us_max", seconds: Double(summary.rolls.nanosecondsMax) / 1e3, decimals: 1)
      if keep != nil {
        line.add("windows", summary.windows)
        line.add("windows_failed", summary.windowsFailed)
      }
      line.add("complete", summary.isComplete)
      line.add("possible_loss_events", summary.possibleLosses.keys.sorted())
      line.add("failure", summary.failure)
      line.add("seal_failure", summary.sealFailure)
      line.add("index_failure", summary.indexFailure)
      output.writeLine(line.text)
      output.flush()
    }
    Console.say(
      "recorded \(Units.count(status.messages, "message")) (\(Units.bytes(status.bytes))) in "
        + "\(Units.duration(status.elapsedNanoseconds)) into \(capture)")
    for (endpoint, count) in zip(endpoints, status.messagesByEndpoint) where count == 0 {
      let names = topics.map { Table.printable($0.bytes) }.joined(separator: ", ")
      Console.say(
        "no message came from \(endpoint)"
          + (topics.isEmpty ? "" : " of topics that start with \(names)"))
    }
    if let failure = summary.failure {
      let rest = summary.sealFailure == nil ? "; what was recorded is sealed" : ""
      Console.complain("recording ended early: \(failure)\(rest)")
    }
    if let failure = summary.sealFailure {
      Console.complain(
        "not all of it is known to be on stable storage: \(failure); "
          + "'zcap recover \(capture)' seals what is there")
    }
    if status.messagesRefused > 0 {
      Console.complain(
        "\(Units.count(status.messagesRefused)) messages were larger than a record can be (4 GiB)")
    }
    if status.messagesLost > 0 {
      Console.complain(
        "\(Units.count(status.messagesLost)) messages never came, their counters tell; "
          + "'zcap ls \(capture) --events' lists them")
    }
    let possible = summary.possibleLosses.sorted { $0.key < $1.key }
    if !possible.isEmpty {
      let list = possible.map { "\(Units.count($0.value)) \($0.key)" }.joined(separator: ", ")
      Console.say("\(list) may hide a loss; 'zcap ls \(capture) --events' tells them")
    }
    if summary.windowsFailed > 0 {
      Console.complain(
        "\(Units.count(summary.windowsFailed, "window")) of \(Units.count(summary.windows)) could "
          + "not be made")
    }
    if summary.isCutShort {
      Console.complain("messages were still arriving when the recording ended")
    }
    if let failure = summary.indexFailure {
      Console.complain("the index failed: \(failure); run 'zcap reindex \(capture)'")
    }
  }
}
