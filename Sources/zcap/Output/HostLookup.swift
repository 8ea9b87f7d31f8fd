import Glibc
import Threads

/// Whether the host of an endpoint is known to this machine.
///
/// libzmq tries to find it again and again, and says nothing of it.
enum HostLookup {
  /// Looks it up beside what goes on, since that may take seconds, and complains where there is none.
  static func complainIfUnknown(hostOf endpoint: String) {
    guard let host = host(of: endpoint) else { return }
    _ = WorkerThread(name: "zcap host lookup") {
      guard let reason = failure(of: host) else { return }
      Console.complain("\(endpoint): host \(host): \(reason)")
    }
  }

  /// Of a TCP endpoint: `tcp://[SOURCE;]HOST:PORT`.
  static func host(of endpoint: String) -> String? {
    guard endpoint.hasPrefix("tcp://") else { return nil }
    let place = endpoint.dropFirst(6).split(separator: ";").last ?? ""
    guard let colon = place.lastIndex(of: ":") else { return nil }
    let host = place[..<colon].drop { $0 == "[" }
    return String(host.hasSuffix("]") ? host.dropLast() : host)
  }

  /// What the resolver says; nil where it knows the host. Source: `getaddrinfo(3)`.
  private static func failure(of host: String) -> String? {
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, nil, nil, &found)
    if code == 0 {
      freeaddrinfo(found)
      return nil
    }
    return String(cString: gai_strerror(code))
  }
}
