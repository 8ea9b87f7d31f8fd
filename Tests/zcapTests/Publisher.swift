import TestSupport
import ZeroMQ

/// A publisher of a test: it sees its subscribers come, and waits for slow ones.
final class Publisher {
  let endpoint: String
  private let socket: Socket

  private init(_ use: (Socket) throws -> Void) throws {
    socket = try Socket(.xpub, in: Context())
    try socket.set(.xpubNoDrop, true)
    try socket.set(.xpubVerboser, true)
    try socket.set(.sendTimeoutMilliseconds, 30_000)
    try socket.set(.receiveTimeoutMilliseconds, 30_000)
    try socket.set(.lingerMilliseconds, 5_000)
    try use(socket)
    endpoint = try socket.lastEndpoint
  }

  /// A free TCP port where nothing else is said.
  convenience init(binding endpoint: String = "tcp://127.0.0.1:*") throws {
    try self.init { try $0.bind(endpoint) }
  }

  convenience init(connecting endpoint: String) throws {
    try self.init { try $0.connect(endpoint) }
  }

  /// Waits until so many subscriptions have arrived, from one subscriber or several.
  @discardableResult
  func waitForSubscriptions(_ count: Int = 1) throws -> [[UInt8]] {
    var prefixes: [[UInt8]] = []
    while prefixes.count < count {
      guard let message = try socket.receiveFrames() else {
        throw TestFailure("\(endpoint): only \(prefixes.count) of \(count) subscriptions came")
      }
      if message[0].first == 1 { prefixes.append(Array(message[0].dropFirst())) }
    }
    return prefixes
  }

  func publish(_ frames: [[UInt8]]) throws { try socket.send(frames) }

  /// Frames of text.
  func publish(_ frames: String...) throws { try publish(frames.map { Array($0.utf8) }) }

  /// Publishes numbered messages of topic `load` for as long as the condition holds.
  func publishLoad(while condition: (_ number: Int) throws -> Bool) throws {
    var number = 0
    while try condition(number) {
      try publish("load", String(number), String(repeating: "x", count: number % 700))
      number += 1
    }
  }
}
