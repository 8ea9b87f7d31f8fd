import ArgumentParser
import CaptureIndex
import PayloadCodecs

/// What frames of some topics are, on the command line: `GLOB#FRAME=CODEC`, the glob in any bytes.
struct CodecRuleArgument: ExpressibleByArgument {
  private let text: String
  private let result: Result<CodecRule, CodecRule.Mistake>

  init?(argument: String) {
    text = argument
    result = Result { () throws(CodecRule.Mistake) in
      try CodecRule(bytes: RawArguments.bytes(of: argument))
    }
  }

  /// Throws what is wrong with it.
  func rule() throws -> CodecRule {
    do {
      return try result.get()
    } catch {
      throw ValidationError("'\(text)': \(error.reason); write it like 'imu/*#1=msgpack'")
    }
  }
}

extension [CodecRule] {
  /// Those whose codec somebody shows.
  func shown(by schemas: SchemaSet) -> [CodecRule] {
    var decoders = DecoderSet(schemas: schemas)
    return filter { decoders.decoder(for: $0.tag) != nil }
  }

  /// Throws `ValidationError` where one names what nothing shows.
  func check(_ schemas: SchemaSet) throws {
    var decoders = DecoderSet(schemas: schemas)
    for rule in self where decoders.decoder(for: rule.tag) == nil {
      throw ValidationError("'\(rule)': nothing shows \(rule.tag): \(rule.tag.mistake(schemas))")
    }
  }
}
