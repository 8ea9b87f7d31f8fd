import CaptureIndex
import CaptureStore

/// What a capture lacks, in a line for people: only what is not zero.
struct CompletenessReport {
  private let path: String
  private let known: Completeness

  init(_ path: String, _ known: Completeness) {
    self.path = path
    self.known = known
  }

  init(_ index: IndexReader, _ known: Completeness) { self.init(index.capture.path, known) }

  /// Says it on standard error. Returns whether nothing is known to be missing.
  func write() -> Bool {
    guard let losses = losses() else { return true }
    Console.complain(losses)
    return false
  }

  /// What is missing, and what else; nil when nothing is. A tear is told, and is no loss.
  func losses(and others: [String] = []) -> String? {
    if known.tornBytes > 0 {
      Console.say("\(path): \(Units.bytes(known.tornBytes)) were torn when its recorder ended")
    }
    let texts = Self.losses(known) + others
    return texts.isEmpty ? nil : "\(path): \(texts.joined(separator: ", "))"
  }

  /// What captures lack that are played together. What was `met` while they were read is told of one
  /// capture by its name.
  static func losses(_ captures: [String], _ known: [Completeness], met: [String]) -> [String] {
    if captures.count == 1 {
      return [CompletenessReport(captures[0], known.first ?? Completeness()).losses(and: met)]
        .compactMap(\.self)
    }
    let lines = zip(captures, known).compactMap { CompletenessReport($0, $1).losses() }
    return met.isEmpty ? lines : lines + ["met on the way: \(met.joined(separator: ", "))"]
  }

  private static func losses(_ known: Completeness) -> [String] {
    var texts: [String] = []
    if known.lost > 0 { texts.append(count(known.lost, "message is", "messages are") + " lost") }
    if known.damagedBytes > 0 { texts.append("\(Units.bytes(known.damagedBytes)) are damaged") }
    if known.segmentsCut > 0 {
      texts.append(count(known.segmentsCut, "segment was", "segments were") + " cut off")
    }
    return texts
  }

  private static func count(_ value: some BinaryInteger, _ one: String, _ many: String) -> String {
    value == 1 ? "1 \(one)" : "\(Units.count(value)) \(many)"
  }

  /// Warns of counters that no message has: most likely a prefix is misspelt.
  static func tellIdleRules(_ index: IndexReader) {
    for case .idle(let rule) in (try? index.doubts()) ?? [] {
      Console.complain("\(index.capture.path): \(text(.idle(rule: rule)))")
    }
  }

  private static func text(_ doubt: Doubt) -> String {
    switch doubt {
    case .parts(let count): "it was recorded in \(count) parts"
    case .endless: "its recording has no end"
    case .windowCut: "its recording ended before all of the time that was asked for was over"
    case .windowFailed(let reason): "not all of it could be made (\(reason))"
    case .windowLate: "its ring no longer had all of the time before the trigger"
    case .endedEarly(let failure): "its recording ended early (\(failure))"
    case .silent(let endpoint): "nothing ever came from \(endpoint)"
    case .idle(let rule): "no message has the counter \(rule)"
    }
  }

  /// `--require-complete`: everything that is missing or may be, in one line; nil when nothing is.
  static func doubts(_ index: IndexReader) throws -> String? {
    let known = try index.completeness()
    var texts = losses(known)
    if known.tornBytes > 0 { texts.append("\(Units.bytes(known.tornBytes)) are torn") }
    switch index.state {
    case .sealed: break
    case .recording: texts.append("it is being recorded")
    case .unclean: texts.append("it was not sealed")
    }
    let events = try index.possibleLosses().map { "\(Units.count($0.count)) \($0.event)" }
    if !events.isEmpty { texts.append("\(events.joined(separator: ", ")) may hide a loss") }
    texts += try index.doubts().map(text)
    guard !texts.isEmpty else { return nil }
    return "\(index.capture.path): not known to be complete: \(texts.joined(separator: "; "))"
  }
}
