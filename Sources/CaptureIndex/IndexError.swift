import CaptureStore
import GRDB

/// `index.sqlite` cannot be read or written. Nothing is lost: the index is derived.
public struct IndexError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The path of the capture.
  public let capture: String
  public let reason: String

  init(_ error: DatabaseError, capture: String) {
    self.capture = capture
    reason = error.message ?? "SQLite error \(error.resultCode.rawValue)"
  }

  public var description: String {
    "\(capture): the index cannot be used: \(reason); 'zcap reindex \(capture)' makes it anew"
  }
}

extension IndexReader {
  /// Runs queries; what SQLite says of a damaged file is told with the way out.
  func read<Value>(_ query: (Database) throws -> Value) throws -> Value {
    do {
      return try database.queue.read(query)
    } catch let error as DatabaseError {
      throw IndexError(error, capture: capture.path)
    }
  }
}
