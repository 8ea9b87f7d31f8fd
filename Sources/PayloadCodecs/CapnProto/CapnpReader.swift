/// Follows the pointers of a Cap'n Proto message; none is trusted.
///
/// ```
///   u32 segments - 1 | u32 words of each segment | padding to 8 | segment 0 | segment 1 ...
/// ```
/// The first word of segment 0 points to the root. Pointers may lead backwards, in circles and many
/// times to the same object; that is the caller's to bound.
///
/// Places are bytes from the start of the message. Nothing is required of alignment, since a frame
/// may start anywhere.
///
/// Source: the Cap'n Proto documentation, "Encoding Spec".
struct CapnpReader: ~Escapable {
  /// Where a pointer stands.
  struct Place {
    let segment: Int
    let position: Int
  }

  /// A data section and a pointer section. One of no bytes has the default of everything.
  struct Struct {
    let segment: Int
    let data: Int
    let dataBits: Int
    let pointers: Int
    let pointerCount: Int

    /// What a null pointer to a struct stands for.
    static let absent = Struct(segment: 0, data: 0, dataBits: 0, pointers: 0, pointerCount: 0)
  }

  /// Elements next to each other; an element is read like a struct of that size.
  struct List {
    let segment: Int
    /// The place of the first element, in bits: elements may be single bits.
    let startBit: Int
    let count: Int
    let stepBits: Int
    let dataBits: Int
    let pointerCount: Int
  }

  enum Target {
    case null
    case structure(Struct)
    case list(List)
    case capability(UInt32)
  }

  /// Why 512: what the format's own reader takes; more is hostile.
  private static let segmentsMax = 512

  let bytes: RawSpan
  private(set) var segments: [Range<Int>] = []

  /// Reads the table of segments.
  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) throws(DecodingError) {
    self.bytes = bytes
    let count = Int(try bytes.integer(UInt32.self, at: 0)) + 1
    guard count <= Self.segmentsMax else {
      throw DecodingError(.malformed, at: 0, "this is no table of segments")
    }
    var start = (4 + 4 * count + 7) & ~7
    for index in 0..<count {
      let size = 8 * Int(try bytes.integer(UInt32.self, at: 4 + 4 * index))
      guard bytes.contains(size, at: start) else {
        throw DecodingError(.truncated, at: 4 + 4 * index, "a segment goes on behind the end")
      }
      segments.append(start..<start + size)
      start += size
    }
  }

  /// Where the last segment ends.
  var end: Int { segments[segments.count - 1].upperBound }

  /// Where the pointer to the root stands.
  var root: Place { Place(segment: 0, position: segments[0].lowerBound) }

  func target(of place: Place) throws(DecodingError) -> Target {
    let pointer = try word(at: place.position, in: place.segment, from: place.position)
    guard pointer & 3 == 2 else {
      return try target(pointer, behind: place.position, in: place.segment, at: place.position)
    }

    // A far pointer: to a pointer in another segment, or to two words that stand for one.
    let segment = Int(pointer >> 32)
    guard segment < segments.count else {
      throw DecodingError(.malformed, at: place.position, "a pointer leads to no segment")
    }
    let pad = segments[segment].lowerBound + 8 * Int((pointer >> 3) & 0x1FFF_FFFF)
    let landing = try word(at: pad, in: segment, from: place.position)
    guard pointer & 4 != 0 else {
      guard landing & 3 != 2 else {
        throw DecodingError(.malformed, at: pad, "a far pointer leads to a far pointer")
      }
      return try target(landing, behind: pad, in: segment, at: place.position)
    }
    let tag = try word(at: pad + 8, in: segment, from: place.position)
    let content = Int(landing >> 32)
    guard landing & 7 == 2, tag & 3 < 2, tag & 0xFFFF_FFFC == 0, content < segments.count else {
      throw DecodingError(.malformed, at: pad, "a double-far pointer's landing pad is none")
    }
    let start = segments[content].lowerBound + 8 * Int((landing >> 3) & 0x1FFF_FFFF)
    return try target(tag, start: start, in: content, at: place.position)
  }

  private func target(
    _ pointer: UInt64, behind position: Int, in segment: Int, at place: Int
  ) throws(DecodingError) -> Target {
    if pointer == 0 { return .null }
    if pointer & 3 == 3 {
      guard pointer & 0xFFFF_FFFC == 0 else {
        throw DecodingError(.malformed, at: place, "a pointer of no known kind")
      }
      return .capability(UInt32(pointer >> 32))
    }
    let offset = Int(Int32(truncatingIfNeeded: pointer) >> 2)
    return try target(pointer, start: position + 8 + 8 * offset, in: segment, at: place)
  }

  private func target(
    _ pointer: UInt64, start: Int, in segment: Int, at place: Int
  ) throws(DecodingError) -> Target {
    if pointer & 3 == 1 { return .list(try list(pointer, start: start, in: segment, at: place)) }
    let dataBytes = 8 * Int((pointer >> 32) & 0xFFFF)
    let pointerCount = Int(pointer >> 48)
    try check(dataBytes + 8 * pointerCount, at: start, in: segment, from: place)
    return .structure(
      Struct(
        segment: segment, data: start, dataBits: 8 * dataBytes, pointers: start + dataBytes,
        pointerCount: pointerCount))
  }

  private func list(
    _ pointer: UInt64, start: Int, in segment: Int, at place: Int
  ) throws(DecodingError) -> List {
    let count = Int(pointer >> 35)
    let bits = [0, 1, 8, 16, 32, 64, 64, 0][Int((pointer >> 32) & 7)]
    switch (pointer >> 32) & 7 {
    case 7:
      // The count is of words; a tag before the elements has their number and size.
      try check(8 + 8 * count, at: start, in: segment, from: place)
      let tag = try word(at: start, in: segment, from: place)
      let dataBits = 64 * Int((tag >> 32) & 0xFFFF)
      let pointerCount = Int(tag >> 48)
      let elements = Int((tag & 0xFFFF_FFFF) >> 2)
      guard tag & 3 == 0, elements * (dataBits / 64 + pointerCount) <= count else {
        throw DecodingError(.malformed, at: start, "a list of structs is larger than its space")
      }
      return List(
        segment: segment, startBit: 8 * (start + 8), count: elements,
        stepBits: dataBits + 64 * pointerCount, dataBits: dataBits, pointerCount: pointerCount)
    case let size:
      try check((count * bits + 7) / 8, at: start, in: segment, from: place)
      return List(
        segment: segment, startBit: 8 * start, count: count, stepBits: bits,
        dataBits: size == 6 ? 0 : bits, pointerCount: size == 6 ? 1 : 0)
    }
  }

  private func word(
    at position: Int, in segment: Int, from place: Int
  ) throws(DecodingError) -> UInt64 {
    try check(8, at: position, in: segment, from: place)
    return bytes.word(at: position)
  }

  /// - Parameter place: of the pointer that leads there, for the error.
  private func check(
    _ count: Int, at start: Int, in segment: Int, from place: Int
  ) throws(DecodingError) {
    let range = segments[segment]
    guard start >= range.lowerBound, start <= range.upperBound,
      count <= range.upperBound - start
    else {
      throw DecodingError(.malformed, at: place, "a pointer leads outside of its segment")
    }
  }
}

