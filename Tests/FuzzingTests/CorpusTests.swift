import Foundation
import FuzzHarness
import TestSupport
import Testing

/// The inputs that the fuzzer found worth keeping, each run again: a crash or a broken promise
/// ends the test.
@Suite(.serialized) struct CorpusTests {
  private static func inputs(_ target: FuzzTarget) throws -> [[UInt8]] {
    let folder = FuzzTarget.corpus(repository: Programs.repository, target)
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
      Array(try Data(contentsOf: URL(filePath: "\(folder)/\($0)")))
    }
  }

  @Test(arguments: FuzzTarget.allCases)
  func everyInputHoldsWhatThePromiseSays(target: FuzzTarget) throws {
    let inputs = try Self.inputs(target)
    #expect(inputs.count > 5)
    for input in inputs { input.withUnsafeBytes { target.run($0) } }
  }

  @Test(arguments: FuzzTarget.allCases)
  func spoiledInputsHoldItToo(target: FuzzTarget) throws {
    var random = SplitMix64()
    for var input in try Self.inputs(target).shuffled(using: &random).prefix(40)
    where !input.isEmpty {
      for _ in 0..<random.int(1...4) {
        input[random.int(0...input.count - 1)] = UInt8(random.int(0...255))
      }
      input.withUnsafeBytes { target.run($0) }
    }
  }
}
