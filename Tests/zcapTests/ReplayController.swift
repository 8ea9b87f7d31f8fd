import Testing
import ZeroMQ

/// A program that controls a replay.
struct ReplayController {
  private let socket: Socket

  init(_ endpoint: String) throws {
    socket = try Socket(.req, in: Context())
    try socket.set(.lingerMilliseconds, 0)
    try socket.set(.receiveTimeoutMilliseconds, 20_000)
    try socket.connect(endpoint)
  }

  func ask(_ text: String) throws -> JSONRow {
    try socket.send([Array(text.utf8)])
    let answer = try #require(try socket.receiveFrames())
    return try JSONRow(String(decoding: answer[0], as: UTF8.self))
  }
}
