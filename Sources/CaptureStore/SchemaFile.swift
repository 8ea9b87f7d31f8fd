/// A compiled schema that a capture carries, so that whoever has the capture can read its messages.
public struct SchemaFile: Hashable, Sendable {
  /// Of the file: no folder in it.
  public var name: String
  public var bytes: [UInt8]

  public init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }
}

extension Capture {
  /// Larger files are no schemas: those of whole companies have some megabytes.
  private static let schemaBytesMax = 64 << 20

  /// Those that it has, in the order of their names. Source: `schemas/` in Format.md.
  public func schemaFiles() throws(StoreError) -> [SchemaFile] {
    let folder = CapturePath.schemas(path)
    guard try files.metadata(folder)?.isDirectory == true else { return [] }
    var found: [SchemaFile] = []
    for name in try files.names(in: folder).sorted() where !name.hasPrefix(".") {
      let file = "\(folder)/\(name)"
      guard let metadata = try files.metadata(file), metadata.isFile,
        metadata.size <= Self.schemaBytesMax
      else { continue }
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
