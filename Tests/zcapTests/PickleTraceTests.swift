import Foundation
import TestSupport
import Testing

extension ZcapTests {
  /// Pickles that run code where they are loaded are shown, and nothing of them is run: what the
  /// system is asked for while they are shown is what it is asked for by harmless ones.
  @Suite struct PickleTraceTests {
    /// `touch ran`, in all the ways that a pickle has; made by Python, but for the last four.
    private static let attacks: [(name: String, base64: String)] = [
      ("reduce0", "Y3Bvc2l4CnN5c3RlbQpwMAooVnRvdWNoIHJhbgpwMQp0cDIKUnAzCi4="),
      ("reduce2", "gAJjcG9zaXgKc3lzdGVtCnEAWAkAAAB0b3VjaCByYW5xAYVxAlJxAy4="),
      ("reduce4", "gASVJAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAl0b3VjaCByYW6UhZRSlC4="),
      (
        "nested",
        "gAWVMwAAAAAAAAB9lIwBYZRdlChLAYwFcG9zaXiUjAZzeXN0ZW2Uk5SMCXRvdWNoIHJhbpSFlFKUhZRlcy4="
      ),
      ("memo", "gAJdcQAoY3Bvc2l4CnN5c3RlbQpxAVgJAAAAdG91Y2ggcmFucQKFcQNScQRoBF1xBWgEYWUu"),
      (
        "persistent",
        "gAJdcQAoWAkAAABvcy5zeXN0ZW1xAVgJAAAAdG91Y2ggcmFucQKGcQNRY3Bvc2l4CnN5c3RlbQpxBGgChXEFUnEGZS4="
      ),
      ("global0", "Y29zCnN5c3RlbQooUyd0b3VjaCByYW4nCnRSLg=="),
      ("popen", "Y3N1YnByb2Nlc3MKUG9wZW4KKChsUyd0b3VjaCcKYVMncmFuJwphdFIu"),
      ("inst", "KFMndG91Y2ggcmFuJwppb3MKc3lzdGVtCi4="),
      (
        "build",
        "Y19fYnVpbHRpbl9fCmV2YWwKKFMnX19pbXBvcnRfXygib3MiKS5zeXN0ZW0oInRvdWNoIHJhbiIpJwp0Un1TJ19fc2V0c3RhdGVfXycKY29zCnN5c3RlbQpzYlMneCcKYi4="
      ),
    ]

    private func write(_ payloads: [[UInt8]], _ rig: Rig) throws {
      var capture = MadeCapture()
      for (number, payload) in payloads.enumerated() {
        capture.entries.append(
          .init(nanoseconds: Int64(number), frames: [Array("t".utf8), payload]))
      }
      try capture.write(rig.capture("made"))
    }

    /// The calls of a process that make processes, open, connect or change names, without what
    /// differs from run to run.
    private func trace(_ command: [String], _ rig: Rig) throws -> (calls: [String], output: String)
    {
      try FileManager.default.createDirectory(
        atPath: rig.store, withIntermediateDirectories: true)
      let log = "\(rig.store)/trace"
      let process = try ChildProcess(
        "/usr/bin/strace",
        (["-f", "-qq", "-o", log, "-e", Self.traced] + command).map { Array($0.utf8) },
        environment: ["ZCAP_STORE": rig.store], directory: rig.store)
      let run = try process.wait(seconds: 60)
      #expect(run.exitCode == 0, "\(run)")
      let calls = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map {
        $0.drop { $0.isNumber || $0 == " " }.replacingOccurrences(of: rig.store, with: "STORE")
          .prefix { $0 != "=" }.trimmingCharacters(in: .whitespaces)
      }
      // A thread is a clone, too.
      return (
        calls.filter { !$0.contains("CLONE_THREAD") && !$0.hasPrefix("<...") }, run.standardOutput
      )
    }

    private static let traced =
      "trace=execve,execveat,fork,vfork,clone,clone3,open,openat,socket,connect,unlink,unlinkat,"
      + "rename,renameat2,mkdir,chmod"

    @Test func whatIsShownRunsNothing() throws {
      let rig = try Rig()
      let payloads = try Self.attacks.map { Array(try #require(Data(base64Encoded: $0.base64))) }
      try write(payloads, rig)
      let shown = try trace([Programs.zcap(), "cat", "made", "--json"], rig)
      let lines = shown.output.split(separator: "\n")
      #expect(lines.count == payloads.count)
      for (line, attack) in zip(lines, Self.attacks) {
        #expect(line.contains(#""codec":"pickle""#), "\(attack.name): \(line)")
        #expect(line.contains("system") || line.contains("Popen"), "\(attack.name): \(line)")
        #expect(!line.contains(#""error""#), "\(attack.name): \(line)")
      }
      #expect(!FileManager.default.fileExists(atPath: "\(rig.store)/ran"))
      #expect(shown.calls.filter { $0.hasPrefix("execve") }.count == 1)
      #expect(!shown.calls.contains { $0.hasPrefix("fork") || $0.hasPrefix("vfork") })

      let harmless = try Rig()
      let plain: [UInt8] = [0x80, 2, 0x5D, 0x71, 0, 0x2E]
      try write(payloads.map { _ in plain }, harmless)
      let calls = try trace([Programs.zcap(), "cat", "made", "--json"], harmless).calls
      let others = Set(shown.calls).symmetricDifference(calls).filter { !$0.hasPrefix("execve") }
      #expect(others.isEmpty, "\(others)")
    }

    /// They are attacks, and the trace sees them: Python falls for them.
    @Test func pythonRunsThem() throws {
      let rig = try Rig()
      let script = "import pickle,base64,sys\npickle.loads(base64.b64decode(sys.argv[1]))"
      for attack in Self.attacks where attack.name.hasPrefix("reduce") {
        let seen = try trace([Programs.python(), "-c", script, attack.base64], rig)
        #expect(seen.calls.filter { $0.hasPrefix("execve") }.count > 1, "\(attack.name)")
        let ran = "\(rig.store)/ran"
        #expect(FileManager.default.fileExists(atPath: ran), "\(attack.name)")
        try? FileManager.default.removeItem(atPath: ran)
      }
    }
  }
}
