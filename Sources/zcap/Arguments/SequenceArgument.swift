import ArgumentParser
import CaptureIndex

/// A counter field on the command line: `PREFIX:frame=1:offset=0:u32le`, the prefix in any bytes.
struct SequenceArgument: ExpressibleByArgument {
  private let text: String
  private let result: Result<SequenceRule, SequenceRule.Mistake>

  init?(argument: String) {
    text = argument
    result = Result { () throws(SequenceRule.Mistake) in
      try SequenceRule(bytes: RawArguments.bytes(of: argument))
    }
  }

  /// Throws what is wrong with it.
  func rule() throws -> SequenceRule {
    do {
      return try result.get()
    } catch {
      throw ValidationError(
        "--sequence '\(text)': \(error.reason); write it like count/:frame=1:offset=0:u32le")
    }
  }
}
