import ArgumentParser
import CaptureStore
import Foundation
import PayloadCodecs

/// `--schema`: schemas in files, compiled or to be compiled, and those that captures have.
enum SchemaFiles {
  /// By their names without the folder. Throws `ValidationError` where one cannot be read or is no
  /// schema.
  static func read(_ paths: [String]) throws -> [SchemaFile] {
    var files: [SchemaFile] = []
    for path in paths {
      let file: SchemaFile
      do {
        file = try read(path)
        _ = try Schema(file.bytes)
      } catch {
        throw ValidationError("--schema \(path): \(error)")
      }
      if let reason = file.reasonAgainstKeeping {
        throw ValidationError("--schema \(path): \(reason)")
      }
      if files.contains(where: { $0.name == file.name && $0.bytes != file.bytes }) {
        throw ValidationError(
          "--schema \(path): another one has the same name; a capture keeps them by their names")
      }
      files.append(file)
    }
    return files
  }

  private static func read(_ path: String) throws -> SchemaFile {
    let source = URL(fileURLWithPath: path)
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw SchemaCompiler.Failure(description: "it is a folder; name the file")
    }
    do {
      let bytes = Array(try Data(contentsOf: source))
      guard let compiler = SchemaCompiler(for: path) else {
        return SchemaFile(name: source.lastPathComponent, bytes: bytes)
      }
      let compiled = try compiler.compile(path)
      return SchemaFile(name: compiled.name, bytes: compiled.bytes)
    } catch let error as CocoaError {
      throw SchemaCompiler.Failure(
        description: (error as NSError).localizedFailureReason ?? error.localizedDescription)
    }
  }

  /// Those that were named, then those of the capture but `gone`. What the capture has and is none is
  /// told.
  static func schemas(
    _ named: [SchemaFile], of capture: Capture?, except gone: [String] = []
  ) throws -> SchemaSet {
    var schemas = SchemaSet()
    for file in named { schemas.add(try Schema(file.bytes)) }
    for file in try capture?.schemaFiles() ?? [] where !gone.contains(file.name) {
      do {
        schemas.add(try Schema(file.bytes))
      } catch {
        Console.complain("\(capture!.path)/schemas/\(file.name): \(error)")
      }
    }
    return schemas
  }
}
