import CZeroMQ
import Glibc
import Synchronization

/// Whether SIGBUS gets through to the I/O thread of a context.
///
/// libzmq blocks every signal on its threads. A fault cannot wait: where such a thread reads from a
/// mapped file that was cut, the system ends the process, whatever handler there is for SIGBUS. The only
/// code of ours that libzmq runs on its I/O thread is the free function of a message; so frames are
/// sent with this one until it was called there.
final class FaultSignal: Sendable {
  private let isThrough = Atomic<Bool>(false)

  var isUnblocked: Bool { isThrough.load(ordering: .relaxed) }

  /// What a message is made with beside `unblock`; this object has to outlive it.
  var hint: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }

  /// A free function, which frees nothing. Source: `zmq_msg_init_data(3)`, `pthread_sigmask(3)`.
  static let unblock: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void =
    {
      _, hint in
      var faults = sigset_t()
      var blocked = sigset_t()
      unsafe sigemptyset(&faults)
      unsafe sigaddset(&faults, SIGBUS)
      unsafe pthread_sigmask(SIG_UNBLOCK, &faults, &blocked)
      // Not on a thread of ours, which had it unblocked all the time.
      guard unsafe sigismember(&blocked, SIGBUS) == 1, let hint = unsafe hint else { return }
      let signal = unsafe Unmanaged<FaultSignal>.fromOpaque(hint).takeUnretainedValue()
      signal.isThrough.store(true, ordering: .relaxed)
    }
}
