import CaptureStore
import Testing
import ZeroMQ

@testable import Recording

@Suite struct ConnectionWatchTests {
  private static let address = "tcp://127.0.0.1:1"
  private static let second: Int64 = 1_000_000_000

  private func event(_ kind: Monitor.Kind, _ value: Int = 0) -> Monitor.Event {
    Monitor.Event(kind: kind, value: value, endpoint: Self.address)
  }

  private func told(
    _ watch: inout ConnectionWatch, _ kinds: [Monitor.Kind], every interval: Int64 = 1_000_000,
    from start: Int64 = 5_000_000_000
  ) -> [String] {
    kinds.enumerated().compactMap { number, kind in
      watch.take(event(kind, 7), messages: 0, at: start + Int64(number) * interval)?.kind
    }
  }

  @Test func anAbsenceIsToldOnce() throws {
    var watch = ConnectionWatch(address: Self.address, isBound: false)
    #expect(
      told(&watch, [.connectRetried, .connectRetried, .connectRetried, .handshakeSucceeded])
        == ["retried", "connected"])
    #expect(told(&watch, [.disconnected, .connectRetried, .connectRetried]).count == 2)
    let back = watch.take(event(.handshakeSucceeded), messages: 0, at: 8 * Self.second)
    #expect(back?.number("retries") == 2 && back?.number("after_ms") == 3000)
    #expect(back?.text("endpoint") == Self.address)
  }

  @Test func aConnectionThatNeverWasIsNotLost() {
    var watch = ConnectionWatch(address: Self.address, isBound: false)
    #expect(told(&watch, [.disconnected]) == ["handshake_failed"], "its socket does not fit")
    let later: Int64 = 8_000_000_000
    #expect(
      told(&watch, [.handshakeFailedProtocol, .disconnected], from: later) == ["handshake_failed"])
    #expect(told(&watch, [.handshakeSucceeded, .disconnected]) == ["connected", "disconnected"])
  }

  @Test func aPublisherOfAnOldProtocolIsKnownByItsMessages() {
    var watch = ConnectionWatch(address: Self.address, isBound: false)
    #expect(watch.take(event(.disconnected), messages: 5, at: 0)?.kind == "disconnected")
    let silent = watch.take(event(.disconnected), messages: 5, at: Self.second)
    #expect(silent?.kind == "handshake_failed")
  }

  @Test func failuresAreToldOnceASecondWithTheirCount() throws {
    var watch = ConnectionWatch(address: Self.address, isBound: false)
    let times = (0..<25).map { Int64($0) * Self.second / 10 }
    let told = times.compactMap {
      watch.take(event(.handshakeFailedNoDetail, 104), messages: 0, at: $0)
    }
    #expect(told.map { $0.number("count") } == [1, 10, 10])
    #expect(told.allSatisfy { $0.text("reason")?.isEmpty == false && $0.number("code") == 104 })
    #expect(watch.settle(at: times[24]) == nil)
    #expect(watch.settle(at: 3 * Self.second + 1)?.number("count") == 4)
    #expect(watch.settle(at: 9 * Self.second) == nil)
  }

  @Test func theLastOfSeveralPublishersLeavesNone() {
    var watch = ConnectionWatch(address: Self.address, isBound: true)
    let kinds: [Monitor.Kind] = [
      .handshakeSucceeded, .handshakeSucceeded, .handshakeFailedAuth, .disconnected, .disconnected,
      .disconnected,
    ]
    let told = kinds.enumerated().compactMap {
      watch.take(event($1), messages: 0, at: Int64($0) * Self.second)
    }
    #expect(
      told.map(\.kind)
        == ["connected", "connected", "handshake_failed", "disconnected", "disconnected"])
    #expect(told.map { $0.number("peers") } == [1, 2, nil, 1, 0])
  }

  @Test func whoComesAndGoesWithoutEndDoesNotFillTheCapture() {
    var watch = ConnectionWatch(address: Self.address, isBound: true)
    var told: [StoredEvent] = []
    for number in 0..<1000 {
      let kind: Monitor.Kind = number % 2 == 0 ? .handshakeSucceeded : .disconnected
      if let event = watch.take(event(kind), messages: 0, at: Int64(number) * 100_000) {
        told.append(event)
      }
    }
    #expect(told.count == ConnectionWatch.eventsMax)
    let later = watch.take(event(.handshakeSucceeded), messages: 0, at: 5 * Self.second)
    #expect(later?.number("untold") == Int64(1000 - ConnectionWatch.eventsMax))
  }
}
