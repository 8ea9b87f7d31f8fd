import Foundation
import GRDB

/// Reads columns of an index that may be damaged: what does not fit is an error, never a trap.
extension Row {
  func integer(_ column: String, in range: ClosedRange<Int64> = .min ... .max) throws -> Int64 {
    guard let value = Int64.fromDatabaseValue(self[column]), range.contains(value) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "bad value in \(column)")
    }
    return value
  }

  /// A number that is not negative: a count, an offset, an id.
  func count(_ column: String, max: Int = .max) throws -> Int {
    Int(try integer(column, in: 0...Int64(max)))
  }

  func text(_ column: String) throws -> String {
    guard let value = String.fromDatabaseValue(self[column]) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "bad value in \(column)")
    }
    return value
  }

  /// nil for NULL.
  func bytes(_ column: String) throws -> [UInt8]? {
    let stored: DatabaseValue = self[column]
    if stored.isNull { return nil }
    guard let value = Data.fromDatabaseValue(stored) else {
      throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "bad value in \(column)")
    }
    return Array(value)
  }
}
