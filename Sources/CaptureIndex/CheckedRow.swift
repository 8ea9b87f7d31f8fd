import Foundation
import GRDB

/// Reads columns of an index that may be damaged: what does not fit is an error, never a trap.
extension Row {
  func integer(_ column: String, in range: ClosedRange<Int64> = .min ... .max) throws -> Int64 {
    guard let value = Int64.fromDatabaseValue(try stored(column)), range.contains(value) else {
      throw Self.damage(column)
    }
    return value
  }

  /// By the place of the column, for many rows.
  func integer(at column: Int) throws -> Int64 {
    guard column < count, let value = Int64.fromDatabaseValue(self[column]) else {
      throw Self.damage("column \(column)")
    }
    return value
  }

  /// A number that is not negative: a count, an offset, an id.
  func count(_ column: String, max: Int = .max) throws -> Int {
    Int(try integer(column, in: 0...Int64(max)))
  }

  /// A sum over many messages.
  func total(_ column: String) throws -> Int64 { try integer(column, in: 0...1 << 60) }

  /// Unix nanoseconds: whatever clocks said, sums and differences of two of them fit.
  func time(_ column: String) throws -> Int64 {
    try integer(column, in: -(1 << 61)...(1 << 62) + (1 << 61))
  }

  /// nil for NULL.
  func optionalTime(_ column: String) throws -> Int64? {
    try stored(column).isNull ? nil : try time(column)
  }

  /// nil for NULL.
  func optionalCount(_ column: String) throws -> Int? {
    try stored(column).isNull ? nil : try count(column)
  }

  /// nil for NULL.
  func optionalText(_ column: String) throws -> String? {
    try stored(column).isNull ? nil : try text(column)
  }

  func text(_ column: String) throws -> String {
    guard let value = String.fromDatabaseValue(try stored(column)) else {
      throw Self.damage(column)
    }
    return value
  }

  /// nil for NULL.
  func bytes(_ column: String) throws -> [UInt8]? {
    let stored = try stored(column)
    if stored.isNull { return nil }
    guard let value = Data.fromDatabaseValue(stored) else { throw Self.damage(column) }
    return Array(value)
  }

  private func stored(_ column: String) throws -> DatabaseValue {
    guard hasColumn(column) else { throw Self.damage(column) }
    return self[column]
  }

  private static func damage(_ column: String) -> DatabaseError {
    DatabaseError(resultCode: .SQLITE_CORRUPT, message: "bad value in \(column)")
  }
}
