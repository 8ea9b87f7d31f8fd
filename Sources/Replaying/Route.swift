import CaptureIndex
import CaptureStore

/// Which sockets a replay has, and which of them each recorded endpoint goes out on.
struct Route {
  var targets: [ReplayPlan.Target]
  /// By the number of an endpoint in the manifest; nil where its messages are not sent.
  var socketByEndpoint: [Int?]

  /// Throws `unknownEndpoint`.
  init(_ routing: ReplayPlan.Routing, _ manifest: Manifest) throws(ReplayError) {
    let recorded = manifest.endpoints.map(\.address)
    switch routing {
    case .single(let target):
      targets = [target]
      socketByEndpoint = recorded.map { _ in 0 }
    case .byEndpoint(let pairs):
      if let unknown = pairs.first(where: { !recorded.contains($0.recorded) }) {
        throw .unknownEndpoint(address: unknown.recorded, known: recorded)
      }
      targets = pairs.map(\.target)
      socketByEndpoint = recorded.map { address in
        pairs.firstIndex { $0.recorded == address }
      }
    }
  }

  /// Which socket a message goes out on; nil for none.
  func socket(of record: RecordHeader) -> Int? {
    let endpoint = Int(record.endpoint)
    return socketByEndpoint.indices.contains(endpoint) ? socketByEndpoint[endpoint] : nil
  }
}

extension ReplayPlan {
  /// The messages that `stateFirst` is about.
  var stateSelection: Selection {
    var state = Selection()
    state.topicPrefixes = stateFirst
    state.endpoints = selection.endpoints
    return state
  }
}
