import CaptureStore
import Foundation

/// Where captures are: names on the command line become paths here.
enum Store {
  /// `$ZCAP_STORE`, else `./captures`.
  static var directory: String {
    ProcessInfo.processInfo.environment["ZCAP_STORE"].flatMap { $0.isEmpty ? nil : $0 }
      ?? "captures"
  }

  /// A path as it is; a bare name as one in the store.
  static func path(forNew name: String) -> String {
    var name = name
    while name.count > 1 && name.hasSuffix("/") { name.removeLast() }
    return name.contains("/") ? name : "\(directory)/\(name)"
  }

  /// The same for a capture that should exist: a bare name may be in the present folder, too.
  static func path(forExisting name: String) -> String {
    if name.contains("/") { return name }
    let stored = "\(directory)/\(name)"
    let isHereOnly = access(stored, F_OK) != 0 && access(name, F_OK) == 0
    return isHereOnly ? name : stored
  }

  /// The captures of the store, by name. Throws where it is there and cannot be listed.
  static func captures() throws -> [String] {
    guard access(directory, F_OK) == 0 else { return [] }
    let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    return names.map { "\(directory)/\($0)" }.filter(Capture.isFound)
  }

  /// Does something with each of the captures that were named, and tells what went wrong with one
  /// without leaving out the others. Returns whether nothing did.
  static func forEach(_ names: [String], _ body: (String) throws -> Void) -> Bool {
    var isDone = true
    for name in names {
      do {
        try body(path(forExisting: name))
      } catch {
        Console.complain("\(error)")
        isDone = false
      }
    }
    return isDone
  }

  /// The default path of a new capture: the time in UTC, and a number where that is taken.
  static func newPath() -> String {
    let path = "\(directory)/\(timeName())"
    let paths = [path] + (2...99).map { "\(path)-\($0)" }
    return paths.first { access($0, F_OK) != 0 } ?? path
  }

  private static func timeName() -> String {
    var time = time_t(CaptureClock.unixNanoseconds() / 1_000_000_000)
    var parts = tm()
    gmtime_r(&time, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H-%M-%SZ", &parts)
    return String(decoding: text[..<count].map(UInt8.init), as: UTF8.self)
  }
}
