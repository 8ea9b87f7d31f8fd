import PayloadCodecs

/// Detects in `bytes`, in place: a slice is not copied out of its buffer.
func detect(_ bytes: ArraySlice<UInt8>, with registry: CodecRegistry = .standard) -> Detection {
  // `Span.bytes` is unsafe because it may show padding; a byte has none.
  unsafe registry.detect(bytes.span.bytes)
}

func detect(_ bytes: [UInt8], with registry: CodecRegistry = .standard) -> Detection {
  detect(bytes[...], with: registry)
}

func detect(_ text: String) -> Detection {
  detect(Array(text.utf8))
}

/// Reproducible randomness (SplitMix64, S. Vigna).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}

/// A JSON document of random shape, object or array at its root.
func randomDocument(using generator: inout SeededGenerator) -> String {
  randomContainer(depth: 4, using: &generator)
}

private func randomContainer(depth: Int, using generator: inout SeededGenerator) -> String {
  let isObject = Bool.random(using: &generator)
  let members = (0..<Int.random(in: 0...4, using: &generator)).map { _ in
    (isObject ? randomString(using: &generator) + randomSpace(using: &generator) + ":" : "")
      + randomSpace(using: &generator) + randomValue(depth: depth - 1, using: &generator)
      + randomSpace(using: &generator)
  }
  let content = members.isEmpty ? randomSpace(using: &generator) : members.joined(separator: ",")
  return isObject ? "{\(content)}" : "[\(content)]"
}

private func randomValue(depth: Int, using generator: inout SeededGenerator) -> String {
  switch Int.random(in: 0...(depth > 0 ? 5 : 3), using: &generator) {
  case 0: randomString(using: &generator)
  case 1: ["true", "false", "null"].randomElement(using: &generator)!
  case 2: String(Int.random(in: -1_000_000...1_000_000, using: &generator))
  case 3: ["0", "-0", "0.5", "-12.75e-3", "1E+9", "9e0"].randomElement(using: &generator)!
  default: randomContainer(depth: depth, using: &generator)
  }
}

private func randomString(using generator: inout SeededGenerator) -> String {
  let pieces = ["a", "sensor", "é", "温度", "😀", "\\n", "\\\"", "\\\\", "\\u00e9", "\u{7F}", "]}"]
  let count = Int.random(in: 0...6, using: &generator)
  return "\"" + (0..<count).map { _ in pieces.randomElement(using: &generator)! }.joined() + "\""
}

private func randomSpace(using generator: inout SeededGenerator) -> String {
  ["", "", " ", "\n", "\t", "\r\n  "].randomElement(using: &generator)!
}
