import Glibc
import Testing
import Threads

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
