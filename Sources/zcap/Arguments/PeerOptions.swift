import ArgumentParser
import Replaying

/// Whom a replay waits for: at its beginning, on its way, and at its end.
struct PeerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Wait until every socket has this many subscribers (peers, for push and dealer, which wait for "
        + "one of them anyway, without --stall-timeout).", valueName: "n"))
  var waitSubscribers = 0

  @Option(
    help: ArgumentHelp(
      "Wait until somebody subscribed to topics that start with this (repeatable).",
      valueName: "prefix"))
  var waitTopic: [TopicPrefix] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Give up waiting for subscribers after this.", valueName: "time"))
  var waitTimeout: TimeSpan?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "When a peer has taken nothing for this long and more is to be sent, do what --on-stall says; "
        + "at the end --linger counts.", valueName: "time"))
  var stallTimeout: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "fail ends the replay, drop-peer disconnects that peer and goes on.", valueName: "policy"))
  var onStall: ReplayPlan.StallPolicy?

  @Flag(help: "Never wait for slow subscribers: they lose messages, and nobody counts which.")
  var allowDrop = false

  @Option(
    help: ArgumentHelp(
      "How long the end may wait for peers to take what was sent.", valueName: "time"))
  var linger = TimeSpan(nanoseconds: 30_000_000_000)

  func check(_ kind: ReplayPlan.SocketKind) throws {
    let isAwaited = waitSubscribers > 0 || !waitTopic.isEmpty || awaitsAnyPeer(kind)
    if waitTimeout != nil && !isAwaited {
      throw ValidationError("--wait-timeout goes with --wait-subscribers or --wait-topic")
    }
    if waitSubscribers < 0 { throw ValidationError("--wait-subscribers \(waitSubscribers)") }
    if !waitTopic.isEmpty && kind != .pub {
      throw ValidationError("--wait-topic goes with --type pub: others have no subscribers")
    }
    if allowDrop && kind != .pub {
      throw ValidationError("--allow-drop goes with --type pub: others never drop")
    }
    if allowDrop && stallTimeout != nil {
      throw ValidationError("--allow-drop never waits for a peer; leave --stall-timeout")
    }
    if onStall != nil && stallTimeout == nil {
      throw ValidationError("--on-stall goes with --stall-timeout")
    }
  }

  /// Who wants to know of a stall is told where nobody is there.
  private func awaitsAnyPeer(_ kind: ReplayPlan.SocketKind) -> Bool {
    kind != .pub && stallTimeout == nil
  }

  func apply(to plan: inout ReplayPlan) {
    plan.peersAwaited = waitSubscribers
    plan.awaitsAnyPeer = awaitsAnyPeer(plan.kind)
    plan.topicsAwaited = waitTopic.map(\.bytes)
    plan.waitNanosecondsMax = waitTimeout?.nanoseconds
    plan.stallNanosecondsMax = stallTimeout?.nanoseconds
    plan.stall = onStall ?? .fail
    plan.isDropAllowed = allowDrop
    plan.lingerNanoseconds = linger.nanoseconds
  }
}
