import FuzzHarness
import Glibc

// What libFuzzer's main calls: `ZCAP_FUZZ_TARGET=segment zcap-fuzz [arguments]`. Built and run by
// scripts/fuzz. The target is in the environment, since libFuzzer starts itself anew to merge.

private let target: FuzzTarget = {
  if let name = getenv("ZCAP_FUZZ_TARGET"),
    let target = FuzzTarget(rawValue: String(cString: name))
  {
    return target
  }
  print("ZCAP_FUZZ_TARGET: \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))")
  exit(64)
}()

/// Runs one input. Source: `FuzzerInterface.h`.
@_cdecl("LLVMFuzzerTestOneInput")
public func runOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  target.run(UnsafeRawBufferPointer(start: data, count: size))
  return 0
}
