import CaptureStore
import Foundation
import GRDB
import TestSupport
import Testing

@testable import CaptureIndex

private func change(_ index: String, _ sql: String) throws {
  let queue = try DatabaseQueue(path: index, configuration: IndexDatabase.writing)
  try queue.write { try $0.execute(sql: sql) }
  try queue.close()
}

/// An index that SQLite opens and whose numbers are wrong. In processes of their own.
@Suite struct HostileIndexTests {
  private static var manifest: Manifest {
    var manifest = Manifest.test(endpoints: 3)
    manifest.sequences = RandomTraffic.sequences.map(\.description)
    return manifest
  }

  private static func indexed(_ directory: TemporaryDirectory) throws -> Capture {
    var traffic = RandomTraffic(SplitMix64(seed: 5))
    let capture = try Capture.recorded(
      directory.file("c"), traffic.messages(150), manifest: manifest)
    _ = try Indexer.rebuild(capture, rule: .auto)
    return capture
  }

  /// Everything that a reader does with an index; what it throws is no concern here.
  private static func use(_ capture: Capture) {
    guard let reader = try? IndexReader(capture) else { return }
    _ = try? reader.topicRows()
    _ = try? reader.overview()
    _ = reader.state
    _ = try? reader.completeness()
    _ = try? reader.possibleLosses()
    _ = try? IndexContent(reader)
    var selection = Selection()
    selection.topicPrefixes = [[0x61]]
    selection.codecs = ["json"]
    selection.from = 0
    _ = try? IndexContent.messages(reader, selection)
    for selection in [selection, Selection()] {
      let pool = SegmentPool(capture)
      _ = try? reader.lastMessages(selection, before: .time(.max), pool: pool)
    }
  }

  /// Makes the walk go on from the beginning, with all that the index says of the past.
  private static let again = "; UPDATE progress SET segment = 0, offset = 4096, sequence = 0"

  private static let changes = [
    "progress": [
      "offset = 7", "offset = -8", "offset = 9223372036854775800", "offset = 'x'",
      "segment = -1", "segment = 9223372036854775807", "sequence = -1",
      "sequence = 9223372036854775807", "topic_rule = 'nonsense'", "topic_rule = x'FFFE'",
      "sequence = 0, segment = 0, offset = 4096", "missing = -1", "missing = 'x'",
      "missing = 9223372036854775807, damages = -1, segment = 0, offset = 4096",
      "lost_on_the_way = -9223372036854775808" + again,
      "missing = 1152921504606846976, lost_on_the_way = 1152921504606846976" + again,
      "recorded_events = 1152921504606846976, derived_events = 1152921504606846976" + again,
      "damaged_bytes_unlisted = 1152921504606846976, damages = 1152921504606846976" + again,
      "sequence_rules = 'x'", "sequence_rules = x'FFFE'", "sequence_rules = ''" + again,
      "last_time_ns = 9223372036854775807" + again, "counter_limit_told = 'x'" + again,
    ],
    "event": [
      "first_sequence = -1", "segment = -1, offset = 'x'", "time_ns = 'x'", "kind = 5",
      "kind = 'stalled', detail = '{\"ms\": 1e400}'", "endpoint = 1000000", "endpoint = -1",
      "lost = 9223372036854775807", "lost = 1152921504606846976", "detail = x'FF'",
      "detail = '[[[['", "id = id + 100000",
    ],
    "counter": [
      "endpoint = -1" + again, "topic = 1000000000000" + again, "rule = 7" + again,
      "rule = -1" + again, "last = 5" + again, "last = 'x'" + again,
      "last = '18446744073709551615'" + again, "last_sequence = -1" + again,
      "is_unreadable = 'x'" + again,
      "gaps = '1 2'" + again, "gaps = '1 0 0'" + again, "gaps = ','" + again,
      "gaps = '18446744073709551615 18446744073709551615 18446744073709551615'" + again,
      "id = id + 100000" + again, "id = -id" + again,
    ],
    "segment": ["number = -number", "durable_offset = 9223372036854775807", "is_sealed = 'x'"],
    "block": [
      "offset = 7", "offset = -8", "offset = 9223372036854775800", "segment = -1",
      "segment = 'x'", "segment = 9223372036854775807", "first_sequence = -1",
      "end_offset = 9223372036854775807", "end_offset = -1", "end_offset = 'x'",
      "first_time_ns = 'x'", "last_time_ns = -9223372036854775808", "messages = -1",
      "messages = 9223372036854775807", "id = -id", "id = id + 9223372036854770000",
    ],
    "block_summary": [
      "block = -1 - block", "block = 9223372036854775807 - block",
      "summary = summary + 1000", "summary = -1 - summary", "first_time_ns = 'x'",
      "last_time_ns = 'x'", "first_time_ns = 9223372036854775807",
      "last_time_ns = -9223372036854775808",
    ],
    "era": [
      "endpoint = -1" + again, "topic = -1" + again, "topic = 1000000000000" + again,
      "endpoint = 1000000000000" + again, "first_sequence = -1 - first_sequence", "tags = 5",
      "tags = x'FF'" + again, "tags = ''" + again,
    ],
    "summary": [
      "messages = -5, bytes = -5", "endpoint = -1" + again, "codec = 1000" + again,
      "codec = -1" + again, "topic = -1" + again, "topic = 1000000000000" + again,
      "messages = 9223372036854775807" + again, "first_time_ns = 'x'" + again,
      "id = id + 1000" + again,
    ],
    "topic": ["name = NULL", "name = 5", "name = 'x'" + again, "name = x'61'" + again],
    "codec": ["tag = x'FF' || id", "tag = id", "id = id + 1000" + again],
  ]

