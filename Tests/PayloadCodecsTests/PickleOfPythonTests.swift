import Foundation
import PayloadCodecs
import Testing

/// What Python's `pickle.dumps` wrote, by protocol from 0 to 5.
@Suite("Pickles of Python")
struct PickleOfPythonTests {
  @Test func setsAreArrays() throws {
    let pickles = [
      "KGxwMApjX19idWlsdGluX18Kc2V0CnAxCigobHAyCkkxCmF0cDMKUnA0CmFjX19idWlsdGluX18KZnJv"
        + "emVuc2V0CnA1CigobHA2CkkyCmF0cDcKUnA4CmEu",
      "XXEAKGNfX2J1aWx0aW5fXwpzZXQKcQEoXXECSwFhdHEDUnEEY19fYnVpbHRpbl9fCmZyb3plbnNldApx"
        + "BShdcQZLAmF0cQdScQhlLg==",
      "gAJdcQAoY19fYnVpbHRpbl9fCnNldApxAV1xAksBYYVxA1JxBGNfX2J1aWx0aW5fXwpmcm96ZW5zZXQK"
        + "cQVdcQZLAmGFcQdScQhlLg==",
      "gANdcQAoY2J1aWx0aW5zCnNldApxAV1xAksBYYVxA1JxBGNidWlsdGlucwpmcm96ZW5zZXQKcQVdcQZL"
        + "AmGFcQdScQhlLg==",
      "gASVEAAAAAAAAABdlCiPlChLAZAoSwKRlGUu",
      "gAWVEAAAAAAAAABdlCiPlChLAZAoSwKRlGUu",
    ]
    let json = #"[[1],[2]]"#
    for base64 in pickles { #expect(try shown(base64) == json) }
  }

  @Test func keysThatAreNoTextAreJSON() throws {
    let pickles = [
      "KGRwMApJMQpJMgpzKEkxClZhCnAxCnRwMgpJMwpzTkk0CnNjX2NvZGVjcwplbmNvZGUKcDMKKFZrCnA0"
        + "ClZsYXRpbjEKcDUKdHA2ClJwNwpJNQpzRjIuNQooZHA4CnMu",
      "fXEAKEsBSwIoSwFYAQAAAGFxAXRxAksDTksEY19jb2RlY3MKZW5jb2RlCnEDKFgBAAAAa3EEWAYAAABs"
        + "YXRpbjFxBXRxBlJxB0sFR0AEAAAAAAAAfXEIdS4=",
      "gAJ9cQAoSwFLAksBWAEAAABhcQGGcQJLA05LBGNfY29kZWNzCmVuY29kZQpxA1gBAAAAa3EEWAYAAABs"
        + "YXRpbjFxBYZxBlJxB0sFR0AEAAAAAAAAfXEIdS4=",
      "gAN9cQAoSwFLAksBWAEAAABhcQGGcQJLA05LBEMBa3EDSwVHQAQAAAAAAAB9cQR1Lg==",
      "gASVJwAAAAAAAAB9lChLAUsCSwGMAWGUhpRLA05LBEMBa5RLBUdABAAAAAAAAH2UdS4=",
      "gAWVJwAAAAAAAAB9lChLAUsCSwGMAWGUhpRLA05LBEMBa5RLBUdABAAAAAAAAH2UdS4=",
    ]
    let json = #"{"1":2,"[1,\"a\"]":3,"null":4,"{\"$bytes\":\"aw==\"}":5,"2.5":{}}"#
    for base64 in pickles { #expect(try shown(base64) == json) }
  }

  @Test func byteArraysAreBytes() throws {
    let pickles = [
      "KGxwMApjX19idWlsdGluX18KYnl0ZWFycmF5CnAxCihjX2NvZGVjcwplbmNvZGUKcDIKKFZhYgpwMwpW"
        + "bGF0aW4xCnA0CnRwNQpScDYKdHA3ClJwOAphZzEKKHRScDkKYWNfX2J1aWx0aW5fXwpieXRlcwpwMTAK"
        + "KHRScDExCmEu",
      "XXEAKGNfX2J1aWx0aW5fXwpieXRlYXJyYXkKcQEoY19jb2RlY3MKZW5jb2RlCnECKFgCAAAAYWJxA1gG"
        + "AAAAbGF0aW4xcQR0cQVScQZ0cQdScQhoASlScQljX19idWlsdGluX18KYnl0ZXMKcQopUnELZS4=",
      "gAJdcQAoY19fYnVpbHRpbl9fCmJ5dGVhcnJheQpxAWNfY29kZWNzCmVuY29kZQpxAlgCAAAAYWJxA1gG"
        + "AAAAbGF0aW4xcQSGcQVScQaFcQdScQhoASlScQljX19idWlsdGluX18KYnl0ZXMKcQopUnELZS4=",
      "gANdcQAoY2J1aWx0aW5zCmJ5dGVhcnJheQpxAUMCYWJxAoVxA1JxBGgBKVJxBUMAcQZlLg==",
      "gASVLwAAAAAAAABdlCiMCGJ1aWx0aW5zlIwJYnl0ZWFycmF5lJOUQwJhYpSFlFKUaAMpUpRDAJRlLg==",
      "gAWVHgAAAAAAAABdlCiWAgAAAAAAAABhYpSWAAAAAAAAAACUQwCUZS4=",
    ]
    let json = #"[{"$bytes":"YWI="},{"$bytes":""},{"$bytes":""}]"#
    for base64 in pickles { #expect(try shown(base64) == json) }
  }

  @Test func datesAreDescribed() throws {
    let pickles = [
      "Y2RhdGV0aW1lCmRhdGUKcDAKKGNfY29kZWNzCmVuY29kZQpwMQooVgfkAQIKcDIKVmxhdGluMQpwMwp0"
        + "cDQKUnA1CnRwNgpScDcKLg==",
      "Y2RhdGV0aW1lCmRhdGUKcQAoY19jb2RlY3MKZW5jb2RlCnEBKFgFAAAAB8OkAQJxAlgGAAAAbGF0aW4x"
        + "cQN0cQRScQV0cQZScQcu",
      "gAJjZGF0ZXRpbWUKZGF0ZQpxAGNfY29kZWNzCmVuY29kZQpxAVgFAAAAB8OkAQJxAlgGAAAAbGF0aW4x"
        + "cQOGcQRScQWFcQZScQcu",
      "gANjZGF0ZXRpbWUKZGF0ZQpxAEMEB+QBAnEBhXECUnEDLg==",
      "gASVIAAAAAAAAACMCGRhdGV0aW1llIwEZGF0ZZSTlEMEB+QBApSFlFKULg==",
      "gAWVIAAAAAAAAACMCGRhdGV0aW1llIwEZGF0ZZSTlEMEB+QBApSFlFKULg==",
    ]
    let json = #"{"$object":"datetime.date","args":[{"$bytes":"B+QBAg=="}]}"#
    for base64 in pickles { #expect(try shown(base64) == json) }
  }

  @Test func subclassesOfDictionariesHaveEntries() throws {
    let pickles = [
      "Y2NvbGxlY3Rpb25zCk9yZGVyZWREaWN0CnAwCih0UnAxClZhCnAyCkkxCnMu",
      "Y2NvbGxlY3Rpb25zCk9yZGVyZWREaWN0CnEAKVJxAVgBAAAAYXECSwFzLg==",
      "gAJjY29sbGVjdGlvbnMKT3JkZXJlZERpY3QKcQApUnEBWAEAAABhcQJLAXMu",
      "gANjY29sbGVjdGlvbnMKT3JkZXJlZERpY3QKcQApUnEBWAEAAABhcQJLAXMu",
      "gASVKQAAAAAAAACMC2NvbGxlY3Rpb25zlIwLT3JkZXJlZERpY3SUk5QpUpSMAWGUSwFzLg==",
      "gAWVKQAAAAAAAACMC2NvbGxlY3Rpb25zlIwLT3JkZXJlZERpY3SUk5QpUpSMAWGUSwFzLg==",
    ]
    let json = #"{"$object":"collections.OrderedDict","args":[],"entries":{"a":1}}"#
    for base64 in pickles { #expect(try shown(base64) == json) }
  }

  @Test func numbersBeyondJSONAreText() throws {
    let pickles = [
      "KGxwMApGbmFuCmFGaW5mCmFGLWluZgphRi0wLjAKYUYxZSszMDAKYS4=",
      "XXEAKEd/+AAAAAAAAEd/8AAAAAAAAEf/8AAAAAAAAEeAAAAAAAAAAEd+N+Q8iAB1nGUu",
      "gAJdcQAoR3/4AAAAAAAAR3/wAAAAAAAAR//wAAAAAAAAR4AAAAAAAAAAR3435DyIAHWcZS4=",
      "gANdcQAoR3/4AAAAAAAAR3/wAAAAAAAAR//wAAAAAAAAR4AAAAAAAAAAR3435DyIAHWcZS4=",
      "gASVMgAAAAAAAABdlChHf/gAAAAAAABHf/AAAAAAAABH//AAAAAAAABHgAAAAAAAAABHfjfkPIgAdZxl"
        + "Lg==",
      "gAWVMgAAAAAAAABdlChHf/gAAAAAAABHf/AAAAAAAABH//AAAAAAAABHgAAAAAAAAABHfjfkPIgAdZxl"
        + "Lg==",
    ]
    let json = #"["NaN","Infinity","-Infinity",-0.0,1e+300]"#
    for base64 in pickles { #expect(try shown(base64) == json) }
  }

  @Test func persistentIdentifiersAreShown() throws {
    let pickles = [
      "XXEAKEsBKFgEAAAAYmxvYnEBSwd0cQJRZS4=",
      "gAJdcQAoSwFYBAAAAGJsb2JxAUsHhnECUWUu",
      "gANdcQAoSwFYBAAAAGJsb2JxAUsHhnECUWUu",
      "gASVEwAAAAAAAABdlChLAYwEYmxvYpRLB4aUUWUu",
      "gAWVEwAAAAAAAABdlChLAYwEYmxvYpRLB4aUUWUu",
    ]
    let json = #"[1,{"$persistent":["blob",7]}]"#
    for base64 in pickles { #expect(try shown(base64) == json) }
  }

  private func shown(_ base64: String) throws -> String {
    try decode(PickleDecoderTests.bytes(base64), by: PickleDecoder())
  }
}
