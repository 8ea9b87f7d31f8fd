import Foundation
import PayloadCodecs
import Testing

@Suite("Pickle decoder")
struct PickleDecoderTests {
  /// One value by Python's `pickle.dumps`, by protocol from 0 to 5.
  static let plain: [String] = [
    "KGRwMApWbgpwMQpOc1ZiCnAyCihscDMKSTAxCmFJMDAKYXNWaQpwNAoobHA1CkkwCmFJLTEKYUkyNTUK"
      + "YUk2NTUzNgphSS0yMTQ3NDgzNjQ4CmFMOTIyMzM3MjAzNjg1NDc3NTgwOEwKYUwtMTE4MDU5MTYyMDcx"
      + "NzQxMTMwMzQyNEwKYXNWZgpwNgpGMS41CnNWdApwNwooSTEKVulcdTAwMGEKcDgKdHA5CnNWeQpwMTAK"
      + "Y19jb2RlY3MKZW5jb2RlCnAxMQooVlx1MDAwMP8KcDEyClZsYXRpbjEKcDEzCnRwMTQKUnAxNQpzVmQK"
      + "cDE2CihkcDE3ClZrCnAxOAooZHAxOQpWeApwMjAKSTEKc3NzVmUKcDIxCihscDIyCihscDIzCmEodGEo"
      + "ZHAyNAphc1ZzCnAyNQpWXHUyMGFjXHUyMGFjXHUyMGFjCnAyNgpzLg==",
    "fXEAKFgBAAAAbnEBTlgBAAAAYnECXXEDKEkwMQpJMDAKZVgBAAAAaXEEXXEFKEsASv////9L/0oAAAEA"
      + "SgAAAIBMOTIyMzM3MjAzNjg1NDc3NTgwOEwKTC0xMTgwNTkxNjIwNzE3NDExMzAzNDI0TAplWAEAAABm"
      + "cQZHP/gAAAAAAABYAQAAAHRxByhLAVgDAAAAw6kKcQh0cQlYAQAAAHlxCmNfY29kZWNzCmVuY29kZQpx"
      + "CyhYAwAAAADDv3EMWAYAAABsYXRpbjFxDXRxDlJxD1gBAAAAZHEQfXERWAEAAABrcRJ9cRNYAQAAAHhx"
      + "FEsBc3NYAQAAAGVxFV1xFihdcRcpfXEYZVgBAAAAc3EZWAkAAADigqzigqzigqxxGnUu",
    "gAJ9cQAoWAEAAABucQFOWAEAAABicQJdcQMoiIllWAEAAABpcQRdcQUoSwBK/////0v/SgAAAQBKAAAA"
      + "gIoJAAAAAAAAAIAAigkAAAAAAAAAAMBlWAEAAABmcQZHP/gAAAAAAABYAQAAAHRxB0sBWAMAAADDqQpx"
      + "CIZxCVgBAAAAeXEKY19jb2RlY3MKZW5jb2RlCnELWAMAAAAAw79xDFgGAAAAbGF0aW4xcQ2GcQ5ScQ9Y"
      + "AQAAAGRxEH1xEVgBAAAAa3ESfXETWAEAAAB4cRRLAXNzWAEAAABlcRVdcRYoXXEXKX1xGGVYAQAAAHNx"
      + "GVgJAAAA4oKs4oKs4oKscRp1Lg==",
    "gAN9cQAoWAEAAABucQFOWAEAAABicQJdcQMoiIllWAEAAABpcQRdcQUoSwBK/////0v/SgAAAQBKAAAA"
      + "gIoJAAAAAAAAAIAAigkAAAAAAAAAAMBlWAEAAABmcQZHP/gAAAAAAABYAQAAAHRxB0sBWAMAAADDqQpx"
      + "CIZxCVgBAAAAeXEKQwIA/3ELWAEAAABkcQx9cQ1YAQAAAGtxDn1xD1gBAAAAeHEQSwFzc1gBAAAAZXER"
      + "XXESKF1xEyl9cRRlWAEAAABzcRVYCQAAAOKCrOKCrOKCrHEWdS4=",
    "gASVmgAAAAAAAAB9lCiMAW6UTowBYpRdlCiIiWWMAWmUXZQoSwBK/////0v/SgAAAQBKAAAAgIoJAAAA"
      + "AAAAAIAAigkAAAAAAAAAAMBljAFmlEc/+AAAAAAAAIwBdJRLAYwDw6kKlIaUjAF5lEMCAP+UjAFklH2U"
      + "jAFrlH2UjAF4lEsBc3OMAWWUXZQoXZQpfZRljAFzlIwJ4oKs4oKs4oKslHUu",
    "gAWVmgAAAAAAAAB9lCiMAW6UTowBYpRdlCiIiWWMAWmUXZQoSwBK/////0v/SgAAAQBKAAAAgIoJAAAA"
      + "AAAAAIAAigkAAAAAAAAAAMBljAFmlEc/+AAAAAAAAIwBdJRLAYwDw6kKlIaUjAF5lEMCAP+UjAFklH2U"
      + "jAFrlH2UjAF4lEsBc3OMAWWUXZQoXZQpfZRljAFzlIwJ4oKs4oKs4oKslHUu",
  ]

