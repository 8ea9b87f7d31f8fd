import PayloadCodecs
import Testing

private func shown(_ payload: [UInt8]) throws(DecodingError) -> String {
  try decode(payload, by: MessagePackDecoder())
}

private func failure(_ payload: [UInt8]) -> DecodingError.Kind? {
  failure(payload, by: MessagePackDecoder())
}

@Suite("MessagePack extensions, keys and limits")
struct MessagePackExtensionTests {
  @Test func extensionsOfEverySizeAreShown() throws {
    let sizes: [(head: [UInt8], count: Int, base64: String)] = [
      ([0xD4, 1], 1, "AA=="), ([0xD5, 1], 2, "AAA="), ([0xD6, 1], 4, "AAAAAA=="),
      ([0xD7, 1], 8, "AAAAAAAAAAA="), ([0xD8, 1], 16, "AAAAAAAAAAAAAAAAAAAAAA=="),
      ([0xC7, 0, 1], 0, ""), ([0xC7, 3, 1], 3, "AAAA"), ([0xC8, 0, 3, 1], 3, "AAAA"),
      ([0xC9, 0, 0, 0, 3, 1], 3, "AAAA"),
    ]
    for (head, count, base64) in sizes {
      let payload = head + [UInt8](repeating: 0, count: count)
      #expect(try shown(payload) == #"{"$ext":1,"$bytes":"\#(base64)"}"#)
      for count in payload.indices { #expect(failure(Array(payload[..<count])) == .truncated) }
    }
    #expect(try shown([0xD4, 0x80, 0]) == #"{"$ext":-128,"$bytes":"AA=="}"#)
  }

  @Test func timestampsOfEverySizeAreShown() throws {
    let times: [(payload: [UInt8], text: String)] = [
      ([0xD6, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], "2106-02-07T06:28:15.000000000Z"),
      ([0xD6, 0xFF, 0x5E, 0x5B, 0x05, 0xFF], "2020-03-01T00:46:55.000000000Z"),
      // 30 bits of nanoseconds, 34 of seconds.
      (
        [0xD7, 0xFF, 0xEE, 0x6B, 0x27, 0xFC, 0, 0, 0, 1], "1970-01-01T00:00:01.999999999Z"
      ),
      (
        [0xD7, 0xFF, 0, 0, 0, 0x03, 0xFF, 0xFF, 0xFF, 0xFF], "2514-05-30T01:53:03.000000000Z"
      ),
      // The first and the last second that have a year of four digits.
      (
        [0xC7, 12, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xF1, 0x86, 0x8B, 0x84, 0],
        "0000-01-01T00:00:00.000000000Z"
      ),
      (
        [0xC7, 12, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0x3A, 0xFF, 0xF4, 0x41, 0x7F],
        "9999-12-31T23:59:59.000000000Z"
      ),
    ]
    for (payload, text) in times { #expect(try shown(payload) == #"{"$timestamp":"\#(text)"}"#) }
  }

  @Test func timestampsThatAreNoneAreExtensions() throws {
    let extensions: [[UInt8]] = [
      // A billion nanoseconds, of 64 and of 96 bits.
      [0xD7, 0xFF, 0xEE, 0x6B, 0x28, 0, 0, 0, 0, 0],
      [0xC7, 12, 0xFF, 0x3B, 0x9A, 0xCA, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      // Years of five digits, and before the year 0.
      [0xC7, 12, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0x3A, 0xFF, 0xF4, 0x41, 0x80],
      [0xC7, 12, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xF1, 0x86, 0x8B, 0x83, 0xFF],
      [0xC7, 12, 0xFF, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0],
      [0xC7, 12, 0xFF, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
      // Sizes that no time has.
      [0xC7, 0, 0xFF], [0xD4, 0xFF, 0], [0xD5, 0xFF, 0, 0],
    ]
    for payload in extensions { #expect(try shown(payload).hasPrefix(#"{"$ext":-1,"$bytes":""#)) }
  }

  @Test func keysThatAreNoTextAreShownAsTheirJSON() throws {
    let keys: [(key: [UInt8], name: String)] = [
      ([0xC0], "null"), ([0xC3], "true"), ([0xFF], "-1"),
      ([0xCB, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0], "1.5"),
      ([0xCA, 0x7F, 0xC0, 0, 0], #"\"NaN\""#), ([0xC4, 1, 0], #"{\"$bytes\":\"AA==\"}"#),
      ([0xA1, 0xFF], #"{\"$bytes\":\"/w==\"}"#), ([0x90], "[]"),
      ([0x81, 0xA1, 0x61, 1], #"{\"a\":1}"#), ([0xD4, 1, 0], #"{\"$ext\":1,\"$bytes\":\"AA==\"}"#),
      // A key of which a key is no text either.
      ([0x81, 0x81, 1, 2, 3], #"{\"{\\\"1\\\":2}\":3}"#),
    ]
    for (key, name) in keys {
      #expect(try shown([0x81] + key + [7]) == #"{"\#(name)":7}"#)
      #expect(try shown([0x82, 0xA1, 0x61, 6] + key + [7]) == #"{"a":6,"\#(name)":7}"#)
    }
    #expect(try shown([0x82, 0xA1, 0x61, 1, 0xA1, 0x61, 2]) == #"{"a":1,"a":2}"#)
  }

  @Test func theDeepestValueThatIsShownHas128Levels() throws {
    let levels = DecodingLimits().depth
    for head: [UInt8] in [[0x91], [0x81, 0xA0]] {
      let deepest = [UInt8](Array(repeating: head, count: levels).joined()) + [0xC0]
      #expect(failure(deepest) == nil)
      #expect(failure(head + deepest) == .limit)
    }
    // Keys in keys escape quotes of quotes: what is too long is told before it is made.
    let keys = [UInt8](repeating: 0x81, count: 60) + [0xA0] + [UInt8](repeating: 1, count: 60)
    var limits = DecodingLimits()
    limits.outputBytes = 1 << 16
    #expect(failure(keys, by: MessagePackDecoder(), limits: limits) == .limit)
  }

  @Test func lengthsBeyondTheEndAreTruncated() {
    for head: [UInt8] in [[0xDB], [0xC6], [0xC9], [0xDD], [0xDF]] {
      for length: [UInt8] in [[0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0, 0, 1, 0]] {
        #expect(failure(head + length + [0, 0, 0]) == .truncated, "\(head)")
      }
    }
    // Two values for each pair.
    #expect(failure([0x82, 1, 2, 3]) == .truncated)
  }

  @Test func binaryBeyondTheLimitIsCounted() throws {
    var limits = DecodingLimits()
    limits.binaryBytes = 3
    let payload: [UInt8] = [0xC4, 5, 0, 0, 0, 0, 0]
    #expect(
      try decode(payload, by: MessagePackDecoder(), limits: limits)
        == #"{"$bytes":"AAAA","$size":5}"#)
    limits.outputBytes = 100
    let text: [UInt8] = [0xD9, 200] + [UInt8](repeating: 0x61, count: 200)
    #expect(failure(text, by: MessagePackDecoder(), limits: limits) == .limit)
  }
}
