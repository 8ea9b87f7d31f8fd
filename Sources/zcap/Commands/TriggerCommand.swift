import ArgumentParser
import CaptureStore
import Glibc

struct TriggerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trigger",
    abstract: "Make a capture of its own of a part of a ring that is being recorded.",
    discussion: """
      The segments of that time get a second name in the new capture: nothing is copied, and the \
      recording goes on. The new capture lies beside the ring, with the time in its name, and is \
      whole when the time behind the trigger is over; until then it is 'recording'. It has whole \
      segments, so somewhat more than was asked for.
      """)

  @Argument(help: "The ring: a path, or a name in the store.")
  var capture: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How much before now. (default: as the recorder was told, or 60s)", valueName: "time"))
  var before: TimeSpan?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How much behind now. (default: as the recorder was told, or 30s)", valueName: "time"))
  var after: TimeSpan?

  @Option(help: ArgumentHelp("Why: kept with the new capture.", valueName: "text"))
  var label: String?

  @Flag(help: "Wait until the new capture is whole.")
  var wait = false

  @Flag(help: "The new capture as a JSON object on standard output.")
  var json = false

  func run() throws {
    let now = CaptureClock.monotonicNanoseconds()
    let path = Store.path(forExisting: capture)
    let ring = try Capture(path: path)
    guard ring.isRing else {
      throw StoreError.keepsEverything(path: path)
    }
    guard try ring.isBeingRecorded else {
      throw TriggerError.notRecorded(path: path)
    }
    if let before, let span = ring.manifest.keep?.nanoseconds, before.nanoseconds > span {
      Console.complain(
        "--before \(Units.duration(before.nanoseconds)): \(path) keeps \(Units.duration(span)) only"
      )
    }
    let request = TriggerRequests.Request(
      time: now, before: before?.nanoseconds, after: after?.nanoseconds, label: label)
    guard let answer = try TriggerRequests.ask(request, of: path) else {
      throw TriggerError.noAnswer(path: path)
    }
    let made = try waitUntilItIsThere([Self.beside(path, answer.capture), answer.capture])
    var output = DataOutput()
    if json {
      var line = JSONLine()
      line.add("capture", made)
      output.writeLine(line.text)
    } else {
      output.writeLine(made)
    }
    output.flush()
    if wait { try waitUntilItIsWhole(made) }
  }

  private static let tryMicroseconds: UInt32 = 20_000

  /// As the ring was named here: its recorder may be in another folder, or see another file system.
  private static func beside(_ ring: String, _ made: String) -> String {
    let name = made.split(separator: "/").last.map(String.init) ?? made
    let ring = ring.reversed().drop { $0 == "/" }.reversed()
    guard let slash = ring.lastIndex(of: "/") else { return name }
    return "\(String(ring[...slash]))\(name)"
  }

  /// Returns the one of these paths where it is. The disk may be busy.
  private func waitUntilItIsThere(_ paths: [String]) throws -> String {
    let end = CaptureClock.monotonicNanoseconds() + 15_000_000_000
    while true {
      for path in paths where (try? Capture(path: path)) != nil { return path }
      guard CaptureClock.monotonicNanoseconds() < end else {
        throw TriggerError.failed(path: paths[0])
      }
      usleep(Self.tryMicroseconds)
    }
  }

  private func waitUntilItIsWhole(_ path: String) throws {
    let pin = try Capture(path: path)
    while try pin.isBeingRecorded { usleep(Self.tryMicroseconds) }
    let window = try Capture(path: path).manifest.window
    if let failure = window?.failure { throw TriggerError.incomplete(path: path, failure) }
    guard let window, window.ended != nil else { throw TriggerError.cut(path: path) }
    if window.isCut {
      Console.complain("\(path): the recording ended before all of the time asked for was over")
    }
    if window.late == true {
      Console.complain("\(path): the ring no longer had all of the time before the trigger")
    }
    if window.isCut || window.late == true { throw ExitCode.incomplete }
  }
}

enum TriggerError: Error, CustomStringConvertible {
  case notRecorded(path: String)
  case noAnswer(path: String)
  case failed(path: String)
  case cut(path: String)
  case incomplete(path: String, String)

  var description: String {
    switch self {
    case .notRecorded(let path): "\(path): nobody records it; what is in it stays as it is"
    case .failed(let path): "\(path): not there within 15 s; its recorder says there why"
    case .incomplete(let path, let reason): "\(path): it could not be made: \(reason)"
    case .cut(let path): "\(path): its recorder ended before all that was asked for was there"
    case .noAnswer(let path): "\(path): its recorder does not answer; is it stopped?"
    }
  }
}
