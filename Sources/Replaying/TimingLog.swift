import Foundation
import Glibc
import Threads

/// Writes when each message was to leave and when it did, for whoever wants to see more than a summary.
///
/// A CSV file with a line for each message that was sent, in the order of sending, and these columns:
///
/// | column | |
/// |---|---|
/// | `capture` | its number on the command line, from 1 on |
/// | `sequence` | of the message in its capture |
/// | `timeline_ns` | recorded time played before it, over all loops and seeks |
/// | `asked_ns` | when it was due, from the moment the replay began; empty where it had no time |
/// | `sent_ns` | when libzmq had taken it |
///
/// The sending thread only notes numbers: another one formats and writes them.
final class TimingLog {
  /// A line. Times in nanoseconds.
  struct Entry {
    var source: Int32
    var sequence: UInt64
    var timeline: Int64
    var asked: Int64?
    var sent: Int64
  }

  private static let entriesPerHandOver = 4_096
  /// 16 MiB at most; a disk that is slower than the replay holds it up.
  private static let handOversMax = 100

  private struct State {
    var full: [[Entry]] = []
    var isDone = false
    var failure: (any Error)?
  }

  private let path: String
  private let state = Guarded(State())
  private let thread: WorkerThread
  private var isFinished = false
  private var entries: [Entry] = []

  /// Makes the file anew. Throws `ReplayError.timingUnwritable`.
  init(_ path: String) throws(ReplayError) {
    self.path = path
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw .timingUnwritable(path: path, reason: unsafe String(cString: strerror(errno)))
    }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    thread = WorkerThread(name: "zcap timing") { [state] in
      do {
        try file.write(contentsOf: Data("capture,sequence,timeline_ns,asked_ns,sent_ns\n".utf8))
        while let entries = Self.takeFull(state) {
          try file.write(contentsOf: Self.lines(entries))
        }
        try file.close()
      } catch {
        state.withLock { $0.failure = error }
      }
    }
  }

  /// For the sending thread.
  func add(_ entry: Entry) {
    entries.append(entry)
    if entries.count == Self.entriesPerHandOver { handOver() }
  }

  /// Writes the rest; once more does nothing. Throws `ReplayError.timingUnwritable`.
  func finish() throws(ReplayError) {
    if isFinished { return }
    isFinished = true
    handOver()
    state.withLock { $0.isDone = true }
    thread.join()
    if let failure = state.withLock({ $0.failure }) {
      throw .timingUnwritable(path: path, reason: Self.reason(of: failure))
    }
  }

  /// What the system says, where Foundation only says that it did not work.
  private static func reason(of failure: any Error) -> String {
    let underlying = (failure as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    guard let underlying, underlying.domain == NSPOSIXErrorDomain else {
      return failure.localizedDescription
    }
    return unsafe String(cString: strerror(CInt(underlying.code)))
  }

  private func handOver() {
    let entries = entries
    state.wait { state -> Void? in
      // Nobody takes them any more where the file has failed.
      if state.failure != nil { return () }
      guard state.full.count < Self.handOversMax else { return nil }
      state.full.append(entries)
      return ()
    }
    self.entries = []
    self.entries.reserveCapacity(Self.entriesPerHandOver)
  }

  private static func takeFull(_ state: Guarded<State>) -> [Entry]? {
    state.wait { state -> [Entry]?? in
      if !state.full.isEmpty { return .some(state.full.removeFirst()) }
      return state.isDone ? .some(nil) : nil
    }
  }

  private static func lines(_ entries: [Entry]) -> Data {
    var text = ""
    for entry in entries {
      text += "\(entry.source + 1),\(entry.sequence),\(entry.timeline),"
      text += (entry.asked.map(String.init) ?? "") + ",\(entry.sent)\n"
    }
    return Data(text.utf8)
  }
}
