import ArgumentParser
import CaptureStore

/// One limit of a ring on the command line: `10GiB`, `24h` or `1000000msg`.
struct RetentionArgument: ExpressibleByArgument {
  private let text: String

  init?(argument: String) { text = argument }

  private enum Limit {
    case bytes(Int)
    case nanoseconds(Int64)
    case messages(UInt64)
  }

  private func limit() throws -> Limit {
    if text.hasSuffix("msg"), let messages = UInt64(text.dropLast(3)), messages > 0 {
      return .messages(messages)
    }
    // A number alone does not say of what.
    if text.last?.isNumber == false {
      if let span = TimeSpan(argument: text), span.nanoseconds > 0 {
        return .nanoseconds(span.nanoseconds)
      }
      if let size = ByteSize(argument: text) { return .bytes(size.bytes) }
    }
    throw ValidationError("--keep '\(text)': a size, time or count, as in 10GiB, 24h or 1000msg")
  }

  /// All limits together; nil where there is none. Throws `ValidationError`.
  static func combined(_ limits: [RetentionArgument]) throws -> Retention? {
    guard !limits.isEmpty else { return nil }
    var keep = Retention()
    for argument in limits {
      let isTaken: Bool
      switch try argument.limit() {
      case .bytes(let bytes):
        isTaken = keep.bytes != nil
        keep.bytes = bytes
      case .nanoseconds(let nanoseconds):
        isTaken = keep.nanoseconds != nil
        keep.nanoseconds = nanoseconds
      case .messages(let messages):
        isTaken = keep.messages != nil
        keep.messages = messages
      }
      if isTaken { throw ValidationError("--keep \(argument.text): given twice for one unit") }
    }
    let least = CaptureWriter.segmentSizes.lowerBound
    guard keep.segmentSizeMax >= least else {
      throw ValidationError("--keep \(keep.bytes!)B: at least \(Units.binary(least * 8))")
    }
    return keep
  }
}

extension Retention {
  /// `10GiB, 24h or 1,000,000 messages`.
  var text: String {
    var parts: [String] = []
    if let bytes { parts.append(Units.binary(bytes)) }
    if let nanoseconds { parts.append(Units.duration(nanoseconds)) }
    if let messages { parts.append(Units.count(messages, "message")) }
    guard let last = parts.popLast() else { return "" }
    return parts.isEmpty ? last : parts.joined(separator: ", ") + " or " + last
  }
}
