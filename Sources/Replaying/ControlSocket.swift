import CaptureStore
import Foundation
public import Threads
import ZeroMQ

/// Lets other programs control a replay: a REP socket that takes a JSON object and answers with one.
///
///     {"do": "pause"}   {"do": "resume"}   {"do": "status"}   {"do": "stop"}
///     {"do": "step", "messages": 1}        {"do": "rate", "rate": 0.5}
///     {"do": "seek", "position_s": 90}     {"do": "seek", "by_s": -10}     {"do": "next-mark"}
///
/// The answer says how the replay stands when the verb was obeyed, steps sent: `{"ok":true,"obeyed":true,
/// "phase":"playing","paused":false,"rate":1,"position_s":90.5,"span_s":600,"messages":1042,
/// "bytes":...}`. Where it waits for subscribers or for a full peer, `"obeyed":false` says that it will
/// be later. What was not understood, or cannot be, is answered with `{"ok":false,"error":"..."}`.
public final class ControlSocket: Sendable {
  /// With wildcards resolved.
  public let address: String
  private let thread: WorkerThread
  private let isEnded = StopToken()

  /// What is larger is no request.
  private static let requestBytesMax: Int64 = 64 << 10
  /// A replay that is stopped or waits for a peer obeys late; the answer does not wait for it.
  private static let obeyNanosecondsMax: Int64 = 1_000_000_000

  /// Binds the socket and begins to answer. Throws `ZeroMQError`.
  public init(_ address: String, of replayer: Replayer, _ control: ReplayControl, stop: StopToken)
    throws
  {
    let socket = try Socket(.rep, in: Context())
    try socket.set(.lingerMilliseconds, 100)
    try socket.set(.maxMessageSize, Self.requestBytesMax)
    try socket.bind(address)
    self.address = try socket.lastEndpoint
    let server = Server(socket: socket, replayer: replayer, control: control, stop: stop)
    thread = WorkerThread(name: "zcap control") { [isEnded] in server.run(until: isEnded) }
  }

  /// Ends it. Called once.
  public func finish() {
    isEnded.request()
    thread.join()
  }

  /// Used by its thread alone.
  private struct Server: @unchecked Sendable {
    let socket: Socket
    let replayer: Replayer
    let control: ReplayControl
    let stop: StopToken

    func run(until isEnded: StopToken) {
      let poller = Poller()
      poller.add(socket)
      poller.add(fileDescriptor: isEnded.fileDescriptor)
      var message = Message()
      while !isEnded.isRequested {
        guard (try? poller.wait(milliseconds: nil)) != nil else { return }
        while !isEnded.isRequested, (try? socket.receive(into: &message, waiting: false)) == true {
          let request = unsafe Data(message.frames[0])
          try? socket.send([[UInt8](answer(to: request))])
        }
      }
    }

    private func answer(to request: Data) -> Data {
      do throws(ControlRequest.Problem) {
        let request = try ControlRequest(request)
        switch request {
        case .status: return answer()
        case .stop:
          stop.request()
          return answer()
        case .verb(let verb):
          if let reason = replayer.reasonAgainst(verb) {
            throw ControlRequest.Problem(text: reason)
          }
          let number = control.ask(verb)
          // Nobody obeys before there are peers.
          let isWaiting = replayer.awaitsPeers && replayer.status.phase == .waitingForPeers
          return answer(
            isObeyed: control.waitUntilObeyed(
              number, nanoseconds: isWaiting ? 0 : ControlSocket.obeyNanosecondsMax))
        }
      } catch {
        return ControlAnswer(error: error.text).data
      }
    }

    private func answer(isObeyed: Bool? = nil) -> Data {
      ControlAnswer(replayer.status, span: replayer.spanNanoseconds, isObeyed: isObeyed).data
    }
  }
}

/// A request as it was understood.
enum ControlRequest: Equatable {
  case status
  case stop
  case verb(ReplayControl.Verb)

  struct Problem: Error {
    var text: String
  }

  private struct Fields: Decodable {
    var `do`: String
    var messages: Int?
    var rate: Double?
    /// Seconds from the first message.
    var position: Double?
    /// Seconds from where it is.
    var distance: Double?

    enum CodingKeys: String, CodingKey {
      case `do`
      case messages
      case rate
      case position = "position_s"
      case distance = "by_s"
    }
  }

  init(_ data: Data) throws(Problem) {
    let fields: Fields
    do {
      fields = try JSONDecoder().decode(Fields.self, from: data)
    } catch let error as Swift.DecodingError {
      throw Problem(text: Self.text(of: error))
    } catch {
      throw Problem(text: Self.example)
    }
    switch fields.do {
    case "status": self = .status
    case "stop": self = .stop
    case "pause": self = .verb(.pause)
    case "resume": self = .verb(.resume)
    case "next-mark": self = .verb(.nextMark)
    case "step":
      let count = fields.messages ?? 1
      guard count > 0 else { throw Problem(text: "messages is a number from 1 on") }
      self = .verb(.step(count))
    case "rate":
      guard let rate = fields.rate, ReplayControl.rates.contains(rate) else {
        throw Problem(text: "rate is a number from 0.001 to 1000")
      }
      self = .verb(.rate(rate))
    case "seek":
      switch (fields.position, fields.distance) {
      case (let position?, nil): self = .verb(.seek(try Self.nanoseconds(position)))
      case (nil, let distance?): self = .verb(.move(try Self.nanoseconds(distance)))
      default: throw Problem(text: "seek takes position_s or by_s, in seconds")
      }
    default:
      throw Problem(
        text: "'\(fields.do)' is none of status, stop, pause, resume, step, rate, seek, next-mark")
    }
  }

  private static let example = #"not understood; say for instance {"do":"status"}"#

  private static func text(of error: Swift.DecodingError) -> String {
    guard case .typeMismatch(_, let context) = error, let field = context.codingPath.last else {
      guard case .dataCorrupted(let context) = error, let field = context.codingPath.last else {
        return example
      }
      return "\(field.stringValue) is out of range or of the wrong kind"
    }
    return "\(field.stringValue) is of the wrong kind"
  }

  private static func nanoseconds(_ seconds: Double) throws(Problem) -> Int64 {
    guard seconds.magnitude < 9e9 else { throw Problem(text: "so many seconds are too many") }
    return Int64((seconds * 1e9).rounded())
  }
}

private struct ControlAnswer: Encodable {
  var ok: Bool
  var error: String?
  var obeyed: Bool?
  var phase: String?
  var paused: Bool?
  var rate: Double?
  /// Seconds, as the others.
  var position: Double?
  var span: Double?
  var messages: UInt64?
  var bytes: UInt64?
  var held: Double?

  private enum CodingKeys: String, CodingKey {
    case ok, error, obeyed, phase, paused, rate, messages, bytes
    case position = "position_s"
    case span = "span_s"
    case held = "held_s"
  }

  init(error: String) {
    ok = false
    self.error = error
  }

  init(_ status: ReplayStatus, span: Int64, isObeyed: Bool?) {
    ok = true
    obeyed = isObeyed
    phase =
      switch status.phase {
      case .waitingForPeers: "waiting"
      case .playing: "playing"
      case .draining: "draining"
      }
    paused = status.isPaused
    rate = status.rate
    position = Double(status.positionNanoseconds) / 1e9
    self.span = Double(span) / 1e9
    messages = status.messages
    bytes = status.bytes
    held = Double(status.heldNanoseconds) / 1e9
  }

  var data: Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return (try? encoder.encode(self)) ?? Data(#"{"ok":false}"#.utf8)
  }
}
