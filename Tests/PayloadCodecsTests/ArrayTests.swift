import PayloadCodecs
import Testing

/// Arrays of numbers as NumPy lays them out.
@Suite struct ArrayTests {
  private func decoder(_ tag: String) throws -> any Decoder {
    var decoders = DecoderSet()
    let found = decoders.decoder(for: CodecTag(rawValue: tag))
    return try #require(found)
  }

  @Test(
    arguments: [
      (
        "ndarray(uint8,2x2)", [1, 2, 3, 4],
        #"{"dtype":"uint8","shape":[2,2],"min":1,"max":4,"mean":2.5,"data":[[1,2],[3,4]]}"#
      ),
      (
        "ndarray(|i1)", [0xFF, 1],
        #"{"dtype":"int8","shape":[2],"min":-1,"max":1,"mean":0.0,"data":[-1,1]}"#
      ),
      (
        "ndarray(>i2,1)", [1, 0],
        #"{"dtype":">i2","shape":[1],"min":256,"max":256,"mean":256.0,"data":[256]}"#
      ),
      (
        "ndarray(float16,1)", [0x00, 0x3E],
        #"{"dtype":"float16","shape":[1],"min":1.5,"max":1.5,"mean":1.5,"data":[1.5]}"#
      ),
      (
        "ndarray(<f4,)", [0, 0, 0xC0, 0x3F],
        #"{"dtype":"float32","shape":[],"min":1.5,"max":1.5,"mean":1.5,"data":1.5}"#
      ),
      (
        "ndarray(float32,2)", [0, 0, 0xC0, 0x7F, 0, 0, 0xC0, 0x3F],
        #"{"dtype":"float32","shape":[2],"min":1.5,"max":1.5,"mean":1.5,"nan":1,"#
          + #""data":["NaN",1.5]}"#
      ),
      ("ndarray(bool,2)", [0, 1], #"{"dtype":"bool","shape":[2],"data":[false,true]}"#),
      (
        "ndarray(complex64,1)", [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0],
        #"{"dtype":"complex64","shape":[1],"data":[[1.0,-2.0]]}"#
      ),
      ("ndarray(uint8,0x3)", [], #"{"dtype":"uint8","shape":[0,3],"data":[]}"#),
      (
        "ndarray(uint64,2)",
        [UInt8](repeating: 0xFF, count: 8) + [0xFE] + [UInt8](repeating: 0xFF, count: 7),
        #"{"dtype":"uint64","shape":[2],"min":18446744073709551614,"max":18446744073709551615,"#
          + #""mean":1.8446744073709552e+19,"data":[18446744073709551615,18446744073709551614]}"#
      ),
    ] as [(String, [UInt8], String)])
  func anArrayIsShownByWhatItsElementsComeTo(tag: String, bytes: [UInt8], json: String) throws {
    #expect(try decode(bytes, by: decoder(tag)) == json)
  }

  @Test func theElementsOfALargeOneAreNotListed() throws {
    let count = ArrayDecoder.dataElementsMax + 1
    let shown = try decode(
      [UInt8](repeating: 7, count: count), by: decoder("ndarray(uint8,\(count))"))
    #expect(shown == #"{"dtype":"uint8","shape":[\#(count)],"min":7,"max":7,"mean":7.0}"#)
  }

  @Test(arguments: [
    "ndarray(uint8,3)", "ndarray(uint16,2x2)", "ndarray(uint8,65536x65536)",
  ])
  func bytesThatTheShapeDoesNotHaveAreAnError(tag: String) throws {
    #expect(failure([1, 2], by: try decoder(tag)) == .malformed)
  }

  @Test(arguments: [
    "ndarray", "ndarray()", "ndarray(text,3)", "ndarray(uint8,3xx)", "ndarray(u3)",
    "ndarray(uint8,-1)", "ndarray(float64,9223372036854775807)",
  ])
  func whatIsNoLayoutHasNoDecoder(tag: String) {
    var decoders = DecoderSet()
    let found = decoders.decoder(for: CodecTag(rawValue: tag))
    #expect(found == nil)
  }

  // MARK: - Headers

  private func detect(_ payload: [UInt8], after header: [UInt8]) -> Detection {
    unsafe CodecRegistry.standard.detect(payload.span.bytes, after: header.span.bytes)
  }

  @Test func aHeaderGivesTheNextFrameItsTypeAndShape() {
    let payload = [UInt8](repeating: 1, count: 24)
    let header = Array(#"{"dtype": "float32", "shape": [2, 3], "name": "x"}"#.utf8)
    let found = Detection(CodecTag(rawValue: "ndarray(float32,2x3)"), .certain)
    #expect(detect(payload, after: header) == found)
    let packed: [UInt8] =
      [0x82, 0xA5] + Array("dtype".utf8) + [0xA3] + Array("<f4".utf8) + [0xA5]
      + Array("shape".utf8) + [0x92, 2, 3]
    #expect(detect(payload, after: packed) == found)
    // The header is of something else.
    #expect(detect(payload + [1], after: header).tag == .raw)
    #expect(detect(payload, after: Array(#"{"dtype":"S4","shape":[6]}"#.utf8)).tag == .raw)
    #expect(detect(payload, after: Array(#"{"shape":[24]}"#.utf8)).tag == .raw)
    #expect(detect(payload, after: []).tag == .raw)
  }

  /// The tag says nothing of an order, so that one of another is no array.
  @Test(arguments: [
    (#""fortran_order":true"#, false), (#""fortran_order":false"#, true), (#""order":"F""#, false),
    (#""order":"C""#, true), (#""order":7"#, true), (#""strides":[12,4]"#, true),
    (#""strides":[4,8]"#, false), (#""strides":null"#, true),
  ])
  func theOrderOfElementsCounts(field: String, isArray: Bool) {
    let header = Array(#"{"dtype":"float32","shape":[2,3],\#(field)}"#.utf8)
    let found = detect([UInt8](repeating: 1, count: 24), after: header).tag
    #expect((found.rawValue == "ndarray(float32,2x3)") == isArray)
  }

  // MARK: - .npy

  private func npy(_ header: String, _ elements: [UInt8]) -> [UInt8] {
    [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + elements
  }

  @Test func aFileOfNumPyIsCertain() throws {
    let header = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 2), }\n"
    let file = npy(header, [1, 0, 2, 0, 3, 0, 4, 0])
    #expect(PayloadCodecsTests.detect(file) == Detection(.npy, .certain))
    #expect(
      try decode(file, by: NpyDecoder())
        == #"{"dtype":"int16","shape":[2,2],"min":1,"max":4,"mean":2.5,"data":[[1,3],[2,4]]}"#)
    #expect(PayloadCodecsTests.detect(file + [0]) == Detection(.npy, .likely))
    #expect(failure(file + [0], by: NpyDecoder()) == .malformed)
    for count in file.indices { #expect(failure(Array(file[..<count]), by: NpyDecoder()) != nil) }
  }

  @Test func sizesBeyondAllNumbersAreOfNoElement() throws {
    let size = 1 << 62
    let file = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (0, \(size), \(size)), }", [])
    #expect(
      try decode(file, by: NpyDecoder())
        == #"{"dtype":"uint8","shape":[0,\#(size),\#(size)],"data":[]}"#)
    let many = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (\(size), 0), }", [])
    #expect(failure(many, by: NpyDecoder()) == .limit)
    // The product is no number at all.
    for shape in ["(\(size),)", "(\(size), \(size))"] {
      let long = npy("{'descr': '<f8', 'fortran_order': False, 'shape': \(shape), }", [1])
      #expect(failure(long, by: NpyDecoder()) == .malformed)
    }
    let deep = Array(repeating: "1", count: 65).joined(separator: ", ")
    let nested = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (\(deep)), }", [1])
    #expect(failure(nested, by: NpyDecoder()) == .malformed)
  }

  @Test func recordsAndObjectsAreNotShown() {
    let file = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", [1, 2, 3])
    #expect(PayloadCodecsTests.detect(file) == Detection(.npy, .likely))
    #expect(failure(file, by: NpyDecoder()) == .unsupported)
  }
}
