import CZeroMQ
import Glibc
import Synchronization

/// Whether SIGBUS gets through to the I/O threads of a context.
///
/// libzmq blocks every signal on its threads. A fault cannot wait: where such a thread reads from a
/// mapped file that was cut, the system ends the process, whatever handler there is for SIGBUS. The only
/// code of ours that libzmq runs on an I/O thread is the free function of a message: the first of all
/// frames carries this one, and others do until each of the threads has run it.
final class FaultSignal: Sendable {
  private let threads: Int
  fileprivate let threadsUnblocked = Atomic<Int>(0)

  /// Lives for ever: a frame that was received over inproc may be freed when its context is gone.
  init(threads: Int) {
    self.threads = threads
    _ = unsafe Unmanaged.passRetained(self)
  }

  var isUnblocked: Bool { threadsUnblocked.load(ordering: .relaxed) >= threads }

  /// What a message is made with beside `unblockFaults`.
  var hint: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }
}

/// The free function of a message that carries a `FaultSignal` as its hint. It frees nothing.
///
/// Source: `zmq_msg_init_data(3)`, `pthread_sigmask(3)`.
func unblockFaults(_ data: UnsafeMutableRawPointer?, _ hint: UnsafeMutableRawPointer?) {
  var faults = sigset_t()
  var blocked = sigset_t()
  unsafe sigemptyset(&faults)
  unsafe sigaddset(&faults, SIGBUS)
  unsafe pthread_sigmask(SIG_UNBLOCK, &faults, &blocked)
  // It is not blocked any more, or never was: a thread of ours threw the frame away.
  guard unsafe sigismember(&blocked, SIGBUS) == 1, let hint = unsafe hint else { return }
  let signal = unsafe Unmanaged<FaultSignal>.fromOpaque(hint).takeUnretainedValue()
  signal.threadsUnblocked.add(1, ordering: .relaxed)
}
