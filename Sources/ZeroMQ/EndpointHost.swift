/// The host of a TCP endpoint, `tcp://[SOURCE;]HOST:PORT`, without the brackets that an address of
/// IPv6 has; nil for others, and where the port is missing. Source: `zmq_tcp(7)`.
public func host(ofEndpoint endpoint: String) -> String? {
  guard endpoint.hasPrefix("tcp://") else { return nil }
  let place = endpoint.dropFirst("tcp://".count).split(separator: ";").last ?? ""
  guard let colon = place.lastIndex(of: ":") else { return nil }
  let host = place[..<colon]
  let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
  return String(isBracketed ? host.dropFirst().dropLast() : host)
}
