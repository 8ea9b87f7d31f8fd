/// How long full peers of an endpoint held a replay up.
public struct HeldUp: Hashable, Sendable {
  public var endpoint: String
  /// Which peer had taken nothing for the longest: its address, or its process over ipc. nil where it
  /// was too short to look, or cannot be told.
  public var peer: String?
  public var nanoseconds: Int64
}

extension [HeldUp] {
  /// Adds to what is known of the same endpoint and peer.
  mutating func add(_ nanoseconds: Int64, endpoint: String, peer: String?) {
    if let index = firstIndex(where: { $0.endpoint == endpoint && $0.peer == peer }) {
      self[index].nanoseconds += nanoseconds
    } else {
      append(HeldUp(endpoint: endpoint, peer: peer, nanoseconds: nanoseconds))
    }
  }
}