  static let plainJSON =
    #"{"n":null,"b":[true,false],"i":[0,-1,255,65536,-2147483648,9223372036854775808,"#
    + #"-1180591620717411303424],"f":1.5,"t":[1,"é\n"],"y":{"$bytes":"AP8="},"#
    + #""d":{"k":{"x":1}},"e":[[],[],{}],"s":"€€€"}"#

  static func bytes(_ base64: String) throws -> [UInt8] {
    Array(try #require(Data(base64Encoded: base64)))
  }

  @Test(arguments: 0...5)
  func plainDataIsShown(version: Int) throws {
    let payload = try Self.bytes(Self.plain[version])
    #expect(try decode(payload, by: PickleDecoder()) == Self.plainJSON)
  }

  /// What they would run is `os.system("id")`.
  @Test(arguments: [
    // By __reduce__, protocols 0, 2 and 4.
    "Y3Bvc2l4CnN5c3RlbQpwMAooVmlkCnAxCnRwMgpScDMKLg==",
    "gAJjcG9zaXgKc3lzdGVtCnEAWAIAAABpZHEBhXECUnEDLg==",
    "gASVHQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==",
  ])
  func callsAreDescribed(base64: String) throws {
    let payload = try Self.bytes(base64)
    let json = #"{"$object":"posix.system","args":["id"]}"#
    #expect(try decode(payload, by: PickleDecoder()) == json)
  }

  @Test func callsByMemoAndInsideOthersAreDescribed() throws {
    let call = #"{"$object":"posix.system","args":["id"]}"#
    let memo = "gASVLAAAAAAAAABdlCiMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKUaAZ9lIwBa5RoBnNlLg=="
    #expect(
      try decode(Self.bytes(memo), by: PickleDecoder()) == #"[\#(call),\#(call),{"k":\#(call)}]"#)
    let nested =
      "gASVOgAAAAAAAACMCGJ1aWx0aW5zlIwEZXZhbJSTlIwBMZSFlFKUjAVwb3NpeJSMBnN5c3RlbZSTlIwCaWSUhZRS"
      + "lGEu"
    let json = #"{"$object":"builtins.eval","args":["1"],"items":[\#(call)]}"#
    #expect(try decode(Self.bytes(nested), by: PickleDecoder()) == json)
    // A persistent id, by its opcode for text: `Pid\n.`
    let persistent = Array("Pid\n.".utf8)
    #expect(try decode(persistent, by: PickleDecoder()) == #"{"$persistent":"id"}"#)
  }

  @Test(arguments: 0...5)
  func whatEndsEarlyIsToldAndIsStillJSON(version: Int) throws {
    let payload = try Self.bytes(Self.plain[version])
    for count in payload.indices {
      #expect(failure(Array(payload[..<count]), by: PickleDecoder()) != nil)
    }
  }

  @Test func depthsAndLengthsAreBounded() {
    // Lists inside lists: each ']' puts one, each 'a' puts the last into the one below.
    let deep = Array("\u{5D}".utf8).first!
    let count = 100_000
    let payload =
      [UInt8](repeating: deep, count: count)
      + [UInt8](repeating: UInt8(ascii: "a"), count: count - 1) + [UInt8(ascii: ".")]
    #expect(failure(payload, by: PickleDecoder()) == .limit)
    // A list in itself: memoised and appended to itself.
    let cycle = Array("]q".utf8) + [0] + Array("h".utf8) + [0] + Array("a.".utf8)
    #expect((try? decode(cycle, by: PickleDecoder())) == #"[{"$cycle":1}]"#)
    // A string that says that it has 4 GiB.
    #expect(failure(Array("X".utf8) + [255, 255, 255, 255, 1], by: PickleDecoder()) == .truncated)
    // A list of a list twice, of that twice...: a hundred levels are more than there are atoms.
    var bomb: [UInt8] = Array("]".utf8)
    for level in 0..<100 {
      let memo = UInt8(level)
      bomb += [
        UInt8(ascii: "q"), memo, UInt8(ascii: "]"), UInt8(ascii: "("), UInt8(ascii: "h"), memo,
      ]
      bomb += [UInt8(ascii: "h"), memo, UInt8(ascii: "e")]
    }
    #expect(failure(bomb + [UInt8(ascii: ".")], by: PickleDecoder()) == .limit)
  }
}
