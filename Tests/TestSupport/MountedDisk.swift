import Foundation

/// A small file system of a test's own, where the machine allows mounting; unmounted with it.
public final class MountedDisk {
  public enum Kind: String, CaseIterable, Sendable { case tmpfs, ext4 }

  public let path: String
  private let directory: TemporaryDirectory

  /// Whether this machine can mount such a thing, found out by doing it.
  public static let isAllowed: Bool = {
    unmountForsaken()
    return Kind.allCases.allSatisfy { (try? MountedDisk($0)) != nil }
  }()

  /// What tests left mounted that crashed: each mount has its owner written beside it.
  private static func unmountForsaken() {
    let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 1, fields[1].hasPrefix("/tmp/zcap-test-"),
        fields[1].hasSuffix("/mounted")
      else { continue }
      let directory = fields[1].dropLast("/mounted".count)
      guard let owner = try? String(contentsOfFile: "\(directory)/owner", encoding: .utf8),
        let pid = pid_t(owner), kill(pid, 0) != 0, errno == ESRCH
      else { continue }
      umount2(String(fields[1]), CInt(MNT_DETACH))
      try? FileManager.default.removeItem(atPath: String(directory))
    }
  }

  public init(_ kind: Kind, mebibytes: Int = 64) throws {
    directory = try TemporaryDirectory()
    path = directory.file("mounted")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try String(getpid()).write(toFile: directory.file("owner"), atomically: true, encoding: .utf8)
    switch kind {
    case .tmpfs:
      try run("mount", "-t", "tmpfs", "-o", "size=\(mebibytes)m", "tmpfs", path)
    case .ext4:
      let image = directory.file("image")
      try run("truncate", "-s", "\(mebibytes)M", image)
      try run("mkfs.ext4", "-q", "-F", "-m", "0", image)
      try run("mount", "-o", "loop", image, path)
    }
  }

  deinit {
    // Lazily: whoever still has a file open there does not keep it mounted.
    try? run("umount", "--lazy", path)
  }

  private func run(_ program: String, _ arguments: String...) throws {
    let line = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", program] + arguments
    let child = try ChildProcess(
      "/usr/bin/env", line.map { Array($0.utf8) }, directory: directory.path)
    let run = try child.wait()
    guard run.exitCode == 0 else { throw TestFailure("\(run.command): \(run.standardError)") }
  }
}
