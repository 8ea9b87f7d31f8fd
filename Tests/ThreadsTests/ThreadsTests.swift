import Glibc
import Synchronization
import Testing

@testable import Threads

@Suite struct WorkerThreadTests {
  @Test func joinReturnsAfterTheBodyHasRun() {
    let hasRun = Guarded(false)
    WorkerThread(name: "a name longer than fifteen bytes") { hasRun.withLock { $0 = true } }.join()
    #expect(hasRun.withLock { $0 })
  }
}

@Suite struct GuardedTests {
  @Test func waitReturnsWhatAnotherThreadPut() {
    let box = Guarded<Int?>(nil)
    let thread = WorkerThread(name: "put") { box.withLock { $0 = 42 } }
    #expect(box.wait { $0 } == 42)
    thread.join()
  }

  @Test func waitGivesUpAfterItsTime() {
    let box = Guarded<Int?>(nil)
    #expect(box.wait(nanoseconds: 1_000_000) { $0 } == nil)
  }

  @Test func everyHandOverArrivesOnce() {
    let box = Guarded<[Int]>([])
    let thread = WorkerThread(name: "put") {
      for number in 0..<1000 { box.withLock { $0.append(number) } }
    }
    var received: [Int] = []
    while received.count < 1000 {
      received += box.wait { state -> [Int]? in
        defer { state = [] }
        return state.isEmpty ? nil : state
      }
    }
    thread.join()
    #expect(received == Array(0..<1000))
  }
}

@Suite struct StopTokenTests {
  @Test func requestWakesAWaiterLongBeforeItsDeadline() {
    let token = StopToken()
    let thread = WorkerThread(name: "request") { token.request() }
    #expect(token.wait(untilMonotonicNanoseconds: .max / 2))
    #expect(token.isRequested)
    thread.join()
  }

  @Test func waitEndsAtADeadlineThatHasPassed() {
    #expect(!StopToken().wait(untilMonotonicNanoseconds: 0))
  }

  @Test func descriptorStaysReadable() {
    let token = StopToken()
    token.request()
    for _ in 0..<2 {
      var item = pollfd(fd: token.fileDescriptor, events: Int16(POLLIN), revents: 0)
      #expect(poll(&item, 1, 0) == 1)
    }
  }
}

@Suite struct DoorbellTests {
  /// Whether who waits for it would be woken, again and again: its flag says no, its descriptor yes.
  private func ringsForNobody(_ bell: Doorbell) -> Bool {
    var item = pollfd(fd: bell.fileDescriptor, events: Int16(POLLIN), revents: 0)
    return !bell.isRung && poll(&item, 1, 0) == 1
  }

  @Test func oneThatIsSilencedWhileItIsRungDoesNotRingForever() {
    let rounds = 20_000
    let bell = Doorbell()
    let asked = Atomic<Int>(0)
    let rung = Atomic<Int>(0)
    let thread = WorkerThread(name: "ring") {
      for round in 1...rounds {
        while asked.load(ordering: .acquiring) < round {}
        bell.ring()
        rung.store(round, ordering: .releasing)
      }
    }
    var faults = 0
    for round in 1...rounds {
      asked.store(round, ordering: .releasing)
      while !bell.isRung {}
      bell.silence()
      while rung.load(ordering: .acquiring) < round {}
      if ringsForNobody(bell) { faults += 1 }
      bell.silence()
    }
    thread.join()
    #expect(faults == 0)
  }

  @Test func whoSleepsIsWokenAndASilencedOneWakesNobody() {
    let bell = Doorbell()
    let stop = StopToken()
    let thread = WorkerThread(name: "ring") { bell.ring() }
    #expect(!stop.wait(untilMonotonicNanoseconds: .max / 2, bell: bell))
    thread.join()
    #expect(bell.isRung)
    bell.silence()
    #expect(!bell.isRung && !ringsForNobody(bell))
  }

  /// The one who rings may lose the CPU to the one who is woken, before the flag says that it rings.
  @Test func whoIsWokenByTheDescriptorDoesNotSpinUntilTheFlagIsSet() {
    let bell = Doorbell()
    let stop = StopToken()
    var one: UInt64 = 1
    #expect(write(bell.fileDescriptor, &one, 8) == 8)
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    let soon = Int64(now.tv_sec + 10) * 1_000_000_000
    #expect(!stop.wait(untilMonotonicNanoseconds: soon, bell: bell))
    #expect(bell.isRung)
  }
}
