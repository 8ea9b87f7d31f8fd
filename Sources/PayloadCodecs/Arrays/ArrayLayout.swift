/// How an array lies in its bytes: `ndarray(uint8,480x640x3)`.
struct ArrayLayout: Hashable, Sendable {
  /// NumPy has no arrays of more dimensions.
  static let dimensionsMax = 64

  let type: ElementType
  /// `nil` where it is as long as its bytes are.
  let shape: [Int]?
  /// The first index is the one that moves fastest (Fortran's order), and not the last (C's).
  var isFirstIndexFastest = false

  init(_ type: ElementType, shape: [Int]?, isFirstIndexFastest: Bool = false) {
    self.type = type
    self.shape = shape
    self.isFirstIndexFastest = isFirstIndexFastest
  }

  /// `ndarray(uint8)` is as long as its bytes, `ndarray(uint8,)` a single number. `nil` for the tag of
  /// anything else.
  init?(_ tag: CodecTag) {
    guard let content = tag.content(of: "ndarray") else { return nil }
    let parts = content.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
    guard let type = ElementType(String(parts[0])) else { return nil }
    self.type = type
    guard parts.count == 2 else {
      shape = nil
      return
    }
    let sizes = parts[1].split(separator: "x", omittingEmptySubsequences: false)
    let shape = parts[1].isEmpty ? [] : sizes.compactMap { Int($0) }
    guard shape.count == (parts[1].isEmpty ? 0 : sizes.count), shape.allSatisfy({ $0 >= 0 }),
      shape.count <= Self.dimensionsMax
    else { return nil }
    self.shape = shape
    if byteCount == nil { return nil }
  }

  var tag: CodecTag {
    let sizes = shape.map { "," + $0.map(String.init).joined(separator: "x") } ?? ""
    return CodecTag(rawValue: "ndarray(\(type.name)\(sizes))")
  }

  /// Bytes from one index to the next, of each dimension, where the last one moves fastest. For a layout
  /// with a number of bytes.
  var strides: [Int] {
    var stride = type.size
    var strides: [Int] = []
    for size in (shape ?? []).reversed() {
      strides.append(stride)
      stride &*= size
    }
    return strides.reversed()
  }

  /// Bytes of all elements; `nil` where that is no number, or the shape is not known.
  var byteCount: Int? {
    guard let shape, shape.count <= Self.dimensionsMax else { return nil }
    var count = type.size
    for size in shape {
      let (product, isTooLarge) = count.multipliedReportingOverflow(by: size)
      guard size >= 0, !isTooLarge else { return nil }
      count = product
    }
    return count
  }
}

extension CodecTag {
  /// Bytes that a payload of this tag has; `nil` where it is no array of a shape.
  public var arrayByteCount: Int? { ArrayLayout(self)?.byteCount }

  /// That of arrays of the same type and any size; other tags as they are.
  public var withoutShape: CodecTag {
    ArrayLayout(self).map { ArrayLayout($0.type, shape: nil).tag } ?? self
  }

  /// What stands between the parentheses of `name(...)`; `nil` where the tag is another one.
  func content(of name: String) -> Substring? {
    guard rawValue.hasPrefix(name + "("), rawValue.last == ")" else { return nil }
    return rawValue.dropFirst(name.count + 1).dropLast()
  }
}
