import CaptureStore
import Foundation
import GRDB

/// A reason why messages may be missing that nothing counts, beside events that may hide a loss.
public enum Doubt: Hashable, Sendable {
  /// Recorded in so many parts: what was published between them is not here.
  case parts(Int)
  /// The recording has no end: what was recorded last may be gone, and its segments with it.
  case endless
  /// The recording ended by itself: what went wrong.
  case endedEarly(String)
  /// Nothing ever connected to an endpoint, and nothing came from it.
  case silent(endpoint: String)
  /// It was taken out of a ring, whose recording ended before all of the time asked for was over.
  case windowCut
  /// It was taken out of a ring, and something kept it from having all of that time.
  case windowFailed(String)
  /// A part of the time asked for had made room in that ring before it was asked for.
  case windowLate
  /// A counter rule that no message's topic fitted.
  case idle(rule: String)
}

extension IndexReader {
  /// Why a capture is not known to be complete; nothing that is known to be missing, and no event.
  public func doubts() throws -> [Doubt] {
    try read { database in
      let recordings = try Row.fetchAll(
        database,
        sql: "SELECT kind, detail FROM event WHERE kind IN ('started', 'ended') ORDER BY id")
      var doubts: [Doubt] = []
      let parts = try recordings.filter { try $0.text("kind") == "started" }.count
      if parts > 1 { doubts.append(.parts(parts)) }
      for (row, next) in zip(recordings, recordings.dropFirst().map(Optional.some) + [nil]) {
        if try row.text("kind") == "ended" {
          if let failure = try Self.failure(row) { doubts.append(.endedEarly(failure)) }
        } else if try next?.text("kind") != "ended", !isBeingRecorded,
          capture.manifest.window == nil
        {
          doubts.append(.endless)
        }
      }
      if let window = capture.manifest.window {
        if let failure = window.failure {
          doubts.append(.windowFailed(failure))
        } else if window.isCut, !isBeingRecorded {
          doubts.append(.windowCut)
        }
        if window.late == true { doubts.append(.windowLate) }
      }
      // Captures of other programs tell nothing of connections.
      if parts > 0 { doubts += try silentEndpoints(database) }
      return doubts + (try idleRules(database))
    }
  }

  private static func failure(_ row: Row) throws -> String? {
    let event = StoredEvent(json: Data(try row.text("detail").utf8))
    let isFailure = ["failure", "error"].contains(event?.text("reason"))
    return isFailure ? event?.text("failure") ?? "failure" : nil
  }

  private func silentEndpoints(_ database: Database) throws -> [Doubt] {
    let silent = try Row.fetchAll(
      database,
      sql: """
        SELECT address FROM endpoint
        WHERE id NOT IN (SELECT endpoint FROM event WHERE kind = 'connected' AND endpoint >= 0)
          AND id NOT IN (SELECT endpoint FROM summary WHERE messages > 0)
        ORDER BY id
        """)
    return try silent.map { .silent(endpoint: try $0.text("address")) }
  }

  private func idleRules(_ database: Database) throws -> [Doubt] {
    let rules = try IndexDatabase.sequences(IndexDatabase.progress(database))
    guard !rules.isEmpty else { return [] }
    let met = Set(
      try Row.fetchAll(database, sql: "SELECT DISTINCT rule FROM counter")
        .map { try $0.count("rule") })
    return rules.indices.filter { !met.contains($0) }.map { .idle(rule: rules[$0].description) }
  }
}
