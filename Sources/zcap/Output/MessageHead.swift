import CaptureIndex
import CaptureStore
import PayloadCodecs

/// What stands around the frames of messages in JSON. What repeats itself from message to message is
/// kept as it is written: addresses, topics, codecs, the second.
struct MessageHead {
  /// Topics and tags that are remembered; a recording of more has them made anew.
  private static let knownMax = 4096

  private let endpoints: [[UInt8]]
  private var topics: [[UInt8]: [UInt8]] = [:]
  private var codecs: [Detection: [UInt8]] = [:]
  private var second: (number: Int64, text: [UInt8]) = (.min, [])

  init(endpoints: [String]) {
    self.endpoints = endpoints.map { address in
      var line = JSONLine()
      line.add("endpoint", address)
      return Array(",".utf8) + Self.members(line)
    }
  }

  /// The members of an object, without its brackets.
  private static func members(_ line: JSONLine) -> [UInt8] {
    Array(line.text.utf8.dropFirst().dropLast())
  }

  /// Writes `{"sequence":...,"topic":...,"frames":[`.
  mutating func write(_ message: RecordedMessage, _ topic: [UInt8]?, to output: inout DataOutput) {
    output.write(text: "{\"sequence\":")
    output.write(digitsOf: message.record.sequence)
    output.write(text: ",\"time\":\"")
    let time = message.unixNanoseconds
    let (number, rest) = Units.split(time)
    if number != second.number {
      second = (
        number, Array(Units.time(number * 1_000_000_000).utf8.prefix { $0 != UInt8(ascii: ".") })
      )
    }
    output.write(second.text)
    output.write(text: ".")
    output.write(digitsOf: UInt64(rest), count: 9)
    output.write(text: "Z\",\"time_ns\":")
    if time < 0 { output.write(text: "-") }
    output.write(digitsOf: time.magnitude)
    let endpoint = Int(message.record.endpoint)
    output.write(endpoints.indices.contains(endpoint) ? endpoints[endpoint] : Self.unknownEndpoint)
    output.write(text: ",")
    write(topic, to: &output)
    output.write(text: ",\"frames\":[")
  }

  private static let unknownEndpoint = Array(",\"endpoint\":\"?\"".utf8)

  private mutating func write(_ topic: [UInt8]?, to output: inout DataOutput) {
    guard let topic else { return output.write(text: "\"topic\":null") }
    if let known = topics[topic] { return output.write(known) }
    var line = JSONLine()
    line.add(topic: topic)
    let text = Self.members(line)
    if topics.count >= Self.knownMax { topics = [:] }
    topics[topic] = text
    output.write(text)
  }

  /// Writes `{"codec":...,"value":` for a frame; `"guess":true`, and the error, where there is one, stand between them.
  mutating func write(_ found: Detection, _ error: DecodingError?, to output: inout DataOutput) {
    if error == nil, let known = codecs[found] { return output.write(known) }
    var line = JSONLine()
    line.add("codec", found.tag.rawValue)
    if found.isDoubtful { line.add("guess", true) }
    if let error { line.add("error", String(describing: error)) }
    let text = Array("{".utf8) + Self.members(line) + Array(",\"value\":".utf8)
    if error == nil {
      if codecs.count >= Self.knownMax { codecs = [:] }
      codecs[found] = text
    }
    output.write(text)
  }
}
