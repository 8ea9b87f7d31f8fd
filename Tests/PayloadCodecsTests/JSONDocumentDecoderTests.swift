import PayloadCodecs
import Testing

@Suite("JSON document decoder")
struct JSONDocumentDecoderTests {
  @Test(arguments: [
    (#"{}"#, #"{}"#), (" [ ]\n", "[]"),
    (
      #"{ "a" : [ 1 , -2.50e+3, true,false , null ] , "b":{"c" :"d"}}"#,
      #"{"a":[1,-2.50e+3,true,false,null],"b":{"c":"d"}}"#
    ),
    (#"["with space", "\" \\ \u00e9 \n", ","]"#, #"["with space","\" \\ \u00e9 \n",","]"#),
    (#"[NaN, Infinity, -Infinity]"#, #"["NaN","Infinity","-Infinity"]"#),
    (#"{"a":1,"a":2}"#, #"{"a":1,"a":2}"#),
    ("[123456789012345678901234567890]", "[123456789012345678901234567890]"),
    ("\u{FEFF}[1]\0", "[1]"), (" 0 ", "0"), ("\"a\"", "\"a\""), ("null", "null"), ("-1e3", "-1e3"),
  ])
  func itIsShownAsItIsOnOneLine(document: String, json: String) throws {
    #expect(try decode(Array(document.utf8), by: JSONDocumentDecoder()) == json)
  }

  @Test func controlsDoNotReachATerminal() throws {
    #expect(
      try decode(Array("[\"\u{7F}\u{9B}1m\"]".utf8), by: JSONDocumentDecoder())
        == #"["\u007f\u009b1m"]"#)
  }

  @Test func whatIsNoneIsTold() {
    #expect(failure(Array("[1".utf8), by: JSONDocumentDecoder()) == .truncated)
    #expect(failure(Array("[1}".utf8), by: JSONDocumentDecoder()) == .malformed)
    for text in ["1 2", "nul", "words", "\"a\" x"] {
      #expect(failure(Array(text.utf8), by: JSONDocumentDecoder()) != nil, "\(text)")
    }
    let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000)
    #expect(
      failure(deep + deep.map { _ in UInt8(ascii: "]") }, by: JSONDocumentDecoder()) == .limit)
  }
}
