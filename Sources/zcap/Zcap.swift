import ArgumentParser
import Glibc
import Synchronization
import ZeroMQ

/// The command `zcap`: parses, runs one subcommand, maps how it ended to an exit code.
@main
struct Zcap: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "zcap",
    abstract: "Record ZeroMQ traffic, look at it, and replay it.",
    discussion: """
      A capture is a directory. A bare name means one in the store: $ZCAP_STORE, else ./captures. \
      Times are RFC 3339, +1m30s from the start of the capture, or -10s from its end. \
      Lengths of time are seconds, or such as 500ms, 10s, 1m30s, 2h and 1d. \
      Sizes are bytes, or such as 64MiB and 10GB.

      Exit codes: 0 done; 1 failed; 3 done, but something was lost or cut short; 64 usage.
      """,
    version: "zcap \(version) (libzmq \(libraryVersion))",
    subcommands: [
      RecordCommand.self, TriggerCommand.self, ListCommand.self, CatCommand.self,
      TagCommand.self, ReplayCommand.self, VerifyCommand.self, RecoverCommand.self,
      ReindexCommand.self, BenchCommand.self,
    ])

  static func main() {
    openStandardFiles()
    // A closed pipe is an error of the write that meets it, not the end of a recording.
    signal(SIGPIPE, SIG_IGN)
    // So is a limit on the size of files.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try parseAsRoot(RawArguments.strings())
      try (command as? any CheckedCommand)?.check()
      try command.run()
      let failure = DataOutput.failure.load(ordering: .relaxed)
      if failure != 0 {
        Console.complain("standard output: \(String(cString: strerror(failure)))")
        throw ExitCode.failure
      }
    } catch {
      finish(with: error)
    }
  }

  /// What is closed would be given to the next socket or file, and written into.
  private static func openStandardFiles() {
    for file in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(file, F_GETFD) == -1 {
      // The lowest that is free is this one.
      _ = open("/dev/null", O_RDWR)
    }
  }

  /// One line that says what, where and what to do, then the exit code.
  private static func finish(with error: any Error) -> Never {
    if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
    let code = exitCode(for: error)
    switch code {
    case .success:
      exit(withError: error)
    case .validationFailure:
      let text = message(for: error).split(separator: "\n").first.map(String.init) ?? "bad usage"
      Console.complain("\(text)\(example(for: text)) (see '\(help)')")
    default:
      Console.complain("\(error)")
    }
    Glibc.exit(code.rawValue)
  }

  /// The command that explains what was not understood.
  private static var help: String {
    let names = configuration.subcommands.compactMap { $0.configuration.commandName }
    guard let name = CommandLine.arguments.dropFirst().first, names.contains(name) else {
      return "zcap --help"
    }
    return "zcap \(name) --help"
  }

  /// What values look like, by the name that they have in the help.
  private static let examples = [
    "time": "10s, 1m30s or 500ms", "when": "2026-11-23T10:00:00Z, +1m30s or -10s",
    "bytes": "1500, 64MiB or 10GB", "rate": "0.5, 10 or max", "interval": "1s, 0 or always",
    "space": "5%, 2GiB or 0", "list": "2,3", "key=value": "rig=A",
    "rule": "auto, frame, delimiter:/ or prefix:4", "old=new": "camera/=camera2/",
    "recorded=new": "tcp://10.0.0.7:5555=tcp://127.0.0.1:6000",
    "glob#n=tag": "'sensor/*#1=msgpack'", "field": "imu/:frame=1:offset=8:f64le:unix",
  ]

  /// An example for who gave a value that an option does not understand.
  private static func example(for text: String) -> String {
    guard text.contains("is invalid for"), let name = text.split(separator: "<").last,
      let example = examples[String(name.prefix { $0 != ">" })]
    else { return "" }
    return "; say \(example)"
  }
}

/// A command whose arguments have to fit each other.
///
/// `validate` of the parser would come before it looks for options that it does not know: the value
/// of a misspelt one is then taken for something else, and complained about.
protocol CheckedCommand {
  /// Throws `ValidationError`.
  func check() throws
}

extension ExitCode {
  /// Done, but something was lost, differs, or was cut short.
  static let incomplete = ExitCode(3)
}
