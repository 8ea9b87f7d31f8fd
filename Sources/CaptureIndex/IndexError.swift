import CaptureStore
import GRDB

/// `index.sqlite` cannot be read or written. Nothing is lost: the index is derived.
public struct IndexError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The path of the capture.
  public let capture: String
  public let reason: String
  /// It could not be made or written; else it could not be read.
  public let isWriting: Bool

  init(_ error: DatabaseError, capture: String, isWriting: Bool = false) {
    self.capture = capture
    self.isWriting = isWriting
    reason = error.message ?? "SQLite error \(error.resultCode.rawValue)"
  }

  /// Runs what writes the index of a capture; what SQLite says is told with the place.
  static func told<Value>(_ capture: String, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as DatabaseError {
      throw IndexError(error, capture: capture, isWriting: true)
    }
  }

  public var description: String {
    isWriting
      ? "\(CapturePath.index(capture)): cannot be written: \(reason); see that it is a file that you "
        + "may write, and that there is room"
      : "\(capture): the index cannot be used: \(reason); 'zcap reindex \(capture)' makes it anew"
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
