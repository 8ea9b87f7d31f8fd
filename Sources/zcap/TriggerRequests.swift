import CaptureStore
import Foundation

/// What `zcap trigger` asks of the recorder of a ring, by files in the folder `triggers` of the
/// capture: a request is taken by removing it, and answered by a file beside it.
struct TriggerRequests {
  struct Request: Codable {
    /// On the monotonic clock, nanoseconds, like the other two.
    var time: Int64
    var before: Int64?
    var after: Int64?
    var label: String?

    /// Whether it was asked for just now, on this boot.
    fileprivate var isSound: Bool {
      let now = CaptureClock.monotonicNanoseconds()
      return (now - 60_000_000_000...now).contains(time) && before ?? 0 >= 0 && after ?? 0 >= 0
    }
  }

  struct Answer: Codable {
    /// The path of the capture that will be, for whoever sees the files that the recorder sees; it
    /// lies beside the ring.
    var capture: String
  }

  private let folder: String
  /// How often to look, in nanoseconds.
  let interval: Int64 = 100_000_000

  /// Makes the folder; what is left in it from another time is nobody's request.
  ///
  /// Source: `mkdir(2)`.
  init(_ capture: String) throws(StoreError) {
    folder = "\(capture)/triggers"
    try? FileManager.default.removeItem(atPath: folder)
    guard mkdir(folder, 0o700) == 0 else {
      throw .system(operation: "make it anew", path: folder, code: errno)
    }
  }

  /// Takes the requests that are there, and answers with the path of the capture that will be; not
  /// where there will be none.
  func answer(_ body: (Request) -> String?) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for name in names where name.hasSuffix(".request") {
      let path = "\(folder)/\(name)"
      guard let data = FileManager.default.contents(atPath: path),
        (try? FileManager.default.removeItem(atPath: path)) != nil,
        let request = try? JSONDecoder().decode(Request.self, from: data), request.isSound,
        let made = body(request)
      else { continue }
      let answer = Answer(capture: made)
      try? JSONEncoder().encode(answer)
        .write(to: URL(filePath: path.dropLast(".request".count) + ".answer"), options: .atomic)
    }
  }

  /// Asks the recorder of a capture; nil where it does not answer within some seconds.
  static func ask(_ request: Request, of capture: String) throws -> Answer? {
    let folder = "\(capture)/triggers"
    guard access(folder, W_OK | X_OK) == 0 else {
      if errno == ENOENT { return nil }
      throw StoreError.system(operation: "write", path: folder, code: errno)
    }
    let name = "\(folder)/\(UUID().uuidString)"
    let (asked, answered) = ("\(name).request", "\(name).answer")
    try write(request, to: asked)
    let end = CaptureClock.monotonicNanoseconds() + 5_000_000_000
    while CaptureClock.monotonicNanoseconds() < end {
      if let data = FileManager.default.contents(atPath: answered) {
        try? FileManager.default.removeItem(atPath: answered)
        return try JSONDecoder().decode(Answer.self, from: data)
      }
      usleep(10_000)
    }
    try? FileManager.default.removeItem(atPath: asked)
    return nil
  }

  private static func write(_ request: Request, to path: String) throws {
    do {
      try JSONEncoder().encode(request).write(to: URL(filePath: path), options: .atomic)
    } catch let error as CocoaError {
      guard let cause = error.underlying as? POSIXError else { throw error }
      throw StoreError.system(operation: "write", path: path, code: cause.code.rawValue)
    }
  }
}
