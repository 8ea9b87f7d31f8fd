/// Follows the offsets of a FlatBuffers buffer; none is trusted.
///
/// ```
///   0        4            8                 table
///   | root   | identifier | ... | vtable | soffset | fields inline ... | strings, vectors, tables
///   |        | (optional) |     u16 size of the vtable, u16 size of the table, u16 per field
/// ```
/// Offsets between objects are unsigned and so lead forwards: a buffer has no cycles. Objects may
/// overlap and be reached many times; that is the caller's to bound. Nothing is required of
/// alignment, since a frame may start anywhere.
///
/// Source: "FlatBuffers Internals" of the FlatBuffers documentation.
struct FlatBufferReader: ~Escapable {
  /// Where a table and its vtable are, both checked to be within the buffer.
  struct Table {
    let position: Int
    fileprivate let size: Int
    fileprivate let vtable: Int
    fileprivate let vtableSize: Int

    /// Fields that the vtable has a place for.
    var slotCount: Int { (vtableSize - 4) / 2 }
  }

  /// Elements next to each other.
  struct Vector {
    let start: Int
    let count: Int
  }

  let bytes: RawSpan

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { self.bytes = bytes }

  func root() throws(DecodingError) -> Table { try table(at: target(at: 0)) }

  func table(at position: Int) throws(DecodingError) -> Table {
    let vtable = position - Int(try bytes.integer(Int32.self, at: position))
    guard bytes.contains(4, at: vtable) else {
      throw DecodingError(.malformed, at: position, "the table's vtable is outside of the payload")
    }
    let vtableSize = Int(try bytes.integer(UInt16.self, at: vtable))
    let size = Int(try bytes.integer(UInt16.self, at: vtable + 2))
    guard vtableSize >= 4, vtableSize % 2 == 0, bytes.contains(vtableSize, at: vtable) else {
      throw DecodingError(.malformed, at: position, "the table's vtable is none")
    }
    guard size >= 4, bytes.contains(size, at: position) else {
      throw DecodingError(.malformed, at: position, "the table is larger than the rest")
    }
    return Table(position: position, size: size, vtable: vtable, vtableSize: vtableSize)
  }

  /// Where the field is whose place in the vtable is `slot`, 4 plus twice its id; `nil` if it is
  /// not there.
  ///
  /// - Parameter width: the bytes that it has inline.
  func field(
    _ slot: Int, of table: Table, width: Int
  ) throws(DecodingError) -> Int? {
    guard slot <= table.vtableSize - 2 else { return nil }
    let offset = Int(try bytes.integer(UInt16.self, at: table.vtable + slot))
    if offset == 0 { return nil }
    guard offset >= 4, offset <= table.size - width else {
      throw DecodingError(.malformed, at: table.position, "a field is outside of its table")
    }
    return table.position + offset
  }

  /// What the offset at `position` points to.
  func target(at position: Int) throws(DecodingError) -> Int {
    let offset = try bytes.integer(UInt32.self, at: position)
    guard offset != 0, bytes.contains(4, at: position + Int(offset)) else {
      throw DecodingError(.malformed, at: position, "an offset leads outside of the payload")
    }
    return position + Int(offset)
  }

  /// The vector that the offset at `position` points to.
  ///
  /// - Parameter width: the bytes of an element, at least 1.
  func vector(at position: Int, width: Int) throws(DecodingError) -> Vector {
    let target = try target(at: position)
    let count = Int(try bytes.integer(UInt32.self, at: target))
    guard count <= (bytes.byteCount - target - 4) / width else {
      throw DecodingError(.malformed, at: target, "a vector is longer than the rest")
    }
    return Vector(start: target + 4, count: count)
  }

  /// The bytes of the string or byte vector that the offset at `position` points to.
  @_lifetime(copy self)
  func string(at position: Int) throws(DecodingError) -> RawSpan {
    let vector = try vector(at: position, width: 1)
    return bytes.extracting(vector.start..<vector.start + vector.count)
  }
}

extension FlatBufferReader {
  /// The root table, if the buffer could be one: what tells a buffer from other bytes.
  var plausibleRoot: Table? {
    // Its vtable may lie behind it: writers share those that are equal.
    guard let table = try? root(), table.position >= 4, table.position != table.vtable else {
      return nil
    }
    for slot in 0..<table.slotCount {
      do throws(DecodingError) {
        _ = try field(4 + 2 * slot, of: table, width: 1)
      } catch {
        return nil
      }
    }
    return table
  }

  /// The fields that are there.
  func fieldCount(of table: Table) -> Int {
    (0..<table.slotCount).count { slot in
      (try? bytes.integer(UInt16.self, at: table.vtable + 4 + 2 * slot)) != 0
    }
  }

  /// The four characters behind the root's offset, if they are letters, digits or the like.
  var identifier: String? {
    guard bytes.byteCount >= 8 else { return nil }
    var text = ""
    for offset in 4..<8 {
      let byte = bytes.byte(at: offset)
      guard (0x21...0x7E).contains(byte) else { return nil }
      text.unicodeScalars.append(Unicode.Scalar(byte))
    }
    return text
  }
}
