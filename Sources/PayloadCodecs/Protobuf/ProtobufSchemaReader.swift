// Reads a `FileDescriptorSet`, which is itself a message of Protocol Buffers. The field numbers are
// those of descriptor.proto, a file of the Protocol Buffers sources.
//
// Why not swift-protobuf's descriptor types: what is needed of them is two dozen fields, which the
// reader for payloads reads as it is, within the same bounds; the package would be a minute of
// every build and several megabytes of every binary.

extension ProtobufSchema {
  /// Why 200,000: more messages, fields and values than any schema has; it bounds what a hostile
  /// one costs.
  private static let itemsMax = 200_000

  /// Whether these bytes begin like a descriptor set: with a file, that has a name.
  static func isSchema(_ bytes: RawSpan) -> Bool {
    var reader = ProtobufReader(bytes, 0..<bytes.byteCount)
    var work = ProtobufWork(DecodingLimits())
    guard let tag = try? reader.tag(), tag.number == 1,
      case .length(let file)? = try? reader.value(of: tag, &work)
    else { return false }
    var inner = ProtobufReader(bytes, file)
    guard let tag = try? inner.tag(), tag.number == 1, tag.type == .length else { return false }
    return true
  }

  convenience init(_ bytes: RawSpan) throws(SchemaError) {
    var source = DescriptorSource(bytes, itemsMax: Self.itemsMax)
    do throws(DecodingError) {
      try source.readFiles()
    } catch {
      throw SchemaError(error, in: "FileDescriptorSet")
    }
    var messages = source.messages
    for (message, field, typeName) in source.uses {
      guard var used = messages[message].fields[field] else { continue }
      used.type = try source.index(of: typeName, isMessage: used.kind.isMessage)
      messages[message].fields[field] = used
    }
    for (extendee, field, typeName) in source.extensions {
      let message = try source.index(of: extendee, isMessage: true)
      var field = field
      if let typeName {
        field.type = try source.index(of: typeName, isMessage: field.kind.isMessage)
      }
      messages[message].fields[field.number] = field
    }
    for message in messages where message.isMapEntry {
      guard message.fields[1] != nil, message.fields[2] != nil else {
        throw SchemaError("the FileDescriptorSet is damaged: '\(message.name)' is no map's entry")
      }
    }
    self.init(messages: messages, enums: source.enums, indices: source.messageIndices)
  }
}

/// A message of `FileDescriptorSet`, and what was found in it.
private struct DescriptorSource: ~Escapable {
  private let bytes: RawSpan
  private var work = ProtobufWork(DecodingLimits())
  private var items: Int

