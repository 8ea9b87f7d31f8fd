import PayloadCodecs
import Testing

/// RFC 8259 by example, after the plan of N. Seriot's JSONTestSuite. Scalars stand inside an array,
/// because at the top level they are text.
@Suite("JSON grammar")
struct JSONGrammarTests {
  @Test("a document in the grammar is certainly JSON", arguments: accepted)
  func accepts(document: String) {
    #expect(detect(document) == Detection(.json, .certain))
  }

  @Test("a document outside the grammar is text", arguments: rejected)
  func rejects(document: String) {
    #expect(detect(document).tag == .text)
  }

  @Test("bytes that are neither JSON nor text are raw", arguments: rejectedBytes)
  func rejects(bytes: [UInt8]) {
    #expect(detect(bytes) == Detection(.raw, .guess))
  }

  @Test("Python's words for numbers are likely JSON", arguments: pythonNumbers)
  func acceptsPythonNumbers(document: String) {
    #expect(detect(document) == Detection(.json, .likely))
  }

  @Test("every byte after a backslash is judged by the list of escapes")
  func escapes() {
    for byte in UInt8.min...UInt8.max {
      let document = Array("[\"\\".utf8) + [byte] + Array("\"]".utf8)
      let isEscape = "\"\\/bfnrt".utf8.contains(byte)
      #expect((detect(document).tag == .json) == isEscape, "byte \(byte)")
    }
  }

  @Test("a control character inside a string is never JSON")
  func controlsInStrings() {
    for byte in UInt8(0)..<0x20 {
      #expect(detect(Array("[\"ab".utf8) + [byte] + Array("cd\"]".utf8)).tag != .json)
      #expect(detect(Array("[\"abcdefghij".utf8) + [byte] + Array("cd\"]".utf8)).tag != .json)
    }
  }

  @Test("only the four whitespace bytes stand between tokens")
  func whitespace() {
    for byte in UInt8.min...UInt8.max {
      let document = Array("[1".utf8) + [byte] + Array(",2]".utf8)
      let isDigit = (0x30...0x39).contains(byte)
      let isExpected = [0x20, 0x09, 0x0A, 0x0D].contains(byte) || isDigit
      #expect((detect(document).tag == .json) == isExpected, "byte \(byte)")
    }
  }

  static let accepted = [
    "[]", "{}", "[[]]", "[{}]", "{\"a\":{}}", "{\"a\":[]}", "[[],[],{}]", "[[[[[[[[]]]]]]]]",
    " []", "[] ", "\t[]\n", "\r\n{}\r\n", "[ ]", "{ }", "[\n\n1\n,\n2\n]", " [ 1 , 2 ] ",
    "[0]", "[-0]", "[1]", "[-1]", "[123]", "[1.5]", "[-1.5]", "[0.0]", "[0.000001]", "[1e1]",
    "[1E1]", "[1e+1]", "[1e-1]", "[1E+22]", "[1E-22]", "[0e1]", "[0e+1]", "[0E0]", "[-0.0e-0]",
    "[123e65]", "[123.456e78]", "[20e1]", "[1e00001]", "[123456789012345678901234567890]",
    "[-0.000000000000000000000000000000000000000000000000000001]", "[1e9999]", "[1 ]", "[ 4]",
    "[true]", "[false]", "[null]", "[true,false,null]", "[1,null,null,2]", "[ true ]",
    "[\"\"]", "[\"a\"]", "[\" \"]", "[\"abc def\"]", "[\"asd\" ]", "[\"a/*b*/c\"]",
    "[\"\\\"\"]", "[\"\\\\\"]", "[\"\\/\"]", "[\"\\b\\f\\n\\r\\t\"]", "[\"\\\\n\"]", "[\"\\\\a\"]",
    "[\"\\u0000\"]", "[\"\\u0012\"]", "[\"\\u00e9\"]", "[\"\\uABCD\"]", "[\"\\uabcd\"]",
    "[\"\\u0022\"]", "[\"\\uD834\\uDD1E\"]", "[\"\\uD800\"]", "[\"\\uDC00\\uD800\"]",
    "[\"\\uFFFF\"]", "[\"\u{7F}\"]", "[\"a\u{7F}a\"]", "[\"\u{80}\"]", "[\"\u{2028}\u{2029}\"]",
    "[\"é\"]", "[\"π\"]", "[\"€𝄞\"]", "[\"\u{FFFF}\"]", "[\"\u{10FFFF}\"]", "[\"日本語テキスト\"]",
    "[\"\u{FEFF}\"]", "[\"{[,:]}\"]",
    "{\"a\":1}", "{\"\":0}", "{\"a\":1,\"a\":2}", "{\"a\":\"b\",\"c\":\"d\"}", "{ \"a\" : 1 }",
    "{\"a\\u0000b\":1}", "{\"min\":-1.0e+28,\"max\":1.0e+28}", "{\"a\":[1,{\"b\":[]}],\"c\":{}}",
    "{\n\"a\": \"b\"\n}", "{\"a\":true,\"b\":false,\"c\":null}", "[1,\"2\",{\"3\":[4]}]",
  ]

