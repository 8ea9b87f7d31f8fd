// What Python would import or call: described.

extension PickleMachine {
  mutating func describe(
    _ opcode: PickleOpcode, _ argument: PickleArgument, at start: Int
  ) throws(DecodingError) {
    switch (opcode, argument) {
    case (.global, .lines(let module, let name)):
      try push(try global(module, name, at: start), at: start)
    case (.stackGlobal, _):
      let name = try pop(at: start)
      try push(.global(module: try pop(at: start), name: name), at: start)
    case (.instance, .lines(let module, let name)):
      let arguments = try add(.tuple(try popToMark(at: start)), at: start)
      let callable = try add(try global(module, name, at: start), at: start)
      try push(.object(PickleObject(callable, arguments)), at: start)
    case (.object, _):
      let items = try popToMark(at: start)
      guard let callable = items.first else {
        throw DecodingError(.malformed, at: start, "an object of nothing")
      }
      let arguments = try add(.tuple(Array(items.dropFirst())), at: start)
      try push(.object(PickleObject(callable, arguments)), at: start)
    case (.newObjectKeywords, _):
      let keywords = try pop(at: start)
      let arguments = try pop(at: start)
      let callable = try pop(at: start)
      try push(.object(PickleObject(callable, arguments, keywords: keywords)), at: start)
    case (.build, _):
      try build(at: start)
    case (.persistent, _):
      try push(.persistent(try pop(at: start)), at: start)
    case (.persistentLine, .line(let line)):
      let name = try add(.text(PickleBytes(line)), at: start)
      try push(.persistent(name), at: start)
    case (_, .number(let code)):
      try push(.extensionCode(code), at: start)
    default:
      let arguments = try pop(at: start)
      let callable = try pop(at: start)
      if opcode == .reduce, let plain = try plain(callable, arguments, at: start) {
        stack.append(plain)
      } else {
        try push(.object(PickleObject(callable, arguments)), at: start)
      }
    }
  }

  private mutating func global(
    _ module: Range<Int>, _ name: Range<Int>, at start: Int
  ) throws(DecodingError) -> PickleValue {
    .global(
      module: try add(.text(PickleBytes(module)), at: start),
      name: try add(.text(PickleBytes(name)), at: start))
  }

  private mutating func build(at start: Int) throws(DecodingError) {
    let state = try pop(at: start)
    let target = try top(at: start)
    if case .object(let object) = values[Int(target)] {
      object.state = state
    } else {
      // Not what Python writes: its state is told, if with a value of its own.
      let arguments = try add(.tuple([]), at: start)
      let object = PickleObject(target, arguments)
      object.state = state
      stack.removeLast()
      try push(.object(object), at: start)
    }
  }
}

// MARK: - Plain data of older protocols

extension PickleMachine {
  /// Protocols that have no opcode for bytes and sets call for them by a few names. They are data:
  ///
  /// | called | is |
  /// |---|---|
  /// | `_codecs.encode(text, "latin1")` | bytes |
  /// | `bytes()`, `bytearray()`, `bytearray(bytes)`, `bytearray(text, "latin-1")` | bytes |
  /// | `set(list)`, `frozenset(list)` | a list |
  ///
  /// Source: CPython's `Lib/pickle.py`, `save_bytes`, `save_bytearray`, `save_set`.
  private mutating func plain(
    _ callable: PickleReference, _ arguments: PickleReference, at start: Int
  ) throws(DecodingError) -> PickleReference? {
    guard case .global(let module, let name) = values[Int(callable)],
      case .tuple(let items) = values[Int(arguments)]
    else { return nil }

    if has(module, "_codecs"), has(name, "encode") {
      return try encoded(items, at: start)
    }
    guard has(module, "builtins") || has(module, "__builtin__") else { return nil }
    if has(name, "bytes") || has(name, "bytearray") {
      if items.isEmpty { return try add(.bytes(PickleBytes(0..<0)), at: start) }
      if items.count == 1, case .bytes = values[Int(items[0])] { return items[0] }
      return has(name, "bytearray") ? try encoded(items, at: start) : nil
    }
    if has(name, "set") || has(name, "frozenset") {
      if items.isEmpty { return try add(.list([]), at: start) }
      // The same list: copying it could be asked for again and again.
      if items.count == 1, case .list = values[Int(items[0])] { return items[0] }
    }
    return nil
  }

  /// Text of characters below U+0100 as so many bytes; `nil` if the arguments are others.
  private mutating func encoded(
    _ items: [PickleReference], at start: Int
  ) throws(DecodingError) -> PickleReference? {
    guard items.count == 2, case .text(let text) = values[Int(items[0])],
      has(items[1], "latin1") || has(items[1], "latin-1")
    else { return nil }

    let first = made.count
    try reserve(Int(text.count), at: start)
    var index = 0
    while index < Int(text.count) {
      let byte = self.byte(of: text, at: index)
      switch byte {
      case 0..<0x80:
        made.append(byte)
        index += 1
      case 0xC2...0xC3 where index + 1 < Int(text.count):
        made.append(byte << 6 | self.byte(of: text, at: index + 1) & 0x3F)
        index += 2
      // What was made stays, unused: it is counted, so that nobody asks for it again and again.
      default: return nil
      }
    }
    return try add(.bytes(madeBytes(from: first)), at: start)
  }

  private func has(_ reference: PickleReference, _ word: String) -> Bool {
    guard case .text(let text) = values[Int(reference)], Int(text.count) == word.utf8.count else {
      return false
    }
    var index = 0
    for letter in word.utf8 {
      guard byte(of: text, at: index) == letter else { return false }
      index += 1
    }
    return true
  }

  private func byte(of text: PickleBytes, at index: Int) -> UInt8 {
    let place = Int(text.start) + index
    return text.isMade ? made[place] : cursor.bytes.byte(at: place)
  }
}
