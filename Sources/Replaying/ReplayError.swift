/// Why a replay could not start or go on.
public enum ReplayError: Error, CustomStringConvertible, Sendable {
  case nothingSelected(capture: String)
  /// All of it was selected.
  case nothingThere(capture: String, reason: String)
  case unknownEndpoint(address: String, known: [String])
  /// At the endpoint that has the fewest.
  case peersMissing(endpoint: String, found: Int, wanted: Int, seconds: Double)
  case topicMissing(prefix: String, seconds: Double)
  /// `peer`: nil where there is none.
  case stalled(endpoint: String, peer: String?, seconds: Double)
  case unreadable(reason: String)
  /// A file of a capture was cut while it was replayed.
  case cut(path: String)
  case timingUnwritable(path: String, reason: String)
  /// Only what is being recorded can be followed.
  case notRecorded(capture: String)
  /// All that is selected was received at one moment: nothing says when it is due again.
  case noTimeToLoop

  public var description: String {
    switch self {
    case .nothingSelected(let capture):
      "\(capture): no message matches the selection; `zcap ls \(capture)` shows what is there"
    case .nothingThere(let capture, let reason):
      "\(capture): \(reason)"
    case .unknownEndpoint(let address, let known):
      "\(address): not an endpoint of the capture; it has \(known.joined(separator: ", "))"
    case .peersMissing(let endpoint, let found, let wanted, let seconds):
      "\(endpoint): only \(found) of \(wanted) subscribers came within \(seconds) s; nothing was sent"
    case .topicMissing(let prefix, let seconds):
      "nobody subscribed to '\(prefix)' within \(seconds) s; nothing was sent"
    case .stalled(let endpoint, nil, let seconds):
      "\(endpoint): nobody took anything for \(seconds) s; --wait-subscribers 1 waits for a peer"
    case .stalled(let endpoint, let peer?, let seconds):
      "\(endpoint): \(peer) took nothing for \(seconds) s; "
        + "--on-stall drop-peer goes on without it"
    case .unreadable(let reason):
      "reading ahead failed: \(reason)"
    case .cut(let path):
      "\(path): it was cut while it was replayed; what was sent last may not be what was recorded. "
        + "`zcap verify` tells what is left"
    case .timingUnwritable(let path, let reason):
      "\(path): the times of the messages could not be written: \(reason)"
    case .notRecorded(let capture):
      "\(capture): nobody is recording it, so there is nothing to follow; leave --follow"
    case .noTimeToLoop:
      "no time passes from the first message to the last, as recorded or by --max-gap 0: an endless loop "
        + "would be a flood; say how often by --msgs-per-second, or --rate max"
    }
  }
}
