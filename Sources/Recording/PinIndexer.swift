import CaptureIndex
import CaptureStore
import Threads

/// The thread that makes the indexes of windows of a ring, one after the other.
///
/// That reads every byte of them, and has all the time in the world: it is not to be done by the
/// thread that records, nor on its CPU. A thread inherits the CPUs of the one that starts it, so
/// this one is started beside that one, and before there is anything to do.
final class PinIndexer: Sendable {
  private struct Queue {
    /// Of captures without an index, the oldest first.
    var paths: [String] = []
    var isClosed = false

    /// nil where there is nothing to do yet.
    mutating func takeWork() -> Work? {
      if !paths.isEmpty { return .index(path: paths.removeFirst()) }
      return isClosed ? .end : nil
    }
  }

  private enum Work {
    case index(path: String)
    case end
  }

  private let queue = Guarded(Queue())
  private let thread: WorkerThread

  init() {
    thread = WorkerThread(name: "zcap pin index", priority: .background) { [queue] in
      while case .index(let path) = queue.wait(until: { $0.takeWork() }) {
        // Whoever reads it without one makes it for himself.
        _ = try? Indexer.rebuild(Capture(path: path))
      }
    }
  }

  /// Has the index of a capture made that nobody writes any more. From any thread.
  func add(_ path: String) { queue.withLock { $0.paths.append(path) } }

  /// Makes what is left to be made and ends the thread. Called once.
  func finish() {
    queue.withLock { $0.isClosed = true }
    thread.join()
  }
}
