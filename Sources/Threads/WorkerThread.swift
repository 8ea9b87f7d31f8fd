private import CLinux
import Glibc

/// A named POSIX thread that runs one function and is joined by whoever started it.
///
/// The recorder, the keeper, the indexer and the replayer are such threads: each owns its work for
/// the life of a capture, so a pool or a task would only hide who runs where.
public final class WorkerThread: @unchecked Sendable {
  private let handle: pthread_t
  private var isJoined = false

  /// How a thread runs beside others.
  public enum Priority: Sendable {
    case usual
    /// Its share like all, but when it wakes nobody who runs is interrupted for it.
    case patient
    /// When nobody else wants to, but for a little; patient, too.
    case background
    /// On one CPU alone, by its number.
    case onCPU(Int)
  }

  /// Starts a thread. `name` is what `top -H` shows; the kernel keeps its first 15 bytes. Where the
  /// system does not grant its priority, it runs as usual.
  ///
  /// Source: `pthread_create(3)`, `sched(7)`, `setpriority(2)`, `sched_setaffinity(2)`.
  public init(
    name: String, priority: Priority = .usual, _ body: @escaping @Sendable () -> Void
  ) {
    let start = unsafe Unmanaged.passRetained(Start(name: name, priority: priority, body: body))
    var handle = pthread_t()
    let result = unsafe pthread_create(&handle, nil, runStart, start.toOpaque())
    precondition(result == 0, "pthread_create: error \(result)")
    self.handle = handle
  }

  /// Waits for the function to return. Called once, by one thread.
  ///
  /// Source: `pthread_join(3)`.
  public func join() {
    precondition(!isJoined, "a thread is joined once")
    isJoined = true
    let result = pthread_join(handle, nil)
    precondition(result == 0, "pthread_join: error \(result)")
  }
}

private final class Start: Sendable {
  let name: String
  let priority: WorkerThread.Priority
  let body: @Sendable () -> Void

  init(
    name: String, priority: WorkerThread.Priority, body: @escaping @Sendable () -> Void
  ) {
    self.name = name
    self.priority = priority
    self.body = body
  }
}

private func runStart(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument = unsafe argument else { return nil }
  let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
  _ = unsafe set_thread_name(String(start.name.utf8.prefix(15)) ?? "zcap")
  switch start.priority {
  case .usual: break
  case .patient: _ = set_thread_patient()
  case .background: _ = (set_thread_patient(), set_thread_niceness(10))
  case .onCPU(let cpu): _ = set_thread_cpu(CInt(cpu))
  }
  start.body()
  return nil
}
