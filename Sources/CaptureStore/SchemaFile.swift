/// A compiled schema that a capture carries, so that whoever has the capture can read its messages.
public struct SchemaFile: Hashable, Sendable {
  /// Of the file: no folder in it.
  public var name: String
  public var bytes: [UInt8]

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  /// Larger files are no schemas: those of whole companies have some megabytes.
  static let bytesMax = 64 << 20

  /// Why a capture would not find it again; nil where it would.
  public var reasonAgainstKeeping: String? {
    if bytes.count > Self.bytesMax { return "a schema has 64 MiB at most" }
    return Self.isName(name) ? nil : "a schema's name neither begins with '.' nor ends with .new"
  }

  /// A file of another name is one that was being written, or nobody's.
  static func isName(_ name: String) -> Bool { !name.hasPrefix(".") && !name.hasSuffix(".new") }
}

extension Capture {
  /// Those that it has, in the order of their names, 64 MiB in all at most. Source: `schemas/` in Format.md.
  public func schemaFiles() throws(StoreError) -> [SchemaFile] {
    let folder = CapturePath.schemas(path)
    guard try files.metadata(folder)?.isDirectory == true else { return [] }
    var found: [SchemaFile] = []
    var room = SchemaFile.bytesMax
    for name in try files.names(in: folder).sorted() where SchemaFile.isName(name) {
      let file = "\(folder)/\(name)"
      guard let metadata = try files.metadata(file), metadata.isFile,
        metadata.size <= room
      else { continue }
      room -= metadata.size
      found.append(SchemaFile(name: name, bytes: try files.read(file, limit: metadata.size)))
    }
    return found
  }

  /// Copies schemas into the capture; one of a name that is there already takes its place.
  public func add(_ schemas: [SchemaFile]) throws(StoreError) {
    if schemas.isEmpty { return }
    let folder = CapturePath.schemas(path)
    if try files.metadata(folder) == nil { try files.makeDirectory(folder) }
    for schema in schemas { try files.replace("\(folder)/\(schema.name)", with: schema.bytes) }
    try files.synchronizeDirectory(folder)
    try files.synchronizeDirectory(path)
  }

  /// Takes one out. Returns whether it was there.
  public func removeSchema(_ name: String) throws(StoreError) -> Bool {
    guard try schemaFiles().contains(where: { $0.name == name }) else { return false }
    try files.remove("\(CapturePath.schemas(path))/\(name)")
    try files.synchronizeDirectory(CapturePath.schemas(path))
    return true
  }
}
