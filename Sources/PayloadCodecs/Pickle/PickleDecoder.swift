/// Shows a pickle as JSON. Nothing is imported and nothing is called, whatever the pickle says.
///
/// | Python | JSON |
/// |---|---|
/// | `None`, `bool`, `int`, `float`, `str`, `bytes`, `bytearray` | see ``JSONOutput`` |
/// | `list`, `tuple`, `set`, `frozenset` | an array |
/// | `dict` | an object |
/// | an integer of more than 1024 bytes | `{"$int":"0x..."}` |
/// | an instance or a call | `{"$object":"module.name","args":[...]}`, and where it has them `kwargs`, `state`, `items` (of a list), `entries` (of a dict) |
/// | a class or a function | `{"$global":"module.name"}` |
/// | a persistent id | `{"$persistent":ID}` |
/// | a code of the extension registry | `{"$extension":CODE}` |
/// | an out-of-band buffer | `{"$buffer":N}`, the N-th from 0 |
/// | a value inside itself | `{"$cycle":N}`: it is the N-th around that place, from 1 |
///
/// A value that several places hold is shown at each.
public struct PickleDecoder: Decoder {
  public init() {}

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    var machine = try PickleMachine(payload, valuesMax: output.limits.values)
    let root = try machine.run()
    var writer = PickleJSON(machine)
    try writer.value(root, to: &output)
  }
}

/// Recursive: a level of the data is one of the output, which bounds the depth.
private struct PickleJSON: ~Escapable {
  /// Larger integers are shown in hexadecimal: decimal digits cost the square of the length. Python
  /// draws its line (`sys.set_int_max_str_digits`) near 1786 bytes.
  private static let decimalBytesMax = 1024

  private let machine: PickleMachine
  /// The containers around the value that is written next.
  private var path: [PickleReference] = []

  @_lifetime(copy machine)
  init(_ machine: consuming PickleMachine) { self.machine = machine }

  mutating func value(
    _ reference: PickleReference, to output: inout JSONOutput
  ) throws(DecodingError) {
    switch machine.values[Int(reference)] {
    case .none: try output.null(at: end)
    case .bool(let value): try output.bool(value, at: end)
    case .int(let value): try output.integer(value, at: end)
    case .double(let value): try output.double(value, at: end)
    case .long(let bytes): try long(bytes, to: &output)
    case .digits(let bytes, let isNegative):
      let digits = String(decoding: self.bytes(bytes), as: UTF8.self)
      try output.number(digits: (isNegative ? "-" : "") + digits, at: end)
    case .text(let bytes): try text(bytes, to: &output)
    case .bytes(let bytes): try binary(bytes, to: &output)
    case .extensionCode(let code): try member("$extension", .int(code), to: &output)
    case .buffer(let number): try member("$buffer", .int(Int64(number)), to: &output)
    case .list, .tuple, .dict, .object, .global, .persistent:
      if let place = path.lastIndex(of: reference) {
        try member("$cycle", .int(Int64(path.count - place)), to: &output)
      } else {
        path.append(reference)
        try container(machine.values[Int(reference)], to: &output)
        path.removeLast()
      }
    }
  }

  private mutating func container(
    _ value: PickleValue, to output: inout JSONOutput
  ) throws(DecodingError) {
    switch value {
    case .list(let items), .tuple(let items): try array(items, to: &output)
    case .dict(let pairs): try object(pairs, to: &output)
    case .object(let object): try instance(object, to: &output)
    case .global(let module, let name):
      try output.beginObject(at: end)
      try output.key("$global", at: end)
      try self.name(module, name, to: &output)
      output.endObject()
    case .persistent(let identifier):
      try output.beginObject(at: end)
      try output.key("$persistent", at: end)
      try self.value(identifier, to: &output)
      output.endObject()
    default: preconditionFailure("not a container")
    }
  }

  private mutating func array(
    _ items: [PickleReference], to output: inout JSONOutput
  ) throws(DecodingError) {
    try output.beginArray(at: end)
    for item in items { try value(item, to: &output) }
    output.endArray()
  }

