/// Recognises one pickle of any protocol, 0 to 5, that ends where the payload does.
///
/// All opcodes are walked, with their arguments and what they do to the depth of the stack.
///
/// - Protocols 2 to 5 begin with an opcode that tells the protocol: certain.
/// - Protocols 0 and 1 have no mark, and often are text: likely. In 8 bytes or fewer they are not
///   recognised, since `I1\n.` is more probably something else.
/// - A pickle beyond ``CodecRegistry/examinedBytesMax``, not counting strings, is judged by so much,
///   and by its last byte; it is likely.
public struct PickleCodec: Codec {
  static let unmarkedBytesMin = 9

  public init() {}

  public func recognize(_ payload: RawSpan) -> Detection? {
    let count = payload.byteCount
    guard count >= 4, payload.byte(at: count - 1) == PickleOpcode.stop.rawValue else { return nil }
    let isMarked = payload.byte(at: 0) == PickleOpcode.proto.rawValue
    guard isMarked ? (2...5).contains(payload.byte(at: 1)) : count >= Self.unmarkedBytesMin else {
      return nil
    }
    var scanner = PickleScanner(payload)
    guard let isWhole = try? scanner.scan() else { return nil }
    return Detection(.pickle, isMarked && isWhole ? .certain : .likely)
  }
}

extension CodecTag {
  /// A Python object, serialised.
  public static let pickle = CodecTag(rawValue: "pickle")
}

private struct PickleScanner: ~Escapable {
  private static let marksMax = 1024

  private var cursor: ByteCursor
  /// Values above the topmost mark, or all if there is none.
  private var depth = 0
  /// Values below each mark, down to the one before.
  private var marks: [Int] = []

  @_lifetime(copy payload)
  init(_ payload: RawSpan) { cursor = ByteCursor(payload) }

  /// - Returns: whether all of the payload was looked at.
  mutating func scan() throws(DecodingError) -> Bool {
    var work = 0
    while true {
      let start = cursor.offset
      let opcode = try cursor.pickleOpcode()
      try skipArgument(of: opcode, &work)
      if opcode == .stop { break }
      try apply(opcode, at: start)
      work += 1
      if work >= CodecRegistry.examinedBytesMax { return false }
    }
    guard cursor.isAtEnd, depth == 1, marks.isEmpty else {
      throw DecodingError(.malformed, at: cursor.offset, "not one value")
    }
    return true
  }

  private mutating func skipArgument(
    of opcode: PickleOpcode, _ work: inout Int
  ) throws(DecodingError) {
    let start = cursor.offset
    switch try cursor.pickleArgument(of: opcode) {
    case .line(let range):
      work += cursor.offset - start
      guard Self.isPlausible(cursor.bytes.extracting(range), for: opcode) else {
        throw DecodingError(.malformed, at: start, "not what such a line has")
      }
    case .lines: work += cursor.offset - start
    default: break
    }
  }

  /// Keeps most text from being taken for pickles: numbers are numbers, and strings are quoted.
  private static func isPlausible(_ line: RawSpan, for opcode: PickleOpcode) -> Bool {
    guard !line.isEmpty else { return opcode == .unicode }
    let first = line.byte(at: 0)
    switch opcode {
    case .int, .long, .get, .put:
      for index in 0..<line.byteCount {
        switch line.byte(at: index) {
        case ASCII.digits: continue
        case ASCII.minus where index == 0: continue
        case UInt8(ascii: "L") where opcode == .long && index == line.byteCount - 1: continue
        default: return false
        }
      }
      return true
    case .string: return first == ASCII.quote || first == UInt8(ascii: "'")
    default: return true
    }
  }

  private mutating func apply(_ opcode: PickleOpcode, at start: Int) throws(DecodingError) {
    if opcode == .mark {
      guard marks.count < Self.marksMax else {
        throw DecodingError(.limit, at: start, "too many marks")
      }
      marks.append(depth)
      depth = 0
      return
    }
    let effect = opcode.stackEffect
    if effect.takesMark {
      guard let below = marks.popLast() else {
        throw DecodingError(.malformed, at: start, "no mark")
      }
      depth = below
    }
    // `0` takes a mark where no value is above it.
    if opcode == .pop, depth == 0, let below = marks.popLast() {
      depth = below
      return
    }
    guard depth >= effect.takes else {
      throw DecodingError(.malformed, at: start, "nothing on the stack")
    }
    depth += effect.leaves - effect.takes
  }
}
