import Glibc

/// State shared between threads: a mutex, a condition variable and the value they protect.
///
/// For hand-over off the hot path (a segment, a batch of messages), never once a message.
/// Timeouts run on the monotonic clock, so a stepped wall clock neither shortens nor extends them.
@safe public final class Guarded<State>: @unchecked Sendable {
  private var state: State
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>

  public init(_ initial: sending State) {
    state = initial
    unsafe mutex = .allocate(capacity: 1)
    unsafe changed = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(changed, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(mutex)
    unsafe changed.deallocate()
    unsafe mutex.deallocate()
  }

  /// Reads or changes the state, then wakes every waiter to look at it again.
  public func withLock<Result>(_ body: (inout State) -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unlockAndWake() }
    return body(&state)
  }

  /// In this order: who is woken needs the mutex at once.
  private func unlockAndWake() {
    unsafe pthread_mutex_unlock(mutex)
    unsafe pthread_cond_broadcast(changed)
  }

  /// Waits until `take` returns a value, looking again after each change of the state.
  public func wait<Result>(until take: (inout State) -> Result?) -> Result {
    unsafe pthread_mutex_lock(mutex)
    while true {
      if let result = take(&state) {
        unlockAndWake()
        return result
      }
      unsafe pthread_cond_wait(changed, mutex)
    }
  }

  /// The same, but gives up after `nanoseconds` and returns nil.
  ///
  /// `waking`: whether what it leaves is worth waking others for; to wake a thread takes longer than
  /// most of what is done here.
  public func wait<Result>(
    nanoseconds: Int64, until take: (inout State) -> Result?,
    waking: (State) -> Bool = { _ in true }
  ) -> Result? {
    var deadline = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
    let due = Int64(deadline.tv_nsec) + max(0, nanoseconds)
    deadline.tv_sec += Int(due / 1_000_000_000)
    deadline.tv_nsec = Int(due % 1_000_000_000)

    unsafe pthread_mutex_lock(mutex)
    var isTimedOut = false
    while true {
      if let result = take(&state) {
        if waking(state) {
          unlockAndWake()
        } else {
          unsafe pthread_mutex_unlock(mutex)
        }
        return result
      }
      if isTimedOut {
        unsafe pthread_mutex_unlock(mutex)
        return nil
      }
      isTimedOut = unsafe pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT
    }
  }
}