  private mutating func object(
    _ pairs: [PickleReference], to output: inout JSONOutput
  ) throws(DecodingError) {
    try output.beginObject(at: end)
    for index in stride(from: 0, to: pairs.count, by: 2) {
      try key(pairs[index], to: &output)
      try value(pairs[index + 1], to: &output)
    }
    output.endObject()
  }

  private mutating func key(
    _ reference: PickleReference, to output: inout JSONOutput
  ) throws(DecodingError) {
    if case .text(let bytes) = machine.values[Int(reference)] {
      let isText =
        bytes.isMade
        ? try output.key(utf8: unsafe machine.made[bytes.range].span.bytes, at: end)
        : try output.key(utf8: machine.cursor.bytes.extracting(bytes.range), at: end)
      if isText { return }
    }
    try output.beginValueKey(at: end)
    try value(reference, to: &output)
    try output.endValueKey(at: end)
  }

  private mutating func instance(
    _ object: PickleObject, to output: inout JSONOutput
  ) throws(DecodingError) {
    try output.beginObject(at: end)
    try output.key("$object", at: end)
    if case .global(let module, let name) = machine.values[Int(object.callable)] {
      try self.name(module, name, to: &output)
    } else {
      try value(object.callable, to: &output)
    }
    try output.key("args", at: end)
    try value(object.arguments, to: &output)
    if let keywords = object.keywords {
      try output.key("kwargs", at: end)
      try value(keywords, to: &output)
    }
    if let state = object.state {
      try output.key("state", at: end)
      try value(state, to: &output)
    }
    if !object.items.isEmpty {
      try output.key("items", at: end)
      try array(object.items, to: &output)
    }
    if !object.pairs.isEmpty {
      try output.key("entries", at: end)
      try self.object(object.pairs, to: &output)
    }
    output.endObject()
  }

  /// `"module.name"`; where a hostile pickle has no text for one of them, both as they are.
  private mutating func name(
    _ module: PickleReference, _ name: PickleReference, to output: inout JSONOutput
  ) throws(DecodingError) {
    guard case .text(let first) = machine.values[Int(module)],
      case .text(let second) = machine.values[Int(name)]
    else { return try array([module, name], to: &output) }
    let joined = bytes(first) + [UInt8(ascii: ".")] + bytes(second)
    try output.string(utf8: unsafe joined.span.bytes, at: end)
  }
}

// MARK: - Scalars

extension PickleJSON {
  /// Values have no place in the payload that could be told: what a limit stops, it stops at the end.
  private var end: Int { machine.cursor.offset }

  private mutating func member(
    _ name: String, _ value: PickleValue, to output: inout JSONOutput
  ) throws(DecodingError) {
    try output.beginObject(at: end)
    try output.key(name, at: end)
    if case .int(let number) = value { try output.integer(number, at: end) }
    output.endObject()
  }

  private func text(_ bytes: PickleBytes, to output: inout JSONOutput) throws(DecodingError) {
    if bytes.isMade {
      try output.string(utf8: unsafe machine.made[bytes.range].span.bytes, at: end)
    } else {
      try output.string(utf8: machine.cursor.bytes.extracting(bytes.range), at: end)
    }
  }

  private func binary(_ bytes: PickleBytes, to output: inout JSONOutput) throws(DecodingError) {
    if bytes.isMade {
      try output.binary(unsafe machine.made[bytes.range].span.bytes, at: end)
    } else {
      try output.binary(machine.cursor.bytes.extracting(bytes.range), at: end)
    }
  }

  private func long(_ bytes: PickleBytes, to output: inout JSONOutput) throws(DecodingError) {
    let integer = LongInteger(twosComplement: self.bytes(bytes))
    if bytes.count <= Self.decimalBytesMax {
      try output.number(digits: integer.decimal, at: end)
    } else {
      try output.beginObject(at: end)
      try output.key("$int", at: end)
      try output.string(integer.hexadecimal, at: end)
      output.endObject()
    }
  }

  private func bytes(_ bytes: PickleBytes) -> [UInt8] {
    if bytes.isMade { return Array(machine.made[bytes.range]) }
    return bytes.range.map { machine.cursor.bytes.byte(at: $0) }
  }
}