  @Test(arguments: changes.keys.sorted()) func wrongNumbersDoNotCrash(table: String) async {
    await #expect(processExitsWith: .success) { [table] in
      let directory = try TemporaryDirectory()
      let capture = try Self.indexed(directory)
      let path = CapturePath.index(capture.path)
      let intact = try Data(contentsOf: URL(filePath: path))
      let updates = try #require(Self.changes[table]).map { "UPDATE \(table) SET \($0)" }
      for sql in updates + ["DELETE FROM \(table)" + Self.again, "DROP TABLE \(table)"] {
        try intact.write(to: URL(filePath: path))
        try change(path, sql)
        Self.use(capture)
      }
    }
  }

  /// What cannot be believed is made again, in memory, from the segments.
  @Test func anImpossiblePastIsForgotten() throws {
    let directory = try TemporaryDirectory()
    let capture = try Self.indexed(directory)
    let content = try IndexContent(IndexReader(capture))
    for sql in ["progress SET offset = 7", "era SET topic = -1", "summary SET codec = 99"] {
      _ = try Indexer.rebuild(capture, rule: .auto)
      try change(CapturePath.index(capture.path), "UPDATE " + sql + Self.again)
      try change(CapturePath.index(capture.path), "UPDATE progress SET offset = 7")
      #expect(try IndexContent(IndexReader(capture)) == content, "\(sql)")
    }
  }

  @Test(.timeLimit(.minutes(1))) func randomDamageDoesNotCrash() async {
    let seed = ProcessInfo.processInfo.environment["ZCAP_TEST_SEED"].flatMap { UInt64($0) }
    let used = seed ?? UInt64.random(in: 1...999_999)
    print("randomDamageDoesNotCrash: ZCAP_TEST_SEED=\(used)")
    await #expect(processExitsWith: .success) { [used = used as UInt64] in
      var random = SplitMix64(seed: used)
      let directory = try TemporaryDirectory()
      let capture = try Self.indexed(directory)
      let path = CapturePath.index(capture.path)
      let intact = try Data(contentsOf: URL(filePath: path))
      for _ in 0..<60 {
        var bytes = intact
        for _ in 0..<random.int(1...40) {
          bytes[random.int(0...bytes.count - 1)] = UInt8(random.int(0...255))
        }
        try bytes.write(to: URL(filePath: path))
        Self.use(capture)
      }
    }
  }
}
