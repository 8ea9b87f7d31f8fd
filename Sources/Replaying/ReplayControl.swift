import Threads

/// What a replay is told while it runs: by a keyboard, by a program, from any thread.
///
/// Verbs are obeyed in the order in which they were left, between two messages.
public final class ReplayControl: Sendable {
  public enum Verb: Sendable, Equatable {
    case pause
    case resume
    /// Pauses, or goes on.
    case toggle
    /// Sends this many messages at once and is paused behind them.
    case step(Int)
    /// Goes on at a place of the recording: nanoseconds from its first selected message.
    case seek(Int64)
    /// The same from where it is, backwards for a negative number.
    case move(Int64)
    /// Goes on at the next thing that happened to the recording: a mark is what `zcap ls --events`
    /// lists. Where none follows it plays on.
    case nextMark
    /// Times the recorded pace.
    case rate(Double)
    /// The same as many times the present rate.
    case faster(Double)
  }

  /// What a rate may be.
  public static let rates = 0.001...1000.0

  /// Rings while there are verbs to be obeyed.
  let bell = Doorbell()

  private struct State {
    var verbs: [Verb] = []
    var asked = 0
    var taken = 0
    var obeyed = 0
  }

  private let state = Guarded(State())

  public init() {}

  /// Leaves a verb. Returns its number, for `waitUntilObeyed`.
  @discardableResult
  public func ask(_ verb: Verb) -> Int {
    let number = state.withLock { state in
      state.verbs.append(verb)
      state.asked += 1
      return state.asked
    }
    bell.ring()
    return number
  }

  /// Waits until a verb was obeyed. Returns whether it was.
  public func waitUntilObeyed(_ number: Int, nanoseconds: Int64) -> Bool {
    state.wait(nanoseconds: nanoseconds) { $0.obeyed >= number ? true : nil } ?? false
  }

  /// What is to be obeyed now; `finish` tells that it was.
  func take() -> [Verb] {
    bell.silence()
    return state.withLock { state in
      defer { state.verbs = [] }
      state.taken = state.asked
      return state.verbs
    }
  }

  func finish() { state.withLock { $0.obeyed = $0.taken } }
}
