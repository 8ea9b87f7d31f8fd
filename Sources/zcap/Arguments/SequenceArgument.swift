import ArgumentParser
import CaptureIndex

/// A counter field on the command line: `PREFIX:frame=1:offset=0:u32le`, the prefix in any bytes.
struct SequenceArgument: ExpressibleByArgument {
  var rule: SequenceRule

  init?(argument: String) {
    guard let rule = SequenceRule(bytes: RawArguments.bytes(of: argument)) else { return nil }
    self.rule = rule
  }

  /// What a mistake is answered with.
  static let allValueStrings = [
    "PREFIX:frame=1:offset=0:u32le", "PREFIX:frame=-1:offset=4:u64be:shared",
  ]
}
