import ArgumentParser
import Recording
import ZeroMQ

/// How a recorder takes messages from libzmq.
struct IntakeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Messages that libzmq may hold for each publisher while zcap is busy; 0 is no limit. A full \
      queue makes the publisher drop, so this is far above libzmq's 1000. It may take this many \
      times the message size of memory.
      """, valueName: "messages"))
  var hwm = RecordingPlan.receiveHighWaterMarkDefault

  @Option(help: ArgumentHelp("Threads of libzmq; one takes about 1 GB/s.", valueName: "n"))
  var ioThreads = 1

  @Option(
    help: ArgumentHelp(
      """
      CPUs by number, such as 2,3: the recording thread runs on the first one, those of libzmq on \
      the others. (default: the system decides)
      """, valueName: "list"))
  var cpu: CPUList?

  func check() throws {
    guard hwm >= 0, hwm <= Int(Int32.max) else {
      throw ValidationError("--hwm \(hwm): from 0 to \(Int32.max)")
    }
    guard (1...1024).contains(ioThreads) else {
      throw ValidationError("--io-threads \(ioThreads): from 1 to 1024")
    }
    for number in cpu?.numbers ?? [] where !Processors.allowed.contains(number) {
      throw ValidationError("--cpu \(number): not a CPU that this process may use")
    }
  }

  func apply(to plan: inout RecordingPlan) {
    plan.receiveHighWaterMark = hwm
    plan.ioThreads = ioThreads
    plan.processors = cpu?.numbers ?? []
  }
}

/// `2,3`.
struct CPUList: ExpressibleByArgument {
  var numbers: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.allSatisfy({ $0 ?? -1 >= 0 }) else { return nil }
    numbers = parts.compactMap { $0 }
    guard Set(numbers).count == numbers.count else { return nil }
  }
}
