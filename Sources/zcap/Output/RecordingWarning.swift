import CaptureIndex
import CaptureStore

/// An event of a recording that somebody should hear of at once, as a line.
struct RecordingWarning {
  let text: String

  /// nil for events that concern nobody.
  init?(_ event: StoredEvent) {
    let endpoint = event.text("endpoint") ?? "?"
    let reason = event.text("reason") ?? "?"
    let length = event.number("ms").map { Units.duration($0 * 1_000_000) } ?? "a while"
    switch event.kind {
    case "disconnected":
      text = "publisher of \(endpoint) is gone; waiting for it to return"
    case "connected":
      guard let after = event.number("after_ms") else { return nil }
      text = "publisher of \(endpoint) is back after \(Units.duration(after * 1_000_000))"
    case "handshake_failed":
      text = "handshake with \(endpoint) failed: \(reason)"
    case "stalled":
      guard event.mayHideLoss else { return nil }
      text = "recording was held up for \(length); publishers may have dropped messages"
    case "paused":
      text = "zcap was stopped for \(length); publishers may have dropped messages"
    case "queue_full":
      text = "the queue of \(endpoint) may be full; its publisher may have dropped messages"
    case "refused":
      text = "a message of \(Units.bytes(event.number("bytes") ?? 0)) from \(endpoint) is too large"
    case "clock_step":
      let step = Units.duration(abs(event.number("by_ms") ?? 0) * 1_000_000)
      text = "the time of day was set by \(step)"
    case "index_lag":
      text = "the index is \(Units.count(event.number("messages") ?? 0)) messages behind"
    case "last_segment":
      text =
        "no room for another segment: \(reason); recording ends where there is none when this one is full"
    case "ring_short":
      text =
        "no room for all that --keep asks for: \(reason); the ring keeps what there is room for"
    case "triggered":
      text = "triggered (\(reason)): \(Self.window(event)) it are kept in \(Self.capture(event))"
    case "pinned":
      text = Self.pinned(event)
    case "pin_failed":
      text = "\(Self.capture(event)) could not be made: \(reason)"
    case "sync_failed":
      text = "a sync failed: \(reason); nothing from here on is known to be on stable storage"
    default:
      return nil
    }
  }

  private static func capture(_ event: StoredEvent) -> String { event.text("capture") ?? "?" }

  private static func pinned(_ event: StoredEvent) -> String {
    let (before, asked) = (event.number("before_ms") ?? 0, event.number("asked_before_ms") ?? 0)
    var reasons: [String] = []
    if event.number("late") != nil {
      reasons.append("of \(Units.duration(asked * 1_000_000)) before, the ring had no more")
    } else if before < asked {
      reasons.append("nothing was recorded before that")
    }
    if event.number("cut") != nil { reasons.append("the recording ended before the rest") }
    let what = reasons.isEmpty ? "has it" : "has what there was"
    let segments = Units.count(event.number("segments") ?? 0, "segment")
    let all = "\(window(event)) the trigger, \(segments)"
    return (["\(capture(event)) \(what): \(all)"] + reasons).joined(separator: "; ")
  }

  /// `1m00s before and 30s behind`.
  private static func window(_ event: StoredEvent) -> String {
    let (before, after) = (event.number("before_ms") ?? 0, event.number("after_ms") ?? 0)
    return "\(Units.duration(before * 1_000_000)) before and "
      + "\(Units.duration(after * 1_000_000)) behind"
  }
}
