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
    help: ArgumentHelp(
      "How much before now. (default: as the recorder was told, or 60s)", valueName: "time"))
  var before: TimeSpan?

  @Option(
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
    let request = TriggerRequests.Request(
      time: now, before: before?.nanoseconds, after: after?.nanoseconds, label: label)
    guard let answer = try TriggerRequests.ask(request, of: path) else {
      throw TriggerError.noAnswer(path: path)
    }
    try waitUntilItIsThere(answer.capture)
    var output = DataOutput()
    if json {
      var line = JSONLine()
      line.add("capture", answer.capture)
      output.writeLine(line.text)
    } else {
      output.writeLine(answer.capture)
    }
    output.flush()
    if wait { try waitUntilItIsWhole(answer.capture) }
  }

  private static let tryMicroseconds: UInt32 = 20_000

  private func waitUntilItIsThere(_ path: String) throws {
    let end = CaptureClock.monotonicNanoseconds() + 5_000_000_000
    while (try? Capture(path: path)) == nil {
      guard CaptureClock.monotonicNanoseconds() < end else { throw TriggerError.failed(path: path) }
      usleep(Self.tryMicroseconds)
    }
  }

  private func waitUntilItIsWhole(_ path: String) throws {
    let pin = try Capture(path: path)
    while try pin.isBeingRecorded { usleep(Self.tryMicroseconds) }
    let window = try Capture(path: path).manifest.window
    guard let window, window.ended != nil else { throw TriggerError.cut(path: path) }
    if window.isCut {
      Console.complain("\(path): the recording ended before all of the time asked for was over")
      throw ExitCode.incomplete
    }
  }
}

enum TriggerError: Error, CustomStringConvertible {
  case notRecorded(path: String)
  case noAnswer(path: String)
  case failed(path: String)
  case cut(path: String)

  var description: String {
    switch self {
    case .notRecorded(let path): "\(path): nobody records it; what is in it stays as it is"
    case .failed(let path): "\(path): its recorder could not make it, and says there why"
    case .cut(let path): "\(path): its recorder ended before all that was asked for was there"
    case .noAnswer(let path): "\(path): its recorder does not answer; is it stopped?"
    }
  }
}
