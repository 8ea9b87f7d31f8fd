import Testing

@testable import CaptureStore

@Suite struct CapturePathTests {
  @Test(
    arguments: [
      (0, "000000000000.zseg"), (42, "000000000042.zseg"), (999_999_999_999, "999999999999.zseg"),
      (1_000_000_000_000, "1000000000000.zseg"),
    ] as [(UInt64, String)]) func namesSortAsNumbersDo(number: UInt64, name: String)
  {
    #expect(CapturePath.segmentName(number) == name)
    #expect(CapturePath.segmentNumber(name) == number)
  }

  @Test(arguments: [
    "", ".zseg", "0.zseg", "00000000000.zseg", "000000000000", "000000000000.zseg.new",
    "00000000000x.zseg", "-00000000001.zseg", "+00000000001.zseg", "0000000000001.zseg",
    "99999999999999999999999.zseg", "٠٠٠٠٠٠٠٠٠٠٠٠.zseg", "000000000000.ZSEG",
  ]) func otherNamesAreNoSegments(name: String) {
    #expect(CapturePath.segmentNumber(name) == nil)
  }
}
