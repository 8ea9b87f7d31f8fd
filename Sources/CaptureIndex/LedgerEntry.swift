public import CaptureStore
import Foundation
import GRDB

/// Something that happened to a recording or to what it recorded, at its place in the stream.
public struct LedgerEntry: Hashable, Sendable {
  /// The kind of an event, or one of `missing`, `corruption` and `torn`.
  public var event: String
  /// Unix nanoseconds; of the record before it where it has no time of its own, nil where none is.
  public var time: Int64?
  /// The address; nil where it is about no endpoint.
  public var endpoint: String?
  /// Messages; less than 0 where some came late that had been counted.
  public var lost: Int64
  /// What else is known, by the order of its names.
  public var details: [(name: String, value: StoredEvent.Value)] {
    fields.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
  }

  fileprivate var fields: [String: StoredEvent.Value]
  fileprivate var place: Place

  fileprivate struct Place: Hashable, Comparable {
    var segment: Int64
    var offset: Int64

    static func < (one: Place, other: Place) -> Bool {
      (one.segment, one.offset) < (other.segment, other.offset)
    }
  }
}

extension LedgerEntry {
  fileprivate init(event row: Row, endpoints: [String]) throws {
    event = try row.text("kind")
    time = try row.time("time_ns")
    lost = try row.integer("lost", in: -WalkLedger.lostMax...WalkLedger.lostMax)
    let detail = Data(try row.text("detail").utf8)
    fields = (try? JSONDecoder().decode([String: StoredEvent.Value].self, from: detail)) ?? [:]
    fields["event"] = nil
    // What a recovery found missing is told by the entries of `missing`.
    if let found = fields.removeValue(forKey: "lost"), found != .number(lost) {
      fields["missing"] = found
    }
    let told = fields.removeValue(forKey: "endpoint")
    if let number = try row.optionalCount("endpoint") {
      endpoint = endpoints.indices.contains(number) ? endpoints[number] : "?"
    } else if case .text(let address)? = told {
      endpoint = address
    }
    place = try Place(row)
  }

  fileprivate init(missing row: Row) throws {
    event = "missing"
    time = try row.optionalTime("time_ns")
    lost = try row.total("messages")
    let first = try row.integer("first_sequence", in: 0...WalkLedger.lostMax)
    fields = ["first_sequence": .number(first), "last_sequence": .number(first + max(0, lost - 1))]
    place = try Place(row)
  }

  fileprivate init(damage row: Row) throws {
    event = try row.integer("is_corruption") != 0 ? "corruption" : "torn"
    time = try row.optionalTime("time_ns")
    lost = 0
    let offset = try row.count("offset", max: 1 << 60)
    let end = try row.count("end_offset", max: 1 << 60)
    fields = [
      "segment": .number(try row.integer("segment")), "offset": .number(Int64(offset)),
      "bytes": .number(Int64(end - offset)), "reason": .text(try row.text("reason")),
    ]
    place = try Place(row)
  }
}

extension LedgerEntry.Place {
  fileprivate init(_ row: Row) throws {
    segment = try row.integer("segment")
    offset = try row.integer("offset")
  }
}

extension IndexReader {
  /// What happened, in the order of the stream, as far as it is in the time of a selection and
  /// about its endpoints; what is about none belongs to all.
  public func ledger(_ selection: Selection) throws -> [LedgerEntry] {
    let endpoints = capture.manifest.endpoints.map(\.address)
    let entries = try read { database in
      // What is missing comes before a gap that it explains.
      let tables = [
        try Row.fetchAll(database, sql: "SELECT * FROM missing ORDER BY first_sequence").map {
          try LedgerEntry(missing: $0)
        },
        try Row.fetchAll(database, sql: "SELECT * FROM damages ORDER BY segment, offset").map {
          try LedgerEntry(damage: $0)
        },
        try Row.fetchAll(database, sql: "SELECT * FROM event ORDER BY id").map {
          try LedgerEntry(event: $0, endpoints: endpoints)
        },
      ]
      return tables.joined().enumerated()
        .sorted { ($0.element.place, $0.offset) < ($1.element.place, $1.offset) }
        .map(\.element)
    }
    return try (entries + endOfIndex()).filter { entry in
      let isInTime = entry.time.map { selection.matches(time: $0) } ?? true
      let isWanted =
        selection.endpoints.isEmpty
        || entry.endpoint.map { selection.endpoints.contains($0) } ?? true
      return isInTime && isWanted
    }
  }

  /// What an index knew behind the end of the segments.
  private func endOfIndex() throws -> [LedgerEntry] {
    guard lostAtEnd > 0 else { return [] }
    let first = try Int64(clamping: database.place().sequence)
    return [
      LedgerEntry(
        event: "missing", time: nil, endpoint: nil, lost: lostAtEnd,
        fields: [
          "first_sequence": .number(first), "last_sequence": .number(first + lostAtEnd - 1),
        ], place: LedgerEntry.Place(segment: .max, offset: .max))
    ]
  }

  /// How often each kind of event is listed of which some may hide a loss: the publisher can have
  /// dropped messages that nobody has seen.
  public func possibleLosses() throws -> [(event: String, count: Int)] {
    var counts: [String: Int] = [:]
    let totals = try read { try IndexDatabase.ledger(IndexDatabase.progress($0)) }
    for entry in try ledger(Selection()) where entry.mayHideLoss {
      counts[entry.event, default: 0] += 1
    }
    let unlisted =
      max(0, totals.recordedEvents - WalkLedger.eventsMax)
      + max(0, totals.derivedEvents - WalkLedger.eventsMax)
    if unlisted > 0 { counts["events that are too many to list"] = Int(unlisted) }
    return counts.sorted { $0.key < $1.key }.map { (event: $0.key, count: $0.value) }
  }
}

extension LedgerEntry {
  /// Whether messages can have been lost by it beyond those that are counted.
  public var mayHideLoss: Bool {
    StoredEvent.mayHideLoss(event) { name in
      if case .number(let number)? = fields[name] { number } else { nil }
    }
  }
}

extension StoredEvent {
  /// Whether messages can have been lost by it beyond those that are counted.
  public var mayHideLoss: Bool { Self.mayHideLoss(kind, number: number) }

  /// A stall of less than this leaves everything in the queues of libzmq and of the kernel.
  private static let stallMillisecondsMin: Int64 = 1000

  fileprivate static func mayHideLoss(_ kind: String, number: (String) -> Int64?) -> Bool {
    switch kind {
    case "disconnected", "queue_full", "paused", "sync_failed", "refused", "handshake_failed",
      "ring_short", "cut_short", "recovered", "restart", "unreadable", "uncounted":
      true
    case "stalled": number("ms") ?? .max >= stallMillisecondsMin
    default: false
    }
  }
}
