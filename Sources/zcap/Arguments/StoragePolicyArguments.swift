import ArgumentParser
import CaptureStore

/// When to sync: `1s`, `0` for never before a segment is full, or `always`.
struct SyncArgument: ExpressibleByArgument {
  var policy: SyncPolicy

  init(_ policy: SyncPolicy) { self.policy = policy }

  init?(argument: String) {
    if argument == "always" {
      policy = .always
      return
    }
    guard let span = TimeSpan(argument: argument) else { return nil }
    // A disk takes milliseconds for each; more often than that is `always`.
    if span.nanoseconds != 0 && span.nanoseconds < 1_000_000 { return nil }
    policy = span.nanoseconds == 0 ? .atSeal : .every(nanoseconds: span.nanoseconds)
  }

  var defaultValueDescription: String {
    switch policy {
    case .atSeal: "0"
    case .every(let nanoseconds): Units.duration(nanoseconds)
    case .always: "always"
    }
  }
}

/// Free space to leave: `5%`, `2GiB`, or `0`.
struct FreeSpaceArgument: ExpressibleByArgument {
  var least: FreeSpaceMin

  init(_ least: FreeSpaceMin) { self.least = least }

  init?(argument: String) {
    if argument == "0" {
      least = .none
    } else if argument.hasSuffix("%") {
      guard let percent = Double(argument.dropLast()), (0..<100).contains(percent) else {
        return nil
      }
      least = .percent(percent)
    } else {
      guard let size = ByteSize(argument: argument) else { return nil }
      least = .bytes(size.bytes)
    }
  }

  var defaultValueDescription: String {
    switch least {
    case .bytes(let bytes): Units.binary(bytes)
    case .percent(let percent): "\(percent)%"
    }
  }
}