// MARK: - Parts of structs and lists

extension CapnpReader {
  /// The `width` bits, 1 or 8 to 64, at a multiple of `width`; 0 where the data ends before them.
  func bits(_ width: Int, at bit: Int, of object: Struct) -> UInt64 {
    guard bit <= object.dataBits - width else { return 0 }
    return bits(width, atBit: 8 * object.data + bit)
  }

  /// The pointer of that index; `nil`, which is a null pointer, where there are fewer.
  func pointer(_ index: Int, of object: Struct) -> Place? {
    guard index < object.pointerCount else { return nil }
    return Place(segment: object.segment, position: object.pointers + 8 * index)
  }

  /// An element as a struct, which also those of numbers and of pointers may be taken for.
  func element(_ index: Int, of list: List) -> Struct {
    let start = (list.startBit + index * list.stepBits) / 8
    return Struct(
      segment: list.segment, data: start, dataBits: list.dataBits,
      pointers: start + list.dataBits / 8, pointerCount: list.pointerCount)
  }

  /// The number that an element is, or that is first in it if it is a struct.
  func bits(_ width: Int, of index: Int, in list: List) -> UInt64 {
    guard width <= list.dataBits else { return 0 }
    return bits(width, atBit: list.startBit + index * list.stepBits)
  }

  private func bits(_ width: Int, atBit bit: Int) -> UInt64 {
    if width == 1 { return UInt64(bytes.byte(at: bit / 8) >> UInt8(bit % 8)) & 1 }
    var value: UInt64 = 0
    for index in 0..<width / 8 {
      value |= UInt64(bytes.byte(at: bit / 8 + index)) << UInt64(8 * index)
    }
    return value
  }

  /// The bytes of a list of bytes: data, or text with the NUL at its end.
  @_lifetime(copy self)
  func content(of list: List) throws(DecodingError) -> RawSpan {
    guard list.stepBits == 8 && list.dataBits == 8 || list.count == 0 else {
      throw DecodingError(.malformed, at: list.startBit / 8, "text or data is no list of bytes")
    }
    let start = list.startBit / 8
    return bytes.extracting(start..<start + list.count)
  }
}
