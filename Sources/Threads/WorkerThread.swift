private import CLinux
import Glibc

/// A named POSIX thread that runs one function and is joined by whoever started it.
///
/// The recorder, the keeper, the indexer and the replayer are such threads: each owns its work for
/// the life of a capture, so a pool or a task would only hide who runs where.
public final class WorkerThread: @unchecked Sendable {
  private let handle: pthread_t
  private var isJoined = false

  /// Starts a thread. `name` is what `top -H` shows; the kernel keeps its first 15 bytes.
  ///
  /// Source: `pthread_create(3)`.
  public init(name: String, _ body: @escaping @Sendable () -> Void) {
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
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
  let body: @Sendable () -> Void

  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }
}

private func runStart(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument = unsafe argument else { return nil }
  let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
  _ = unsafe set_thread_name(String(start.name.utf8.prefix(15)) ?? "zcap")
  start.body()
  return nil
}
