import ArgumentParser
import CaptureStore
import Recording

/// What a ring keeps, and what makes a capture of its own of a part of it.
struct RingOptions: ParsableArguments {
  @Option(
    name: .customLong("keep"),
    help: ArgumentHelp(
      """
      Keep the newest only, such as 10GiB on disk at most, the last 24h or 1000000msg at least: \
      the oldest segments make room (repeatable with different units: a segment goes as soon as \
      one limit lets it).
      """, valueName: "limit"))
  var keep: [RetentionArgument] = []

  @Option(
    name: .customLong("trigger"),
    help: ArgumentHelp(
      """
      With --keep: a message of a topic that starts with this makes a capture of its own of the \
      time around it (repeatable). Those within a second share one, which is a second longer; \
      what comes later while it is made has its own behind it. SIGUSR1 and 'zcap trigger' make \
      one each time.
      """, valueName: "prefix"))
  var triggers: [TopicPrefix] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How much before a trigger is kept. (default: 60s, or what the ring keeps)", valueName: "time"
    ))
  var before: TimeSpan?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How much behind a trigger is kept. (default: 30s)", valueName: "time"))
  var after: TimeSpan?

  /// `topics`: those that are subscribed to, none for all. `isAppending`: what is there already may
  /// be a ring.
  func check(topics: [TopicPrefix], isAppending: Bool) throws {
    if try retention() == nil && !isAppending { try refuseTriggers("only with --keep") }
    for trigger in triggers { try check(trigger, topics) }
    try checkBefore(retention())
  }

  private func checkBefore(_ keep: Retention?) throws {
    guard let before, let span = keep?.nanoseconds, before.nanoseconds > span else { return }
    throw ValidationError(
      "--before \(Units.duration(before.nanoseconds)): the ring keeps "
        + "\(Units.duration(span)) only; say --keep \(Units.duration(before.nanoseconds))")
  }

  private func check(_ trigger: TopicPrefix, _ topics: [TopicPrefix]) throws {
    if trigger.bytes.isEmpty {
      throw ValidationError("--trigger '': every message would trigger; say a prefix of topics")
    }
    let isReceived =
      topics.isEmpty
      || topics.contains {
        trigger.bytes.starts(with: $0.bytes) || $0.bytes.starts(with: trigger.bytes)
      }
    if !isReceived {
      let text = String(decoding: trigger.bytes, as: UTF8.self)
      throw ValidationError("--trigger \(text): no such topic is subscribed to with -t")
    }
  }

  /// What is said of what to keep. Throws `ValidationError`.
  func retention() throws -> Retention? { try RetentionArgument.combined(keep) }

  /// Throws where something is said of triggers, and they cannot work.
  func refuseTriggers(_ reason: String) throws {
    let option =
      !triggers.isEmpty ? "--trigger" : before != nil ? "--before" : after != nil ? "--after" : nil
    if let option {
      throw ValidationError("\(option): \(reason); everything is kept anyway")
    }
  }

  /// Finds out before the trigger whether its window can be made. Throws where triggers were asked for.
  func tryWindows(of path: String) throws {
    do {
      try Capture.tryPins(ofRing: path)
    } catch {
      if !triggers.isEmpty || before != nil || after != nil { throw error }
      Console.complain("triggers will make no captures: \(error)")
    }
  }

  /// `present`: what a ring that is gone on with kept so far.
  func apply(to plan: inout RecordingPlan, _ present: Retention?) throws {
    plan.keep = try retention()
    let keep = plan.keep ?? present
    try checkBefore(keep)
    plan.triggerTopics = triggers.map(\.bytes)
    // Without a word about it, no more than there may be.
    plan.triggerWindow.before =
      before?.nanoseconds ?? min(plan.triggerWindow.before, keep?.nanoseconds ?? .max)
    if let after { plan.triggerWindow.after = after.nanoseconds }
  }
}
