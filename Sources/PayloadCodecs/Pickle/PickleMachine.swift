/// Runs the instructions of a pickle, as far as they put data together.
///
/// Where Python would import or call something, a ``PickleObject`` says what; nothing is imported or
/// called. Every instruction costs about the same, whatever it refers to: nothing is copied but what
/// stands in the payload once.
///
/// Source: CPython's `Lib/pickle.py`, `_Unpickler`.
struct PickleMachine: ~Escapable {
  var cursor: ByteCursor
  private(set) var values: [PickleValue] = []
  /// Bytes that are not in the payload as they are: ``PickleBytes/isMade``.
  var made: [UInt8] = []
  var stack: [PickleReference] = []
  var marks: [Int] = []
  private var memo: [Int64: PickleReference] = [:]
  private var buffers = 0
  private let valuesMax: Int

  @_lifetime(copy payload)
  init(_ payload: RawSpan, valuesMax: Int) throws(DecodingError) {
    cursor = ByteCursor(payload)
    self.valuesMax = valuesMax
    // Offsets are kept in 32 bits.
    if payload.byteCount > Int(UInt32.max) / 4 {
      throw DecodingError(.limit, at: 0, "a pickle of more than 1 GiB")
    }
  }

  /// - Returns: the value that the pickle is.
  mutating func run() throws(DecodingError) -> PickleReference {
    while true {
      let start = cursor.offset
      let opcode = try cursor.pickleOpcode()
      let argument = try cursor.pickleArgument(of: opcode)
      if opcode == .stop { break }
      try apply(opcode, argument, at: start)
    }
    let value = try pop(at: cursor.offset - 1)
    if cursor.remaining > 0 {
      throw DecodingError(
        .malformed, at: cursor.offset, "\(cursor.remaining) bytes behind the pickle")
    }
    return value
  }

  private mutating func apply(
    _ opcode: PickleOpcode, _ argument: PickleArgument, at start: Int
  ) throws(DecodingError) {
    switch opcode {
    case .mark:
      try check(marks.count, at: start)
      marks.append(stack.count)
    case .pop:
      if marks.last == stack.count { marks.removeLast() } else { _ = try pop(at: start) }
    case .popMark: _ = try popToMark(at: start)
    case .duplicate: try pushAgain(try top(at: start), at: start)
    case .proto:
      if case .number(let version) = argument, version > 5 {
        throw DecodingError(.unsupported, at: start, "pickle protocol \(version)")
      }
    case .frame, .readOnlyBuffer, .stop: break
    case .put, .put1, .put4, .memoize, .get, .get1, .get4:
      try remember(opcode, argument, at: start)
    case .append, .appends, .addItems, .setItem, .setItems:
      try extend(opcode, at: start)
    case .list, .emptyList, .emptySet, .frozenSet, .tuple, .emptyTuple, .tuple1, .tuple2, .tuple3,
      .dict, .emptyDict:
      try collect(opcode, at: start)
    case .global, .stackGlobal, .reduce, .newObject, .newObjectKeywords, .object, .instance, .build,
      .persistent, .persistentLine, .ext1, .ext2, .ext4:
      try describe(opcode, argument, at: start)
    case .nextBuffer:
      try push(.buffer(buffers), at: start)
      buffers += 1
    default:
      try push(try scalar(opcode, argument, at: start), at: start)
    }
  }
}

// MARK: - Stack

extension PickleMachine {
  mutating func push(_ value: PickleValue, at start: Int) throws(DecodingError) {
    stack.append(try add(value, at: start))
  }

  mutating func add(_ value: PickleValue, at start: Int) throws(DecodingError) -> PickleReference {
    try check(values.count, at: start)
    values.append(value)
    return PickleReference(values.count - 1)
  }

  /// Puts a value there that is there already.
  private mutating func pushAgain(
    _ value: PickleReference, at start: Int
  ) throws(DecodingError) {
    try check(stack.count, at: start)
    stack.append(value)
  }

  /// Bounds the memory of the stack, the marks, the memo and the values, of which each takes an
  /// instruction of a byte or two to grow.
  private func check(_ count: Int, at start: Int) throws(DecodingError) {
    guard count < valuesMax else { throw DecodingError(.limit, at: start, "too many values") }
  }

  /// Values below a mark are out of reach.
  mutating func pop(at start: Int) throws(DecodingError) -> PickleReference {
    let value = try top(at: start)
    stack.removeLast()
    return value
  }

  func top(at start: Int) throws(DecodingError) -> PickleReference {
    guard let value = stack.last, stack.count > marks.last ?? 0 else {
      throw DecodingError(.malformed, at: start, "nothing on the stack of the pickle")
    }
    return value
  }

  mutating func popToMark(at start: Int) throws(DecodingError) -> [PickleReference] {
    guard let mark = marks.popLast() else {
      throw DecodingError(.malformed, at: start, "no mark on the stack of the pickle")
    }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }
}

// MARK: - Memo

extension PickleMachine {
  private mutating func remember(
    _ opcode: PickleOpcode, _ argument: PickleArgument, at start: Int
  ) throws(DecodingError) {
    let key: Int64
    switch argument {
    case .number(let number): key = number
    case .line(let line): key = try int(line, at: start)
    default: key = Int64(memo.count)
    }
    switch opcode {
    case .get, .get1, .get4:
      guard let value = memo[key] else {
        throw DecodingError(.malformed, at: start, "nothing is remembered as \(key)")
      }
      try pushAgain(value, at: start)
    default:
      try check(memo.count, at: start)
      memo[key] = try top(at: start)
    }
  }
}

// MARK: - Containers

extension PickleMachine {
  private mutating func collect(_ opcode: PickleOpcode, at start: Int) throws(DecodingError) {
    switch opcode {
    case .emptyList, .emptySet: try push(.list([]), at: start)
    case .emptyTuple: try push(.tuple([]), at: start)
    case .emptyDict: try push(.dict([]), at: start)
    case .list, .frozenSet: try push(.list(try popToMark(at: start)), at: start)
    case .tuple: try push(.tuple(try popToMark(at: start)), at: start)
    case .dict: try push(.dict(try popPairs(at: start)), at: start)
    default:
      var items: [PickleReference] = []
      for _ in 0..<opcode.stackEffect.takes { items.append(try pop(at: start)) }
      try push(.tuple(items.reversed()), at: start)
    }
  }

  private mutating func popPairs(at start: Int) throws(DecodingError) -> [PickleReference] {
    let items = try popToMark(at: start)
    guard items.count % 2 == 0 else {
      throw DecodingError(.malformed, at: start, "a key without a value")
    }
    return items
  }

  private mutating func extend(_ opcode: PickleOpcode, at start: Int) throws(DecodingError) {
    let items: [PickleReference]
    let isPairs = opcode == .setItem || opcode == .setItems
    switch opcode {
    case .append: items = [try pop(at: start)]
    case .setItem:
      let value = try pop(at: start)
      items = [try pop(at: start), value]
    case .setItems: items = try popPairs(at: start)
    default: items = try popToMark(at: start)
    }

    // Taken out of the table while it grows, lest it be copied.
    let index = Int(try top(at: start))
    switch values[index] {
    case .list(var held) where !isPairs:
      values[index] = .none
      held += items
      values[index] = .list(held)
    case .dict(var held) where isPairs:
      values[index] = .none
      held += items
      values[index] = .dict(held)
    case .object(let object):
      if isPairs { object.pairs += items } else { object.items += items }
    default:
      throw DecodingError(.malformed, at: start, "items for what holds none")
    }
  }
}
