import ArgumentParser
import CaptureStore
import Foundation
import PayloadCodecs

/// `--schema`: compiled schemas in files.
enum SchemaFiles {
  /// Throws `ValidationError` where one cannot be read or is none.
  static func read(_ paths: [String]) throws -> SchemaSet {
    var schemas = SchemaSet()
    for path in paths {
      let bytes: [UInt8]
      do {
        bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
      } catch {
        let reason = (error as NSError).localizedFailureReason ?? error.localizedDescription
        throw ValidationError("--schema \(path): \(reason)")
      }
      do {
        schemas.add(try Schema(bytes))
      } catch {
        throw ValidationError("--schema \(path): \(error)")
      }
    }
    return schemas
  }
}
