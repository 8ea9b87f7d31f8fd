import Foundation

/// The compiler of a schema language: makes of a source file what `Schema` reads.
///
/// What a file imports is looked for from its own folder and, where that fails, from each folder above it: the
/// compilers want one root, and projects have it in different places.
struct SchemaCompiler {
  /// The program, as it is found on the PATH.
  private let program: String
  /// The Debian package that it is in.
  private let package: String
  /// What ends the name of a compiled schema.
  private let compiledExtension: String
  /// What it is told to compile `source` into the file `target`, with imports from `root`.
  private let arguments: (_ source: String, _ root: String, _ target: String) -> [String]
  /// It writes to its standard output, not to the file that it is told.
  private var writesToOutput = false

  /// By what ends the name of a file; nil for any that needs no compiler.
  init?(for path: String) {
    switch URL(fileURLWithPath: path).pathExtension {
    case "proto":
      (program, package, compiledExtension) = ("protoc", "protobuf-compiler", "desc")
      arguments = { ["--include_imports", "-I", $1, "-o", $2, $0] }
    case "fbs":
      (program, package, compiledExtension) = ("flatc", "flatbuffers-compiler", "bfbs")
      arguments = { source, root, target in
        let folder = URL(fileURLWithPath: target).deletingLastPathComponent().path
        return ["--binary", "--schema", "--bfbs-builtins", "-I", root, "-o", folder, source]
      }
    case "capnp":
      (program, package, compiledExtension) = ("capnp", "capnproto", "request")
      arguments = { source, root, _ in ["compile", "-I", root, "-o-", source] }
      writesToOutput = true
    default: return nil
    }
  }

  /// Why there is no compiled schema, in a line.
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Compiles a source file. Returns its bytes and a name for them: `telemetry.desc` of `telemetry.proto`.
  func compile(_ path: String) throws -> (name: String, bytes: [UInt8]) {
    guard let program = Self.find(program) else {
      throw Failure(
        description:
          "it needs \(program), which is not installed: apt install \(package); or compile it "
          + "elsewhere and give what that makes")
    }
    // A path that begins with a dash would be taken for an option.
    let source = URL(fileURLWithPath: path).standardizedFileURL
    let files = FileManager.default
    let folder = files.temporaryDirectory.appendingPathComponent("zcap-\(UUID().uuidString)")
    try files.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? files.removeItem(at: folder) }
    let name = "\(source.deletingPathExtension().lastPathComponent).\(compiledExtension)"
    let target = folder.appendingPathComponent(name)
    var root = source.deletingLastPathComponent()
    var complaints: [String] = []
    while true {
      let told = arguments(source.path, root.path, target.path)
      guard let complaint = try run(program, told, in: folder, into: target) else {
        return (name, Array(try Data(contentsOf: target)))
      }
      complaints.append(complaint)
      if root.path == "/" {
        // From the right root there may be something else to say than that an import is not there.
        let told = complaints.first { !Self.isAboutImports($0) } ?? complaints[0]
        throw Failure(description: "\(self.program): \(told)")
      }
      root.deleteLastPathComponent()
    }
  }

  /// Returns the first thing that the compiler has to say against it; nil where it made the file.
  private func run(
    _ program: String, _ arguments: [String], in folder: URL, into target: URL
  ) throws -> String? {
    let complaints = folder.appendingPathComponent("complaints")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput =
      writesToOutput ? try Self.create(target) : FileHandle.nullDevice
    process.standardError = try Self.create(complaints)
    try process.run()
    process.waitUntilExit()
    let succeeded = process.terminationReason == .exit && process.terminationStatus == 0
    if succeeded && FileManager.default.fileExists(atPath: target.path) { return nil }
    let said = String(decoding: try Data(contentsOf: complaints), as: UTF8.self)
    let lines = said.split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    // Warnings and a heading may come before what is wrong where.
    let name = "\(target.deletingPathExtension().lastPathComponent)."
    return lines.first { $0.contains(name) && !$0.contains("WARNING") } ?? lines.first
      ?? "it failed and says nothing"
  }

  private static func isAboutImports(_ complaint: String) -> Bool {
    ["not found", "Import failed", "unable to locate include"].contains { complaint.contains($0) }
  }

  private static func create(_ file: URL) throws -> FileHandle {
    try Data().write(to: file)
    return try FileHandle(forWritingTo: file)
  }

  private static func find(_ program: String) -> String? {
    let folders = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return folders.split(separator: ":").map { "\($0)/\(program)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}
