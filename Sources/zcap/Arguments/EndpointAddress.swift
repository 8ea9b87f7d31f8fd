import ArgumentParser
import Foundation
import ZeroMQ

/// An endpoint as ZeroMQ writes it: `tcp://host:port`, `ipc://path`.
///
/// What libzmq would only call "Invalid argument" is explained here, before anything is created.
struct EndpointAddress: ExpressibleByArgument {
  /// The transports that libzmq has, as far as it was built with them.
  private static let schemes = [
    "tcp", "ipc", "tipc", "pgm", "epgm", "norm", "vmci", "ws", "wss", "udp",
  ]

  var text: String

  init?(argument: String) { text = argument }

  /// Throws what is wrong with it, as one to bind or to connect to.
  func validate(isBound: Bool) throws {
    guard let colon = text.range(of: "://") else {
      throw ValidationError("'\(text)': not an endpoint; write it like tcp://127.0.0.1:5555")
    }
    let scheme = String(text[..<colon.lowerBound])
    let rest = text[colon.upperBound...]
    if scheme == "inproc" {
      throw ValidationError("'\(text)': inproc never leaves its process; use ipc or tcp")
    }
    guard Self.schemes.contains(scheme) else {
      throw ValidationError(
        "'\(text)': unknown endpoint scheme '\(scheme)'; ZeroMQ has tcp and ipc, among others")
    }
    guard !rest.isEmpty else { throw ValidationError("'\(text)': the address is missing") }
    if scheme == "tcp" {
      let port = rest.split(separator: ":", omittingEmptySubsequences: false).last ?? ""
      let isWildcard = port == "*" || port == "!"
      guard rest.contains(":"), isWildcard || UInt16(port) != nil else {
        throw ValidationError("'\(text)': the port is missing or no number up to 65535")
      }
      try validateHost()
      if !isBound && rest.hasPrefix("*") {
        throw ValidationError("'\(text)': '*' is for --bind; name the host to connect to")
      }
      if !isBound && (isWildcard || UInt16(port) == 0) {
        throw ValidationError("'\(text)': a port to connect to is a number from 1 on")
      }
    }
  }

  /// Throws where libzmq would look for the host without end.
  private func validateHost() throws {
    let host = ZeroMQ.host(ofEndpoint: text) ?? ""
    let isBracketed = text.contains("[\(host)]:")
    guard !host.isEmpty || isBracketed else {
      throw ValidationError("'\(text)': the host is missing")
    }
    guard !host.isEmpty, !host.contains("["), !host.contains("]"),
      host.contains(":") == isBracketed
    else {
      throw ValidationError(
        "'\(text)': an address of IPv6 is written in brackets, like tcp://[::1]:5555")
    }
  }
}
