import ArgumentParser
import Recording
import Threads

struct BenchCommand: ParsableCommand, CheckedCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how fast this machine records.",
    discussion: """
      A publisher in this process sends messages of two frames over TCP on the loopback \
      interface, and waits rather than drop. They are taken by a receiver that throws them away, \
      which is what libzmq can do here; by a recording into new segments; and by one into a ring \
      that has gone around. In turn, several times; what is shown is the median of each. The \
      captures are removed.

      What it shows is of this machine as busy as it is now. Nothing is compared with other \
      programs here: scripts/bench of the source does that.
      """)

  @Option(
    help: ArgumentHelp(
      "Bytes of a payload (repeatable; default: 64, 1KiB, 16KiB, 256KiB).", valueName: "bytes"))
  var size: [ByteSize] = []

  @Option(help: ArgumentHelp("How often each is measured.", valueName: "n"))
  var rounds = 3

  @Option(
    help: ArgumentHelp(
      "Where the captures are written: the disk that is measured. (default: the store)",
      valueName: "folder"))
  var folder: String?

  @Flag(help: "One JSON object a line.")
  var json = false

  func check() throws {
    guard (1...100).contains(rounds) else {
      throw ValidationError("--rounds \(rounds): from 1 to 100")
    }
    for size in size where size.bytes > 16 << 20 {
      throw ValidationError("--size \(size.bytes): at most 16 MiB")
    }
  }

  func run() throws {
    ProcessLimits.openAsManyFilesAsAllowed()
    ProcessLimits.keepFreedMemory()
    let stop = StopSignals.token(outcome: "nothing was measured")
    let benchmark = try RecordingBenchmark(
      in: folder ?? Store.directory, recorder: "zcap \(Zcap.version)", stop: stop)
    defer { benchmark.tidy() }
    var table = Table([
      ("PAYLOAD", .right), ("LIBZMQ", .right), ("RECORDED", .right), ("RATIO", .right),
      ("IN A RING", .right), ("RATIO", .right), ("DISK", .right),
    ])
    let sizes = size.isEmpty ? [64, 1 << 10, 16 << 10, 256 << 10] : size.map(\.bytes)
    for size in sizes {
      Console.say("measuring messages of \(Units.binary(size))")
      let result = try benchmark.measure(payload: size, rounds: rounds)
      if stop.isRequested {
        Console.complain("stopped; messages of \(Units.binary(size)) have no result")
        throw ExitCode.incomplete
      }
      if json { write(result) } else { table.add(Self.row(result)) }
    }
    if json { return }
    var output = DataOutput()
    for line in table.lines(isColoured: false) { output.writeLine(line) }
    output.flush()
  }

  private static func row(_ result: RecordingBenchmark.Measurement) -> [String] {
    func rate(_ value: Double) -> String { "\(Units.count(Int(value)))/s" }
    func ratio(_ value: Double) -> String { Units.fixed(value / result.receivedPerSecond, 2) }
    return [
      Units.binary(result.payloadBytes), rate(result.receivedPerSecond),
      rate(result.recordedPerSecond), ratio(result.recordedPerSecond),
      rate(result.ringPerSecond), ratio(result.ringPerSecond),
      "+\(Units.fixed(100 * (result.diskBytesPerByte - 1), 1)) %",
    ]
  }

  private func write(_ result: RecordingBenchmark.Measurement) {
    let (recorded, ring) = (result.recordedPerSecond, result.ringPerSecond)
    var line = JSONLine()
    line.add("payload_bytes", result.payloadBytes)
    line.add("received_per_s", seconds: result.receivedPerSecond, decimals: 0)
    line.add("recorded_per_s", seconds: recorded, decimals: 0)
    line.add("recorded_ratio", seconds: recorded / result.receivedPerSecond, decimals: 3)
    line.add("ring_per_s", seconds: ring, decimals: 0)
    line.add("ring_ratio", seconds: ring / result.receivedPerSecond, decimals: 3)
    line.add("disk_over_frames", seconds: result.diskBytesPerByte, decimals: 4)
    var output = DataOutput()
    output.writeLine(line.text)
    output.flush()
  }
}
