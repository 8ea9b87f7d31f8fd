import CaptureStore
import Foundation

/// The counters that rules name: one for each endpoint and topic that a rule fits, or one for each
/// endpoint where the topics share it.
struct CounterBook {
  /// Counters that are followed; more of them are no counters.
  static let countersMax = 20_000

  /// What is told of counters, in the table `event`.
  static let eventKinds = ["unreadable", "gap", "repeat", "reordered", "restart", "uncounted"]

  let rules: [SequenceRule]
  private(set) var counters: [Counter] = []
  private var changed: Set<Int> = []
  private var known: [Key: Int] = [:]

  private struct Key: Hashable {
    var endpoint: Int
    var topic: TopicTable.ID
    var rule: Int
  }

  init(_ rules: [SequenceRule]) { self.rules = rules }

  /// Those that changed since the last call.
  mutating func takeChanged() -> [Int] {
    defer { changed = [] }
    return changed.sorted()
  }

  /// Takes up counters that an index kept, in their order.
  mutating func resume(_ past: [Counter]) {
    counters = past
    for (id, counter) in past.enumerated() {
      let key = Key(endpoint: counter.endpoint, topic: counter.topic, rule: counter.rule)
      known[key] = id
    }
  }

  /// The counters of a topic, made where they are new; nil when there are too many. The first is the
  /// one whose losses count: two that see the same loss would make two of it. A shared one sees all,
  /// then the longest prefix knows best, then the rule that was given first.
  mutating func ids(endpoint: Int, topic: TopicTable.ID, name: [UInt8]?) -> [Int]? {
    let fitting = rules.indices.filter {
      rules[$0].prefix.isEmpty || name?.starts(with: rules[$0].prefix) == true
    }
    func precedence(_ rule: Int) -> (Int, Int, Int) {
      (rules[rule].isShared ? 0 : 1, -rules[rule].prefix.count, rule)
    }
    var ids: [Int] = []
    for rule in fitting.sorted(by: { precedence($0) < precedence($1) }) {
      let sequence = rules[rule]
      let topic = sequence.isShared ? TopicTable.noTopic : topic
      let key = Key(endpoint: endpoint, topic: topic, rule: rule)
      if let id = known[key] {
        ids.append(id)
        continue
      }
      guard topic != TopicTable.overflow, counters.count < Self.countersMax else { return nil }
      counters.append(Counter(endpoint: endpoint, topic: topic, rule: rule))
      known[key] = counters.count - 1
      changed.insert(counters.count - 1)
      ids.append(counters.count - 1)
    }
    return ids
  }

  /// Looks at the counters of one message, and tells what is not the next number.
  mutating func follow(
    _ ids: [Int], _ record: RecordHeader, in segment: Segment, time: Int64, topics: TopicTable,
    ledger: inout WalkLedger
  ) {
    for id in ids {
      let rule = rules[counters[id].rule]
      let isCounted = id == ids.first
      changed.insert(id)
      guard let value = rule.value(of: record, in: segment) else {
        guard !counters[id].isUnreadable else { continue }
        counters[id].isUnreadable = true
        tell("unreadable", id, record, segment, time, topics, &ledger)
        continue
      }
      let before = counters[id].lastSequence
      switch counters[id].take(value, sequence: record.sequence, mask: rule.mask) {
      case .next: continue
      case .gap(let first, let count):
        let explained = isCounted ? ledger.explain(count, after: before) : 0
        let lost = isCounted ? count - explained : 0
        counters[id].lastSequence = record.sequence
        counters[id].remember(first: first, count: count, lost: lost)
        var fields: [String: StoredEvent.Value] = [
          "first": Self.number(first), "last": Self.number((first &+ count &- 1) & rule.mask),
          "count": Self.number(count),
        ]
        if explained > 0 { fields["missing_here"] = Self.number(explained) }
        tell(
          "gap", id, record, segment, time, topics, &ledger, lost: Int64(clamping: lost), fields)
      case .repeated:
        tell(
          "repeat", id, record, segment, time, topics, &ledger, ["value": Self.number(value)])
      case .reordered(let wasLost):
        tell(
          "reordered", id, record, segment, time, topics, &ledger, lost: wasLost ? -1 : 0,
          ["value": Self.number(value)])
      case .restart(let last):
        tell(
          "restart", id, record, segment, time, topics, &ledger,
          ["value": Self.number(value), "last": Self.number(last)])
      }
    }
  }

  private func tell(
    _ kind: String, _ id: Int, _ record: RecordHeader, _ segment: Segment, _ time: Int64,
    _ topics: TopicTable, _ ledger: inout WalkLedger, lost: Int64 = 0,
    _ fields: [String: StoredEvent.Value] = [:]
  ) {
    var event = StoredEvent(kind, monotonicNanoseconds: record.monotonicNanoseconds, fields)
    let counter = counters[id]
    if ledger.listsDerived {
      event.fields["sequence_rule"] = .text(rules[counter.rule].description)
      if counter.topic != TopicTable.noTopic {
        let name = topics.name(of: counter.topic)
        event.fields["topic"] = .text(String(decoding: name, as: UTF8.self))
        if String(validating: name, as: UTF8.self) == nil {
          event.fields["topic_base64"] = .text(Data(name).base64EncodedString())
        }
      }
    }
    ledger.derive(
      event, lost: lost, record, in: segment, endpoint: counter.endpoint, time: time)
  }

  /// JSON numbers end where a 64-bit signed one does.
  private static func number(_ value: UInt64) -> StoredEvent.Value {
    Int64(exactly: value).map { .number($0) } ?? .text(String(value))
  }
}
