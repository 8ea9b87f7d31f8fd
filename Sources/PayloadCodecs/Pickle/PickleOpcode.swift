/// The instructions of the pickle machine, protocols 0 to 5.
///
/// Source: CPython's `Lib/pickletools.py`, which describes each.
enum PickleOpcode: UInt8 {
  case mark = 0x28  // (
  case emptyTuple = 0x29  // )
  case stop = 0x2E  // .
  case pop = 0x30  // 0
  case popMark = 0x31  // 1
  case duplicate = 0x32  // 2
  case bytes4 = 0x42  // B
  case bytes1 = 0x43  // C
  case float = 0x46  // F
  case double = 0x47  // G
  case int = 0x49  // I
  case int32 = 0x4A  // J
  case uint8 = 0x4B  // K
  case long = 0x4C  // L
  case uint16 = 0x4D  // M
  case none = 0x4E  // N
  case persistentLine = 0x50  // P
  case persistent = 0x51  // Q
  case reduce = 0x52  // R
  case string = 0x53  // S
  case string4 = 0x54  // T
  case string1 = 0x55  // U
  case unicode = 0x56  // V
  case unicode4 = 0x58  // X
  case emptyList = 0x5D  // ]
  case append = 0x61  // a
  case build = 0x62  // b
  case global = 0x63  // c
  case dict = 0x64  // d
  case appends = 0x65  // e
  case get = 0x67  // g
  case get1 = 0x68  // h
  case instance = 0x69  // i
  case get4 = 0x6A  // j
  case list = 0x6C  // l
  case object = 0x6F  // o
  case put = 0x70  // p
  case put1 = 0x71  // q
  case put4 = 0x72  // r
  case setItem = 0x73  // s
  case tuple = 0x74  // t
  case setItems = 0x75  // u
  case emptyDict = 0x7D  // }
  // Protocol 2
  case proto = 0x80
  case newObject = 0x81
  case ext1 = 0x82
  case ext2 = 0x83
  case ext4 = 0x84
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case newTrue = 0x88
  case newFalse = 0x89
  case long1 = 0x8A
  case long4 = 0x8B
  // Protocol 4 (B and C above are of protocol 3)
  case unicode1 = 0x8C
  case unicode8 = 0x8D
  case bytes8 = 0x8E
  case emptySet = 0x8F
  case addItems = 0x90
  case frozenSet = 0x91
  case newObjectKeywords = 0x92
  case stackGlobal = 0x93
  case memoize = 0x94
  case frame = 0x95
  // Protocol 5
  case byteArray8 = 0x96
  case nextBuffer = 0x97
  case readOnlyBuffer = 0x98
}

/// What stands behind an opcode.
enum PickleArgument {
  case nothing
  case number(Int64)
  case double(Double)
  case bytes(Range<Int>)
  case line(Range<Int>)
  case lines(Range<Int>, Range<Int>)
}

extension ByteCursor {
  mutating func pickleOpcode() throws(DecodingError) -> PickleOpcode {
    let byte = try byte()
    guard let opcode = PickleOpcode(rawValue: byte) else {
      throw DecodingError(
        .malformed, at: offset - 1, "0x\(String(byte, radix: 16)) is no pickle opcode")
    }
    return opcode
  }

  mutating func pickleArgument(of opcode: PickleOpcode) throws(DecodingError) -> PickleArgument {
    switch opcode {
    case .uint8, .get1, .put1, .ext1, .proto: return .number(Int64(try byte()))
    case .uint16, .ext2: return .number(Int64(try littleEndian(UInt16.self)))
    case .int32, .ext4: return .number(Int64(try littleEndian(Int32.self)))
    case .get4, .put4: return .number(Int64(try littleEndian(UInt32.self)))
    case .double: return .double(Double(bitPattern: try bigEndian(UInt64.self)))
    case .bytes1, .string1, .unicode1, .long1: return .bytes(try take(try byte()))
    // Python's lengths of string4 and long4 are signed; a negative one is too much here, too.
    case .bytes4, .unicode4, .string4, .long4:
      return .bytes(try take(try littleEndian(UInt32.self)))
    case .bytes8, .unicode8, .byteArray8: return .bytes(try take(try littleEndian(UInt64.self)))
    case .frame:
      let length = try littleEndian(UInt64.self)
      guard length <= remaining else {
        throw DecodingError(.truncated, at: offset, "a frame of \(length) bytes, \(remaining) left")
      }
      return .nothing
    case .int, .long, .float, .string, .unicode, .get, .put, .persistentLine:
      return .line(try line())
    case .global, .instance: return .lines(try line(), try line())
    default: return .nothing
    }
  }
}