  static let rejected = [
    // Scalars at the top level, and no document at all.
    "1", "42", "-1.5e3", "true", "false", "null", "\"text\"", "NaN", "Infinity", " ", "\n", "abc",
    // Brackets.
    "[", "]", "{", "}", "[[", "[]]", "[}", "{]", "[1}", "{\"a\":1]", "[{]}", "[[]", "[]{}", "[][]",
    "[] 1", "{} {}", "{}\n{}", "{}}", "[1]x", "{\"a\":1}#", "{\"a\":1}//", "<[]>", "([])", "[(1)]",
    // Commas and colons.
    "[,]", "[,1]", "[1,]", "[1,,2]", "[1 2]", "[\"a\" \"b\"]", "[1,\n,1]", "[1", "[1,", "[,",
    "[\"a\":1]", "[1:2]", "[:]", "{,}", "{:}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1,,}",
    "{,\"a\":1}", "{\"a\"::1}", "{\"a\":1:2}", "{\"a\",1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
    "{\"a\":1,1}", "{:1}", "{\"a\":1,\"b\"}",
    // Names.
    "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{[]:1}", "{{}:1}", "{\"a\":b}", "{\"a\":a b}",
    "{\"a:1}", "{a", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,",
    // Numbers.
    "[01]", "[-01]", "[00]", "[-]", "[--1]", "[+1]", "[1+2]", "[.5]", "[-.5]", "[1.]", "[-1.]",
    "[0.]", "[1.e1]", "[1e]", "[1e+]", "[1e-]", "[1E]", "[0e]", "[0e+]", "[1.5e]", "[1ee2]",
    "[1e1.5]", "[1.2.3]", "[0x1]", "[0x]", "[1a]", "[1_000]", "[1 000]", "[- 1]", "[-a]", "[1eE2]",
    "[１]", "[2.e+3]", "[9.e+]", "[-1x]", "[1-]", "[$1]",
    // Words.
    "[tru]", "[truth]", "[True]", "[TRUE]", "[fals]", "[False]", "[nul]", "[None]", "[nulll]",
    "[truefalse]", "[true1]", "[nan]", "[NAN]", "[Nan]", "[NaNN]", "[Inf]", "[inf]", "[+Infinity]",
    "[+NaN]", "[-NaN]", "[-Inf]", "[infinity]", "[Infinit]", "[undefined]", "[a]", "[*]",
    // Strings.
    "[\"]", "[\"a]", "[\"a\\]", "[\"a\\\"]", "['a']", "[`a`]", "[\"\\x00\"]", "[\"\\a\"]",
    "[\"\\'\"]", "[\"\\0\"]", "[\"\\U0041\"]", "[\"\\u\"]", "[\"\\u0\"]", "[\"\\u00\"]",
    "[\"\\u004\"]", "[\"\\u00G0\"]", "[\"\\u 041\"]", "[\"\\uD834\\u\"]", "[\"\\ \"]", "[\"\\é\"]",
    "[\"a\nb\"]", "[\"a\tb\"]", "[\"a\rb\"]", "[\\n]", "[\\u0020\"a\"]", "[“a”]", "[\"a\"\"b\"]",
    // Comments, whitespace and marks that JSON does not know.
    "[1]/**/", "/**/[1]", "[1,/*2*/3]", "//\n[]", "[1\u{A0}]", "[\u{2003}1]", "\u{A0}[]",
    "[\u{FEFF}1]", "\u{2060}[]", "[]\u{FEFF}", "\u{FEFF}", "\u{FEFF}\u{FEFF}[]",
  ]

  static let rejectedBytes: [[UInt8]] = [
    Array("[\"".utf8) + [0xFF] + Array("\"]".utf8),
    Array("[\"".utf8) + [0xC0, 0x80] + Array("\"]".utf8),
    Array("[\"".utf8) + [0xE9] + Array("\"]".utf8),
    Array("[\"".utf8) + [0xED, 0xA0, 0x80] + Array("\"]".utf8),
    Array("[\"".utf8) + [0xF4, 0x90, 0x80, 0x80] + Array("\"]".utf8),
    Array("[\"a".utf8) + [0x00] + Array("b\"]".utf8),
    Array("[1".utf8) + [0x0C] + Array("]".utf8),
    Array("[1".utf8) + [0x0B] + Array("]".utf8),
    Array("[".utf8) + [0xE5] + Array("]".utf8),
    Array("[]".utf8) + [0, 0],
    Array("[]".utf8) + [0] + Array("\n".utf8),
    [0xEF, 0xBB] + Array("[]".utf8),
    [0xFF, 0xFE, 0x5B, 0x00, 0x5D, 0x00],
    [0x00, 0x5B, 0x00, 0x5D],
  ]

  static let pythonNumbers = [
    "[NaN]", "[Infinity]", "[-Infinity]", "{\"a\": NaN}", "{\"a\": -Infinity, \"b\": 1}",
    "[NaN,NaN]", "[ Infinity ]",
  ]
}