  private(set) var messages: [ProtobufSchema.Message] = []
  private(set) var enums: [ProtobufSchema.Enumeration] = []
  private(set) var messageIndices: [String: Int] = [:]
  private var enumIndices: [String: Int] = [:]
  /// Fields whose type is to be found when all are known: message, number, type.
  private(set) var uses: [(Int, UInt32, String)] = []
  /// Extensions: of what, the field, and its type if that is to be found.
  private(set) var extensions: [(String, ProtobufSchema.Field, String?)] = []

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, itemsMax: Int) {
    self.bytes = bytes
    items = itemsMax
  }

  /// - Parameter name: of a message or an enum, as descriptors have it: `.pkg.Type`.
  func index(of name: String, isMessage: Bool) throws(SchemaError) -> Int {
    let plain = name.hasPrefix(".") ? String(name.dropFirst()) : name
    if let index = isMessage ? messageIndices[plain] : enumIndices[plain] { return index }
    throw SchemaError(
      "the FileDescriptorSet uses '\(plain)', which it lacks: make it with --include_imports")
  }

  mutating func readFiles() throws(DecodingError) {
    var reader = ProtobufReader(bytes, 0..<bytes.byteCount)
    while let tag = try reader.tag() {
      let value = try reader.value(of: tag, &work)
      if case .length(let file) = value, tag.number == 1 { try readFile(file) }
    }
  }

  private mutating func readFile(_ range: Range<Int>) throws(DecodingError) {
    let package = try text(2, in: range) ?? ""
    let scope = package.isEmpty ? "" : package + "."
    for message in try all(4, in: range) { try readMessage(message, scope, depth: 0) }
    for enumeration in try all(5, in: range) { try readEnum(enumeration, scope) }
    for field in try all(7, in: range) { try readExtension(field, scope) }
  }

  private mutating func readMessage(
    _ range: Range<Int>, _ scope: String, depth: Int
  ) throws(DecodingError) {
    // Why 32: what the format's own libraries take.
    guard depth < 32 else { throw DecodingError(.limit, at: range.lowerBound, "nested too deep") }
    let name = scope + (try text(1, in: range) ?? "")
    let index = messages.count
    guard messageIndices.updateValue(index, forKey: name) == nil else {
      throw DecodingError(.malformed, at: range.lowerBound, "'\(name)' is there twice")
    }
    var isMapEntry = false
    if let options = try all(7, in: range).last { isMapEntry = try number(7, in: options) == 1 }
    messages.append(
      ProtobufSchema.Message(
        name: name, fields: [:], isMapEntry: isMapEntry,
        wellKnown: ProtobufWellKnownType(name)))
    for source in try all(2, in: range) {
      let (field, typeName) = try field(source, isExtensionIn: nil)
      messages[index].fields[field.number] = field
      if let typeName { uses.append((index, field.number, typeName)) }
    }
    for message in try all(3, in: range) { try readMessage(message, name + ".", depth: depth + 1) }
    for enumeration in try all(4, in: range) { try readEnum(enumeration, name + ".") }
    for field in try all(6, in: range) { try readExtension(field, name + ".") }
  }

  private mutating func readExtension(
    _ range: Range<Int>, _ scope: String
  ) throws(DecodingError) {
    let (field, typeName) = try field(range, isExtensionIn: scope)
    extensions.append((try text(2, in: range) ?? "", field, typeName))
  }

  /// A field, and the name of its type if it is a message or an enum.
  private mutating func field(
    _ range: Range<Int>, isExtensionIn scope: String?
  ) throws(DecodingError) -> (ProtobufSchema.Field, String?) {
    let name = try text(1, in: range) ?? ""
    let number = try number(3, in: range) ?? 0
    let kind = try self.number(5, in: range).flatMap { UInt8(exactly: $0) }
    guard (1..<1 << 29).contains(number), let kind = kind.flatMap(ProtobufSchema.Kind.init) else {
      throw DecodingError(.malformed, at: range.lowerBound, "the field '\(name)' is none")
    }
    let jsonName = try text(10, in: range) ?? Self.camelCase(name)
    let field = ProtobufSchema.Field(
      number: UInt32(number), name: scope.map { "[\($0)\(name)]" } ?? jsonName, kind: kind,
      isRepeated: try self.number(4, in: range) == 3,
      oneof: try self.number(9, in: range).flatMap { Int(exactly: $0) })
    let hasType = kind.isMessage || kind == .enumeration
    return (field, hasType ? try text(6, in: range) ?? "" : nil)
  }

  private mutating func readEnum(
    _ range: Range<Int>, _ scope: String
  ) throws(DecodingError) {
    let name = scope + (try text(1, in: range) ?? "")
    var names: [Int32: String] = [:]
    var first: Int32?
    for value in try all(2, in: range) {
      let number = Int32(truncatingIfNeeded: try number(2, in: value) ?? 0)
      if first == nil { first = number }
      // Of several names for a number, the first one's.
      if names[number] == nil { names[number] = try text(1, in: value) ?? "" }
    }
    guard enumIndices.updateValue(enums.count, forKey: name) == nil else {
      throw DecodingError(.malformed, at: range.lowerBound, "'\(name)' is there twice")
    }
    enums.append(ProtobufSchema.Enumeration(name: name, names: names, first: first ?? 0))
  }

  /// A field's name where its descriptor has no `json_name`: `snake_case` is `snakeCase`.
  private static func camelCase(_ name: String) -> String {
    var result = ""
    var isAfterUnderscore = false
    for character in name {
      if character == "_" {
        isAfterUnderscore = true
      } else {
        result += isAfterUnderscore ? character.uppercased() : String(character)
        isAfterUnderscore = false
      }
    }
    return result
  }
}

// MARK: - Parts

extension DescriptorSource {
  /// The messages and texts that the message in `range` has as field `number`.
  private mutating func all(
    _ number: UInt32, in range: Range<Int>
  ) throws(DecodingError) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var reader = ProtobufReader(bytes, range)
    while let tag = try reader.tag() {
      try work.count(at: tag.offset)
      let value = try reader.value(of: tag, &work)
      guard tag.number == number, case .length(let content) = value else { continue }
      items -= 1
      guard items >= 0 else {
        throw DecodingError(.limit, at: tag.offset, "more types and fields than any schema has")
      }
      found.append(content)
    }
    return found
  }

  private mutating func text(
    _ number: UInt32, in range: Range<Int>
  ) throws(DecodingError) -> String? {
    guard let content = try last(number, in: range) else { return nil }
    guard case .length(let content) = content, content.count <= 4096,
      let text = bytes.extracting(content).text
    else { throw DecodingError(.malformed, at: range.lowerBound, "a name is no text") }
    return text
  }

  private mutating func number(
    _ number: UInt32, in range: Range<Int>
  ) throws(DecodingError) -> UInt64? {
    guard case .varint(let value)? = try last(number, in: range) else { return nil }
    return value
  }

  private mutating func last(
    _ number: UInt32, in range: Range<Int>
  ) throws(DecodingError) -> ProtobufReader.Value? {
    var found: ProtobufReader.Value?
    var reader = ProtobufReader(bytes, range)
    while let tag = try reader.tag() {
      try work.count(at: tag.offset)
      let value = try reader.value(of: tag, &work)
      if tag.number == number { found = value }
    }
    return found
  }
}
