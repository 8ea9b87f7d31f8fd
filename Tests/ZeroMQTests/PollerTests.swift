import Foundation
import Glibc
import Synchronization
import Testing
import ZeroMQ

@Suite(.timeLimit(.minutes(1))) struct PollerTests {
  @Test(arguments: Transport.allCases)
  func aMessageMakesItsSocketReady(over transport: Transport) throws {
    let quiet = try Link(over: transport)
    let link = try Link(over: transport)
    let poller = Poller()
    let first = poller.add(quiet.receiver)
    let second = poller.add(link.receiver)
    #expect(try poller.wait(milliseconds: 0) == 0)
    try link.sender.send([[1]])
    #expect(try poller.wait(milliseconds: patienceMilliseconds) == 1)
    #expect(!poller.isReady(first))
    #expect(poller.isReady(second))
    #expect(try link.receiver.receiveFrames() == [[1]])
    #expect(try poller.wait(milliseconds: 0) == 0)
    #expect(!poller.isReady(second))
  }

  @Test func descriptorsAndSocketsAreWaitedForTogether() throws {
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    let link = try Link()
    let poller = Poller()
    let socket = poller.add(link.receiver)
    let reading = poller.add(fileDescriptor: ends[0])
    #expect(try poller.wait(milliseconds: 0) == 0)
    try #require(write(ends[1], "x", 1) == 1)
    #expect(try poller.wait(milliseconds: nil) == 1)
    #expect(poller.isReady(reading))
    #expect(!poller.isReady(socket))
    try link.sender.send([[1]])
    #expect(try poller.wait(milliseconds: nil) == 2)
  }

  @Test func roomToSendIsWaitedFor() throws {
    let context = try Context()
    let link = try Link(in: context)
    let lonely = try makeSocket(.push, in: context)
    let poller = Poller()
    let withoutPeer = poller.add(lonely, .writable)
    let withPeer = poller.add(link.sender, .writable)
    #expect(try poller.wait(milliseconds: patienceMilliseconds) == 1)
    #expect(!poller.isReady(withoutPeer))
    #expect(poller.isReady(withPeer))
  }

  @Test func aPollerKeepsItsSockets() throws {
    let poller = Poller()
    weak var socket: Socket?
    do {
      let made = try makeSocket(.pull, in: Context())
      poller.add(made)
      socket = made
    }
    #expect(socket != nil)
    #expect(try poller.wait(milliseconds: 0) == 0)
  }

  @Test func aSignalEndsTheWaitWithNothingReady() throws {
    let pull = try makeSocket(.pull, in: Context())
    let poller = Poller()
    let index = poller.add(pull)
    let signals = SignalStorm()
    #expect(try poller.wait(milliseconds: patienceMilliseconds) == 0)
    signals.stop()
    #expect(!poller.isReady(index))
    #expect(signals.elapsed < .milliseconds(patienceMilliseconds))
  }

  @Test func aSignalDoesNotEndAReceive() throws {
    let pull = try makeSocket(.pull, in: Context())
    try pull.set(.receiveTimeoutMilliseconds, 200)
    var message = Message()
    // Each signal starts the timeout again, so the storm has to pass.
    let signals = SignalStorm(count: 20)
    #expect(try pull.receive(into: &message, waiting: true) == false)
    signals.stop()
    #expect(signals.elapsed >= .milliseconds(200))
  }
}

/// Interrupts the thread that makes it, again and again, until it is stopped.
private final class SignalStorm: Sendable {
  private let begun = ContinuousClock.now
  private let isStopped = Atomic<Bool>(false)
  private let hasEnded = Atomic<Bool>(false)

  init(count: Int = .max) {
    signal(SIGUSR1) { _ in }
    // Threads of a pool have signals blocked.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGUSR1)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    let target = pthread_self()
    Thread.detachNewThread { [self] in
      var sent = 0
      while sent < count && !isStopped.load(ordering: .acquiring) {
        pthread_kill(target, SIGUSR1)
        usleep(1000)
        sent += 1
      }
      hasEnded.store(true, ordering: .releasing)
    }
  }

  var elapsed: Duration { ContinuousClock.now - begun }

  /// Returns when no signal can come any more.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    while !hasEnded.load(ordering: .acquiring) { sched_yield() }
  }
}
