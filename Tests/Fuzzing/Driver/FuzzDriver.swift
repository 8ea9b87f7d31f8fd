import FuzzHarness
import Glibc

// What libFuzzer's main calls: `zcap-fuzz TARGET [libFuzzer's arguments]`. Built by scripts/fuzz.

nonisolated(unsafe) private var target = FuzzTarget.segment

typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// Takes the target's name from the arguments. Source: `FuzzerInterface.h`.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutableRawPointer
) -> CInt {
  let arguments = arguments.assumingMemoryBound(to: Arguments.self)
  guard count.pointee > 1, let name = arguments.pointee[1],
    let chosen = FuzzTarget(rawValue: String(cString: name))
  else {
    print("usage: zcap-fuzz \(FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")) ...")
    exit(64)
  }
  target = chosen
  arguments.pointee[1] = arguments.pointee[0]
  arguments.pointee += 1
  count.pointee -= 1
  return 0
}

/// Runs one input. Source: `FuzzerInterface.h`.
@_cdecl("LLVMFuzzerTestOneInput")
public func runOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  target.run(UnsafeRawBufferPointer(start: data, count: size))
  return 0
}
