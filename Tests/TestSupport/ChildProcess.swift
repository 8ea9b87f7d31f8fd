import Foundation

/// A program that a test starts and that does not outlive it.
///
/// Its output goes to files, so that it never waits for a reader and can be looked at while the
/// program runs. Arguments are bytes: what a shell can pass need not be UTF-8.
public final class ChildProcess {
  public let pid: Int32
  /// The command as it would be typed, for messages.
  public let command: String
  private let output: TemporaryDirectory
  private var ending: ProcessRun.Ending?

  /// Starts a program. `environment` is laid over that of the test; nil removes a variable.
  ///
  /// Source: `posix_spawn(3)`.
  public init(
    _ program: String, _ arguments: [[UInt8]], environment: [String: String?] = [:],
    directory: String
  ) throws {
    let words = [program] + arguments.map { String(decoding: $0, as: UTF8.self) }
    command = words.joined(separator: " ")
    output = try TemporaryDirectory()

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let flags = O_WRONLY | O_CREAT | O_TRUNC
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.file("out"), flags, 0o600)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, output.file("err"), flags, 0o600)

    var variables = ProcessInfo.processInfo.environment
    for (name, value) in environment { variables[name] = value }
    // Glibc's action to change the directory is not imported; env(1) does it and then is the program.
    let line = ["/usr/bin/env", "-C", directory, program].map { Array($0.utf8) } + arguments
    var argumentPointers = line.map(Self.cString) + [nil]
    var variablePointers =
      variables.map { Self.cString(Array("\($0.key)=\($0.value)".utf8)) } + [nil]
    defer { for pointer in argumentPointers + variablePointers { free(pointer) } }

    var started: pid_t = 0
    let code = posix_spawn(
      &started, "/usr/bin/env", &actions, nil, &argumentPointers, &variablePointers)
    guard code == 0 else {
      throw TestFailure("\(command): cannot be started: \(String(cString: strerror(code)))")
    }
    pid = started
  }

  deinit {
    guard ending == nil else { return }
    kill(pid, SIGKILL)
    var status: CInt = 0
    waitpid(pid, &status, 0)
  }

  private static func cString(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar>? {
    strdup((bytes + [0]).map { CChar(bitPattern: $0) })
  }

  /// What it has written to standard output so far.
  public var standardOutput: String { text("out") }
  public var standardError: String { text("err") }

  private func text(_ name: String) -> String {
    let data = FileManager.default.contents(atPath: output.file(name)) ?? Data()
    return String(decoding: data, as: UTF8.self)
  }

  public func send(signal: CInt) { if isRunning { kill(pid, signal) } }

  /// Whether it has not ended yet. Source: `waitpid(2)`.
  public var isRunning: Bool {
    if ending != nil { return false }
    var status: CInt = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { return true }
    // As the macros WIFEXITED, WEXITSTATUS and WTERMSIG have it.
    let signal = status & 0x7F
    ending = signal == 0 ? .exit(code: (status >> 8) & 0xFF) : .signal(signal)
    return false
  }

  /// Waits until it ends; kills it and throws when that takes too long.
  @discardableResult
  public func wait(seconds: Double = 60) throws -> ProcessRun {
    do {
      try waitFor("the end of \(command)", seconds: seconds) { !isRunning }
    } catch {
      send(signal: SIGKILL)
      throw TestFailure("\(error); it had said: \(standardError)")
    }
    return ProcessRun(
      command: command, ending: ending!, standardOutput: standardOutput,
      standardError: standardError)
  }

  /// Waits until a line of its standard output satisfies the condition; that line.
  public func waitForLine(
    seconds: Double = 30, where condition: (String) throws -> Bool = { _ in true }
  ) throws -> String {
    try waitFor("a line of \(command)", seconds: seconds) {
      let whole = standardOutput.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      if let line = try whole.map(String.init).first(where: condition) { return line }
      guard isRunning else {
        throw TestFailure("\(command) ended without that line; it said: \(standardError)")
      }
      return nil
    }
  }
}

/// How a program ended and what it said.
public struct ProcessRun: Sendable {
  public enum Ending: Hashable, Sendable {
    case exit(code: Int32)
    case signal(Int32)
  }

  public var command: String
  public var ending: Ending
  public var standardOutput: String
  public var standardError: String

  /// nil when a signal ended it.
  public var exitCode: Int32? {
    if case .exit(let code) = ending { code } else { nil }
  }
}
