/// Shows an array of numbers by its shape and what its elements come to, and a small one by all of
/// them.
///
///     {"dtype":"uint8","shape":[480,640,3],"min":0,"max":255,"mean":117.5}
///
/// - `min`, `max` and `mean` are over the elements that are numbers: `nan` counts those that are not.
///   Complex and boolean arrays have none.
/// - `data` is there up to ``dataElementsMax`` elements: nested arrays as `array.tolist()` gives
///   them, complex numbers as `[real, imaginary]`.
public struct ArrayDecoder: Decoder {
  /// What fits on a screen.
  public static let dataElementsMax = 256

  private let layout: ArrayLayout
  /// Bytes before the array.
  private let start: Int

  init(_ layout: ArrayLayout, from start: Int = 0) {
    self.layout = layout
    self.start = start
  }

  public func decode(_ payload: RawSpan, to output: inout JSONOutput) throws(DecodingError) {
    let bytes = payload.extracting(start..<payload.byteCount)
    let size = layout.type.size
    let shape = layout.shape ?? [bytes.byteCount / size]
    let expected =
      layout.shape == nil ? bytes.byteCount - bytes.byteCount % size : layout.byteCount
    guard bytes.byteCount == expected else {
      let wanted = expected.map(String.init) ?? "more"
      throw DecodingError(
        .malformed, at: start, "\(bytes.byteCount) bytes, and the array has \(wanted)")
    }
    try output.beginObject(at: 0)
    try output.key("dtype", at: 0)
    try output.string(layout.type.name, at: 0)
    try output.key("shape", at: 0)
    try output.beginArray(at: 0)
    for size in shape { try output.integer(size, at: 0) }
    output.endArray()
    try ArraySummary(bytes, layout.type)?.write(to: &output)
    if bytes.byteCount / size <= Self.dataElementsMax {
      try output.key("data", at: 0)
      try ArrayWriter(bytes, layout, shape).write(dimension: 0, element: 0, to: &output)
    }
    output.endObject()
  }
}

/// What the elements of an array come to.
private struct ArraySummary {
  private var least: Element?
  private var most: Element?
  private var sum = CompensatedSum()
  private var count = 0
  private var strangers = 0

  /// `nil` where they cannot be compared, or there are none.
  init?(_ bytes: RawSpan, _ type: ElementType) {
    guard type.kind != .bool, type.kind != .complex, !bytes.isEmpty else { return nil }
    var least = Double.infinity
    var most = -Double.infinity
    var offset = 0
    while offset < bytes.byteCount {
      let element = bytes.element(
        type.kind, size: type.size, isBigEndian: type.isBigEndian, at: offset)
      offset += type.size
      guard let number = element.number, !number.isNaN else {
        strangers += 1
        continue
      }
      count += 1
      sum.add(number)
      // Beyond 2^53 several integers are the same Double: those are compared as what they are.
      if number < least || (number == least && element.isBelow(self.least)) {
        (least, self.least) = (number, element)
      }
      if number > most || (number == most && self.most?.isBelow(element) == true) {
        (most, self.most) = (number, element)
      }
      if self.least == nil { self.least = element }
      if self.most == nil { self.most = element }
    }
  }

  func write(to output: inout JSONOutput) throws(DecodingError) {
    for (name, element) in [("min", least), ("max", most)] {
      guard let element else { continue }
      try output.key(name, at: 0)
      try element.write(to: &output, at: 0)
    }
    if count > 0 {
      try output.key("mean", at: 0)
      try output.double(sum.value / Double(count), at: 0)
    }
    if strangers > 0 {
      try output.key("nan", at: 0)
      try output.integer(strangers, at: 0)
    }
  }
}

/// A sum that does not lose what is small beside what is large.
///
/// Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974).
private struct CompensatedSum {
  private var sum = 0.0
  private var lost = 0.0

  mutating func add(_ number: Double) {
    let next = sum + number
    lost += abs(sum) >= abs(number) ? (sum - next) + number : (number - next) + sum
    sum = next
  }

  var value: Double { sum.isFinite ? sum + lost : sum }
}

extension Element {
  /// Of integers; false for anything else.
  fileprivate func isBelow(_ other: Element?) -> Bool {
    switch (self, other) {
    case (.signed(let left), .signed(let right)?): left < right
    case (.unsigned(let left), .unsigned(let right)?): left < right
    default: false
    }
  }
}

/// Writes the elements of an array as nested arrays.
private struct ArrayWriter: ~Escapable {
  private let bytes: RawSpan
  private let type: ElementType
  private let shape: [Int]
  /// Elements from one index to the next, by dimension.
  private let strides: [Int]

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, _ layout: ArrayLayout, _ shape: [Int]) {
    self.bytes = bytes
    type = layout.type
    self.shape = shape
    var strides = shape.map { _ in 1 }
    let order = Array(shape.indices)
    var stride = 1
    for dimension in layout.isFirstIndexFastest ? order : order.reversed() {
      strides[dimension] = stride
      // It may be too large where another size is 0: then nothing is read.
      stride &*= shape[dimension]
    }
    self.strides = strides
  }

  func write(
    dimension: Int, element: Int, to output: inout JSONOutput
  ) throws(DecodingError) {
    guard dimension < shape.count else { return try write(element: element, to: &output) }
    try output.beginArray(at: element * type.size)
    for index in 0..<shape[dimension] {
      try write(
        dimension: dimension + 1, element: element + index * strides[dimension], to: &output)
    }
    output.endArray()
  }

  private func write(element: Int, to output: inout JSONOutput) throws(DecodingError) {
    let offset = element * type.size
    guard type.kind == .complex else {
      return try bytes.element(
        type.kind, size: type.size, isBigEndian: type.isBigEndian, at: offset
      )
      .write(to: &output, at: offset)
    }
    try output.beginArray(at: offset)
    for part in 0..<2 {
      try bytes.element(
        .float, size: type.size / 2, isBigEndian: type.isBigEndian,
        at: offset + part * type.size / 2
      )
      .write(to: &output, at: offset)
    }
    output.endArray()
  }
}
