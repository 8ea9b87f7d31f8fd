import Foundation

/// Whether the loopback interface has an address of IPv6. Source: `proc_net(5)`, if_inet6.
public let hasIPv6 =
  (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8))?
  .split(separator: "\n").contains { $0.split(separator: " ").last == "lo" } == true
