private import CLinux
import Glibc
import Synchronization

/// Tells a thread that something was left for it, whether it sleeps or is busy.
///
/// Whoever is busy looks at `isRung` (one relaxed load); who sleeps waits with
/// `StopToken.wait(untilMonotonicNanoseconds:bell:)`. It rings until it is silenced.
public final class Doorbell: Sendable {
  /// Readable while it rings. Source: `eventfd(2)`.
  let fileDescriptor: CInt
  private let rung = Atomic<Bool>(false)

  public init() {
    fileDescriptor = eventfd(0, eventfd_flags)
    precondition(fileDescriptor >= 0, "eventfd: error \(errno)")
  }

  deinit { close(fileDescriptor) }

  public var isRung: Bool { rung.load(ordering: .relaxed) }

  /// To be called after leaving what it is about.
  public func ring() {
    // In this order, and `silence` in the same: where one comes between, the flag says it rings and
    // the descriptor does not, which has somebody look in vain.
    eventfd_write(fileDescriptor, 1)
    rung.store(true, ordering: .sequentiallyConsistent)
  }

  /// Whoever saw that the descriptor is readable need not wait for the flag: the one who rings may be
  /// kept from the CPU between the two, by the one who was woken.
  func noteRung() { rung.store(true, ordering: .sequentiallyConsistent) }

  /// To be called before looking at what was left: what is left later rings anew.
  public func silence() {
    rung.store(false, ordering: .sequentiallyConsistent)
    var count: eventfd_t = 0
    _ = unsafe eventfd_read(fileDescriptor, &count)
  }
}
