import CaptureIndex
import CaptureStore

/// What `zcap verify` says of one capture.
struct VerificationReport {
  private let capture: Capture
  private let verification: Verification
  private let index: IndexVerification
  private let seconds: Double

  /// Checks a capture; shows on a terminal how far it has come.
  init(_ capture: Capture, threads: Int) throws {
    self.capture = capture
    let start = CaptureClock.monotonicNanoseconds()
    let known = Indexer.knownPlace(of: capture)
    verification = try Verification.verify(capture, threads: threads, known: known) { progress in
      let rate = Self.rate(progress.bytes, Self.seconds(since: start))
      Console.showStatus(
        "\(capture.path): \(Units.bytes(progress.bytes)) of \(Units.bytes(progress.bytesInAll)) "
          + "checked, \(Units.bytes(rate))/s")
    }
    seconds = Self.seconds(since: start)
    Console.showStatus("\(capture.path): comparing the index")
    index = try IndexVerification.verify(capture)
    Console.showStatus("")
  }

  private static func seconds(since start: Int64) -> Double {
    Double(max(1, CaptureClock.monotonicNanoseconds() - start)) / 1e9
  }

  private static func rate(_ bytes: Int, _ seconds: Double) -> Int { Int(Double(bytes) / seconds) }

  /// Whether nothing is damaged, lost, torn or unsealed, and the index does not differ.
  var isWhole: Bool {
    if case .differs = index { return false }
    return verification.isWhole
  }

  private var state: String {
    if verification.isBeingRecorded { return IndexReader.State.recording.rawValue }
    let state: IndexReader.State = verification.isSealed ? .sealed : .unclean
    return state.rawValue
  }

  private var indexName: String {
    switch index {
    case .ok: "ok"
    case .missing: "missing"
    case .behind: "behind"
    case .differs: "differs"
    }
  }

  private var indexDifferences: [String] {
    if case .differs(let differences) = index { differences } else { [] }
  }

  // MARK: - For people

  /// One line: how the capture stands.
  var text: String {
    let found = verification
    var parts = [found.isWhole ? "whole" : Units.count(problemCount, "problem")]
    if found.isBeingRecorded { parts[0] += " up to now, it is being recorded" }
    parts.append(
      "\(Units.count(found.messages, "message")) in \(Units.count(found.segments, "segment"))")
    if found.lost > 0 { parts.append("\(Units.count(found.lost)) lost") }
    for (bytes, name) in [
      (found.damagedBytes, "damaged"), (found.tornBytes, "torn"), (found.corruptBytes, "corrupt"),
    ] where bytes > 0 {
      parts.append("\(Units.bytes(bytes)) \(name)")
    }
    parts.append("index \(indexName)")
    let time = Units.duration(Int64(seconds * 1e9))
    parts.append(
      "\(Units.bytes(found.bytes)) checked in \(time) (\(Units.bytes(bytesPerSecond))/s)")
    return "\(capture.path): \(parts.joined(separator: ", "))"
  }

  private var bytesPerSecond: Int { Self.rate(verification.bytes, seconds) }
  private var problemCount: Int { verification.problems.count + verification.problemsOmitted }

  /// A line for each problem: where, what, and what to do.
  func complain() {
    for problem in verification.problems {
      var place = "\(problem.path): offset \(problem.offset)"
      if problem.bytes > 0 { place += ", \(Units.count(problem.bytes)) bytes" }
      if let sequences = problem.sequences {
        place +=
          sequences.count == 1
          ? ", sequence \(sequences.lowerBound)"
          : ", sequences \(sequences.lowerBound) to \(sequences.upperBound - 1)"
      }
      Console.complain("\(place): \(problem.what); \(advice(problem.kind))")
    }
    if verification.problemsOmitted > 0 {
      Console.complain(
        "\(capture.path): \(Units.count(verification.problemsOmitted)) more problems, not listed")
    }
    for difference in indexDifferences {
      Console.complain(
        "\(CapturePath.index(capture.path)): \(difference); "
          + "'zcap reindex \(capture.path)' makes it anew")
    }
  }

  private func advice(_ kind: Verification.Problem.Kind) -> String {
    switch kind {
    case .unreadable:
      "bring the file back from a copy, or take it away if it is not of this capture; the rest can be "
        + "read without it"
    case .corrupt: "look after the disk, and bring the file back from a copy"
    case .damaged, .lost, .inconsistent: "the rest can be read; a copy may have it"
    case .torn, .unsealed: "'zcap recover \(capture.path)' ends it"
    }
  }

  // MARK: - For programs

  var json: String {
    let found = verification
    var line = JSONLine()
    line.add("capture", capture.name)
    line.add("path", capture.path)
    line.add("state", state)
    line.add("segments", found.segments)
    line.add("messages", found.messages)
    line.add("bytes", found.bytes)
    line.add("damaged_bytes", found.damagedBytes)
    line.add("torn_bytes", found.tornBytes)
    line.add("corrupt_bytes", found.corruptBytes)
    line.add("lost", found.lost)
    line.add("problems", found.problems.map(json))
    line.add("problems_omitted", found.problemsOmitted)
    line.add("index", indexName)
    line.add("index_differences", indexDifferences)
    line.add("seconds", seconds: seconds, decimals: 6)
    line.add("bytes_per_s", bytesPerSecond)
    return line.text
  }

  private func json(_ problem: Verification.Problem) -> JSONLine {
    var line = JSONLine()
    line.add("kind", problem.kind.rawValue)
    line.add("segment", problem.segment)
    line.add("offset", problem.offset)
    line.add("bytes", problem.bytes)
    line.add("first_sequence", problem.sequences?.lowerBound)
    line.add("messages", problem.sequences?.count)
    line.add("what", problem.what)
    return line
  }
}
