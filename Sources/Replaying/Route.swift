import CaptureIndex
import CaptureStore

/// Which sockets a replay has, and which of them each recorded endpoint goes out on.
struct Route {
  var targets: [ReplayPlan.Target]
  /// By capture, and by the number of an endpoint in its manifest; nil where its messages are not
  /// sent.
  var sockets: [[Int?]]

  /// Throws `unknownEndpoint` for one that no capture has.
  init(_ routing: ReplayPlan.Routing, _ manifests: [Manifest]) throws(ReplayError) {
    let recorded = manifests.map { $0.endpoints.map(\.address) }
    switch routing {
    case .single(let target):
      targets = [target]
      sockets = recorded.map { $0.map { _ in 0 } }
    case .byEndpoint(let pairs):
      let known = Set(recorded.joined())
      if let unknown = pairs.first(where: { !known.contains($0.recorded) }) {
        throw .unknownEndpoint(address: unknown.recorded, known: known.sorted())
      }
      // What goes to one place goes out on one socket, in order.
      var targets: [ReplayPlan.Target] = []
      for pair in pairs where !targets.contains(pair.target) { targets.append(pair.target) }
      self.targets = targets
      sockets = recorded.map { addresses in
        addresses.map { address in
          let pair = pairs.first { $0.recorded == address }
          return pair.flatMap { targets.firstIndex(of: $0.target) }
        }
      }
    }
  }
}
