import CaptureIndex
import CaptureStore
import Synchronization
import Threads

/// Writes down what happens to a recording: into the capture, and for whoever shows it.
///
/// For the recording thread, but for `take` and the counts.
final class RecordingLedger: @unchecked Sendable {
  /// Events that wait to be shown; of more than that nobody would read each.
  private static let waitingMax = 1000

  private struct Shown {
    var events: [StoredEvent] = []
    var isOver = false
  }

  private let writer: CaptureWriter
  /// Nothing may be written any more: what happens is shown only.
  var isStoring = true
  private let shown = Guarded(Shown())
  private let counts = Guarded<[String: Int]>([:])
  let possibleLosses = Atomic<UInt64>(0)

  init(_ writer: CaptureWriter) { self.writer = writer }

  /// Tells an event. That it cannot be stored is no reason to end a recording.
  func tell(_ event: StoredEvent, endpoint: UInt16 = 0) {
    if isStoring {
      try? writer.append(event: event, endpoint: endpoint)
    }
    if event.mayHideLoss {
      possibleLosses.wrappingAdd(1, ordering: .relaxed)
      counts.withLock { $0[event.kind, default: 0] += 1 }
    }
    shown.withLock { if $0.events.count < Self.waitingMax { $0.events.append(event) } }
  }

  /// No event follows.
  func close() { shown.withLock { $0.isOver = true } }

  /// The events that nobody has taken yet; waits for one, until it is closed.
  func take(nanoseconds: Int64) -> [StoredEvent] {
    let found: [StoredEvent]? = shown.wait(nanoseconds: nanoseconds) { shown in
      guard !shown.events.isEmpty || shown.isOver else { return nil }
      defer { shown.events = [] }
      return shown.events
    }
    return found ?? []
  }

  /// How many of each kind that may hide a loss.
  var possibleLossesByKind: [String: Int] { counts.withLock { $0 } }
}
