import Glibc
import Threads
import ZeroMQ

/// Whether the host of an endpoint is known to this machine.
///
/// libzmq tries to find it again and again, and says nothing of it.
enum HostLookup {
  /// Looks it up beside what goes on, since that may take seconds, and complains where there is none.
  static func complainIfUnknown(hostOf endpoint: String) {
    guard let host = host(ofEndpoint: endpoint) else { return }
    _ = WorkerThread(name: "zcap host lookup") {
      guard let reason = failure(of: host) else { return }
      Console.complain("\(endpoint): host \(host): \(reason)")
    }
  }

  /// nil where it is known by an address that libzmq looks for: of IPv4, if it is not one of IPv6.
  private static func failure(of host: String) -> String? {
    guard !host.contains(":") else { return lookUp(host, AF_UNSPEC).map(text) }
    guard let code = lookUp(host, AF_INET) else { return nil }
    let isAnswered = [EAI_NONAME, noData, addressFamily].contains(code)
    return isAnswered && lookUp(host, AF_INET6) == nil
      ? "it has no address of IPv4; give the one of IPv6, in brackets" : text(code)
  }

  /// EAI_NODATA and EAI_ADDRFAMILY of `netdb.h`, which has them for GNU programs only.
  private static let (noData, addressFamily): (CInt, CInt) = (-5, -9)

  private static func text(_ code: CInt) -> String { String(cString: gai_strerror(code)) }

  /// What went wrong; nil where the resolver knows the host. Source: `getaddrinfo(3)`.
  private static func lookUp(_ host: String, _ family: CInt) -> CInt? {
    var hints = addrinfo()
    hints.ai_family = family
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, nil, &hints, &found)
    if code == 0 { freeaddrinfo(found) }
    return code == 0 ? nil : code
  }
}
