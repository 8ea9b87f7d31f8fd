/// The brackets that are open at a place in a JSON document, one bit each: set for an object.
struct JSONNesting {
  /// The deepest nesting that is called JSON.
  ///
  /// Why 128: it is what fits a register pair, what serde_json accepts, and far above what people
  /// send. A deeper document is hostile or broken, and shown as text.
  static let depthMax = UInt128.bitWidth

  private(set) var depth = 0
  private var objects: UInt128 = 0

  var isInObject: Bool { objects & 1 == 1 }

  mutating func push(isObject: Bool) {
    precondition(depth < Self.depthMax)
    objects = objects &<< 1 | (isObject ? 1 : 0)
    depth += 1
  }

  mutating func pop() {
    precondition(depth > 0)
    objects = objects &>> 1
    depth -= 1
  }
}
