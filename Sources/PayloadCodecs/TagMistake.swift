extension CodecTag {
  /// The codecs that need no schema, as users write them.
  private static let plainNames =
    "raw, text, json, msgpack, pickle, npy, ndarray(TYPE,SHAPE), struct(FORMAT:NAMES), image/png, "
    + "image/jpeg, gzip, zstd, lz4"

  /// What is wrong with a tag that no decoder shows, for people.
  ///
  /// - Parameter schemas: where the types of tags such as `protobuf(pkg.Type)` are looked for.
  public func mistake(_ schemas: SchemaSet) -> String {
    if let format = content(of: "struct") { return StructFormat.mistake(String(format)) }
    if let array = content(of: "ndarray") { return ArrayLayout.mistake(array) }
    if let tag = SchemaTag(self), let type = tag.type {
      return Self.mistake(type: type, tag.format, schemas)
    }
    return "no such codec; there are \(Self.plainNames), and protobuf(TYPE), flatbuffers(TYPE) and "
      + "capnp(TYPE) of a schema"
  }

  private static func mistake(
    type: String, _ format: SchemaFormat, _ schemas: SchemaSet
  ) -> String {
    let all = schemas.tags.compactMap { SchemaTag($0) }.filter { $0.format == format }
      .compactMap(\.type)
    // What compilers add of their own is not what somebody looks for.
    let own = all.filter { !$0.hasPrefix("google.protobuf.") }
    guard !own.isEmpty else { return "a type of a schema needs --schema" }
    let name = type.split(separator: ".").last.map(String.init) ?? type
    let alike = own.filter { $0 == name || $0.hasSuffix(".\(name)") }
    if !alike.isEmpty { return "the schemas have \(alike.joined(separator: ", "))" }
    let shown = own.prefix(8).joined(separator: ", ")
    let more = own.count > 8 ? " and \(own.count - 8) more" : ""
    return "of \(format.rawValue) the schemas have \(shown)\(more)"
  }
}

extension StructFormat {
  fileprivate static func mistake(_ text: String) -> String {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let format = StructFormat(String(parts[0])) else {
      return "'\(parts[0])' is no format of Python's struct"
    }
    let names = parts.count < 2 ? [] : parts[1].split(separator: ",")
    if Set(names).count < names.count { return "a name is there twice" }
    let values = format.items.reduce(0) { $0 + $1.count }
    let items = format.items.count == values ? "" : ", or \(format.items.count)"
    return "\(names.count) names, and the format has \(values) values\(items)"
  }
}

extension ArrayLayout {
  fileprivate static func mistake(_ text: Substring) -> String {
    let type = text.prefix { $0 != "," }
    return ElementType(String(type)) == nil
      ? "'\(type)' is no type of numbers, such as uint8 or float32"
      : "'\(text.dropFirst(type.count + 1))' is no shape, such as 480x640x3"
  }
}
