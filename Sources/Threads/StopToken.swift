private import CLinux
import Glibc
import Synchronization

/// A request to finish, which any thread may make and any thread may see or wait for.
///
/// Busy loops look at `isRequested` (one relaxed load); loops that sleep put `fileDescriptor`,
/// which becomes readable and stays so, beside whatever else they wait for.
public final class StopToken: Sendable {
  /// Readable once a stop was requested. Source: `eventfd(2)`.
  public let fileDescriptor: CInt
  private let requested = Atomic<Bool>(false)

  public init() {
    fileDescriptor = eventfd(0, eventfd_flags)
    precondition(fileDescriptor >= 0, "eventfd: error \(errno)")
  }

  deinit {
    close(fileDescriptor)
  }

  public var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// Asks for a stop; asking again changes nothing.
  public func request() {
    requested.store(true, ordering: .relaxed)
    eventfd_write(fileDescriptor, 1)
  }

  /// Sleeps until a monotonic time, or until a stop is requested. Returns true when it was.
  ///
  /// Returns false early when the bell rings, and that stays to be silenced.
  /// Source: `ppoll(2)`.
  public func wait(untilMonotonicNanoseconds deadline: Int64, bell: Doorbell? = nil) -> Bool {
    // The kernel passes over a descriptor below 0.
    var items = (
      pollfd(fd: fileDescriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: bell?.fileDescriptor ?? -1, events: Int16(POLLIN), revents: 0)
    )
    while !isRequested {
      if let bell, bell.isRung { return false }
      var now = timespec()
      unsafe clock_gettime(CLOCK_MONOTONIC, &now)
      let left = deadline - (Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec))
      if left <= 0 { return false }
      var timeout = timespec(
        tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
      unsafe withUnsafeMutablePointer(to: &items) { items in
        unsafe items.withMemoryRebound(to: pollfd.self, capacity: 2) { items in
          _ = unsafe ppoll(items, 2, &timeout, nil)
        }
      }
      if items.1.revents != 0 { bell?.noteRung() }
    }
    return true
  }
}
