import ArgumentParser
import CaptureStore
import Foundation
import PayloadCodecs

/// `--schema`: compiled schemas in files, and those that captures have.
enum SchemaFiles {
  /// By their names without the folder. Throws `ValidationError` where one cannot be read or is no
  /// schema.
  static func read(_ paths: [String]) throws -> [SchemaFile] {
    var files: [SchemaFile] = []
    for path in paths {
      let bytes: [UInt8]
      do {
        bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
      } catch {
        let reason = (error as NSError).localizedFailureReason ?? error.localizedDescription
        throw ValidationError("--schema \(path): \(reason)")
      }
      do {
        _ = try Schema(bytes)
      } catch {
        throw ValidationError("--schema \(path): \(error)")
      }
      let file = SchemaFile(name: URL(fileURLWithPath: path).lastPathComponent, bytes: bytes)
      if let reason = file.reasonAgainstKeeping {
        throw ValidationError("--schema \(path): \(reason)")
      }
      if files.contains(where: { $0.name == file.name && $0.bytes != bytes }) {
        throw ValidationError(
          "--schema \(path): another one has the same name; a capture keeps them by their names")
      }
      files.append(file)
    }
    return files
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
